"""Replaces everything between two layers by integer thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, Float32
from bnnhw.ir.bounds import reach
from bnnhw.ir.elementwise import apply
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense, Dequant, Encode, Node, Sum, Threshold
from bnnhw.passes.flip_decreasing import directions
from bnnhw.passes.rewrite import Builder, label, way_to_encode

# How far, in steps of float32, the sum of two rounded products can be from the rounded product of their sum.
SUM_STEPS = 4


def run(graph: Graph) -> Graph:
    """Each Dequant, .., Encode between integers becomes a Threshold, or nothing if it changes no integer.

    The threshold of a level is the smallest integer at which the float32 chain reaches it. Every operation of the
    chain is monotone in float32, roundings included; so bisection over the channel's reachable integers finds that
    point exactly, for all of them. The weights of falling channels were negated before; where there are no weights, as
    after a sum, the Threshold negates.

    Raises
    ------
    ModelError
        If a chain is not monotone.
    """
    builder = Builder(graph)
    notes = list(graph.notes)
    made: dict[str, Threshold | None] = {}  # by the Encode that it replaces
    sources: dict[str, str] = {}
    for node in graph.nodes:
        readers = graph.consumers(node.output)
        way = way_to_encode(graph, node) if any(isinstance(n, Dequant) for n in readers) else None
        if way is not None:
            encode = way[-1]
            assert isinstance(encode, Encode)
            made[encode.output] = _threshold(graph, node, way, encode)
            sources[encode.output] = node.output
            if isinstance(node, Sum) and not _sure(graph, node, way):
                notes.append(
                    f"{label(node)}: a sum of floats lies within their rounding of a quantiser's step; integers decide"
                )
    alias: dict[str, str] = {}
    for node in graph.nodes:
        if node.output in made:
            threshold, source = made[node.output], alias.get(sources[node.output], sources[node.output])
            if threshold is None:
                alias[node.output] = source
            else:
                builder.add(threshold, source)
        else:
            builder.add(node, *(alias.get(name, name) for name in node.inputs))
    outputs = {role: alias.get(name, name) for role, name in graph.outputs.items()}
    return builder.graph(outputs, notes=tuple(notes))


def reachable(graph: Graph, node: Node) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest integer of each channel that `node` makes."""
    if isinstance(node, Dense):
        source = graph.tensors[node.inputs[0]].format
        assert not isinstance(source, Float32)
        return reach(node.weight, source)
    made = graph.tensors[node.output]
    assert not isinstance(made.format, Float32)
    channels = np.zeros(made.shape[-1], np.int64)
    return channels + made.format.min, channels + made.format.max


def _threshold(graph: Graph, source: Node, way: list[Node], encode: Encode) -> Threshold | None:
    low, high = reachable(graph, source)
    negate = directions(graph, source, way, len(low)) < 0
    if negate.any():
        low, high = np.where(negate, -high, low), np.where(negate, -low, high)
    sign = np.where(negate, -1, 1)
    if not isinstance(source, Dense) and _keeps(graph, source, way, encode):
        return None
    levels = encode.offset + encode.step * np.arange(1, encode.levels)
    found = np.repeat(low[None, :], len(levels), axis=0)
    beyond = np.repeat(high[None, :] + 1, len(levels), axis=0)
    while (found < beyond).any():
        middle = (found + beyond) // 2
        # Where the search is over, `middle` may be one past the reachable range; what the chain makes of it is not
        # used.
        reached = _chain(way, sign * middle) >= levels[:, None]
        searching = found < beyond
        beyond = np.where(searching & reached, middle, beyond)
        found = np.where(searching & ~reached, middle + 1, found)
    sources = tuple(name for node in way for name in node.source)
    return Threshold(
        name=f"{source.name}.thresholds",
        inputs=(),
        output=encode.output,
        source=tuple(dict.fromkeys(sources)),
        thresholds=found.T,
        offset=encode.offset,
        step=encode.step,
        dtype=encode.dtype,
        negate=negate,
    )


def _chain(way: list[Node], values: NDArray[Any]) -> NDArray[Any]:
    """What the operations of `way` make of integers (.., channels)."""
    for node in way:
        values = apply(node, values)
    return values


def _keeps(graph: Graph, source: Node, way: list[Node], encode: Encode) -> bool:
    """Whether the chain gives back every integer of `source` as it is."""
    dtype = graph.tensors[source.output].format
    if isinstance(dtype, Float32) or dtype.storage != encode.dtype:
        return False
    step = 2 if dtype == BIPOLAR else 1
    values = np.arange(dtype.min, dtype.max + 1, step)[:, None] + np.zeros(graph.tensors[source.output].shape[-1], int)
    return bool((_chain(way, values) == values).all())


def _sure(graph: Graph, node: Sum, way: list[Node]) -> bool:
    """Whether the float32 rounding of the addition decides nothing: floats next to each sum give the same code."""
    low, high = reachable(graph, node)
    values = np.arange(int(low.min()), int(high.max()) + 1)[:, None] + np.zeros(len(low), np.int64)
    exact = apply(way[0], values)
    codes = _chain(way[1:], exact)
    return all(
        bool((_chain(way[1:], exact * np.float32(1 + sign * SUM_STEPS * 2.0**-24)) == codes).all()) for sign in (-1, 1)
    )
