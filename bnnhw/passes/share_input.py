"""Makes the network's input one tensor of integers, in front of everything else of the hardware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.floats import first_where, numbered
from bnnhw.arithmetic.formats import FLOAT32, DataType
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import ELEMENTWISE, apply, direction, parameters, with_parameters
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Encode, MultiThreshold, Node, Reshape, Threshold
from bnnhw.passes.rewrite import Builder, label


def run(graph: Graph) -> Graph:
    """Software first, then the Encode, then the hardware; where the input is quantised in several ways, one code tells
    all of them.

    That code counts the cuts of all quantisers that the input has reached; a Threshold for each of them makes its own
    codes of it.

    Raises
    ------
    ModelError
        If the input is quantised in several ways, and not by monotone operations on one tensor.
    """
    encodes = [node for node in graph.nodes if isinstance(node, Encode)]
    ways = _ways(graph, encodes) if len(encodes) > 1 else []
    builder = Builder(graph)
    before = _before_integers(graph)
    for node in before:
        if not isinstance(node, Encode) or not ways:
            builder.add(node)
    if ways:
        _share(graph, builder, ways)
    done = {node.output for node in before}
    after = [node for node in graph.nodes if node.output not in done]
    for node in sorted(after, key=lambda node: graph.tensors[node.output].format == FLOAT32):
        builder.add(node)
    return builder.graph(graph.outputs)


@dataclass(frozen=True, eq=False)
class _Way:
    """How the input, `steps` behind `source`, becomes the integers of `encode`, whatever shape they then get."""

    source: str
    steps: tuple[Node, ...]
    encode: Encode


def _before_integers(graph: Graph) -> list[Node]:
    """What software does before the hardware, and the Encodes."""
    floats, found = {graph.input}, []
    for node in graph.nodes:
        if floats >= set(node.inputs):
            found.append(node)
            if not isinstance(node, Encode):
                floats.add(node.output)
    return found


def _ways(graph: Graph, encodes: list[Encode]) -> list[_Way]:
    """The way to each Encode from the last tensor that all of them depend on."""
    chains: list[list[Node]] = []
    for encode in encodes:
        chain: list[Node] = [encode]
        while isinstance(producer := graph.producer(chain[0].inputs[0]), (*ELEMENTWISE, Reshape)):
            chain.insert(0, producer)
        chains.append(chain)
    starts = [[node.inputs[0] for node in chain] for chain in chains]
    common = [name for name in starts[0] if all(name in names for names in starts)]
    if not common:
        names = ", ".join(label(chain[0]) for chain in chains)
        raise ModelError(
            f"model {graph.name}: its input is prepared in several ways ({names}) before it is quantised; quantise it "
            "first, and once"
        )
    source = common[-1]
    shape = graph.tensors[source].shape
    ways = []
    for chain, before in zip(chains, starts, strict=True):
        *steps, last = (
            _shaped(node, graph.tensors[node.inputs[0]].shape, shape)
            for node in chain[before.index(source) :]
            if not isinstance(node, Reshape)
        )
        assert isinstance(last, Encode)
        ways.append(_Way(source, tuple(steps), last))
    return ways


def _shaped(node: Node, old: tuple[int, ...], new: tuple[int, ...]) -> Node:
    """`node` for a tensor of another shape, of the same elements in the same order."""
    if old == new:
        return node
    return with_parameters(node, lambda a: np.broadcast_to(a, old).reshape(new) if a.ndim else a)


def _share(graph: Graph, builder: Builder, ways: list[_Way]) -> None:
    source = ways[0].source
    shape = graph.tensors[source].shape
    cuts = [_cuts(way, shape) for way in ways]
    union = _united([found for found, _ in cuts])
    name = builder.unique(f"{source}.shared", graph.tensors)
    counted = MultiThreshold(name=name, inputs=(source,), output=name, thresholds=union, out_scale=1.0, out_bias=0.0)
    builder.add(counted)
    codes = builder.unique(f"{source}.encoded", graph.tensors)
    builder.add(
        Encode(
            name=codes,
            inputs=(name,),
            output=codes,
            dtype=DataType.smallest(0, len(union)),
            scale=np.array(1.0),
            offset=0,
            step=1,
            levels=len(union) + 1,
        )
    )
    for way, (found, falls) in zip(ways, cuts, strict=True):
        _recode(graph, builder, way, codes, found, falls, union)


def _united(cuts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    rest = np.broadcast_shapes(*(found.shape[1:] for found in cuts))
    return np.sort(np.concatenate([_spread(found, rest) for found in cuts]), axis=0)


def _spread(cuts: NDArray[np.float32], rest: tuple[int, ...]) -> NDArray[np.float32]:
    """Each of the `cuts` as an array of shape `rest`."""
    return np.stack([np.broadcast_to(cut, rest) for cut in cuts])


def _recode(
    graph: Graph,
    builder: Builder,
    way: _Way,
    codes: str,
    cuts: NDArray[np.float32],
    falls: NDArray[np.bool_],
    union: NDArray[np.float32],
) -> None:
    """The codes of one way, from those that all share."""
    encode, shape, wanted = way.encode, graph.tensors[way.source].shape, graph.tensors[way.encode.output].shape
    flat = union.ndim > 2
    # The code at a cut: how many cuts are not above it.
    reached = np.stack([(union <= cut).sum(axis=0) for cut in _spread(cuts, union.shape[1:])])
    # Where the way falls, level j is reached below the cut: by codes whose negative is above the negative of it.
    thresholds = np.where(falls, 1 - reached, reached)
    size = int(np.prod(shape)) if flat else shape[-1]
    whole = (
        np.broadcast_to(thresholds, (len(cuts), *shape))
        if flat
        else np.broadcast_to(thresholds.reshape(len(cuts), -1), (len(cuts), size))
    )
    negate = np.broadcast_to(falls, shape if flat else (size,)).reshape(-1)
    source = codes
    if flat:
        name = builder.unique(f"{encode.name}.flat", graph.tensors)
        source = builder.add(Reshape(name=name, inputs=(codes,), output=name, shape=(size,)))
    shaped = flat or wanted != shape
    made = builder.unique(f"{encode.name}.thresholds", graph.tensors) if shaped else encode.output
    builder.add(
        Threshold(
            name=builder.unique(f"{encode.name}.thresholds", graph.tensors),
            inputs=(source,),
            output=made,
            source=tuple(dict.fromkeys(name for step in way.steps for name in step.source)),
            thresholds=np.sort(whole.reshape(len(cuts), -1).T, axis=1).astype(np.int64),
            offset=encode.offset,
            step=encode.step,
            dtype=encode.dtype,
            negate=negate if negate.any() else np.zeros((), np.bool_),
        )
    )
    if shaped:
        builder.add(Reshape(name=encode.name, inputs=(made,), output=encode.output, shape=wanted))


def _cuts(way: _Way, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where a way reaches its levels, ascending: the smallest float32 of each, or where the way falls the smallest that
    no longer does; and where it falls. Both broadcast against a sample.
    """
    steps = (*way.steps, way.encode)
    try:
        signs = [np.asarray(direction(step)) for step in steps]
    except TypeError:
        raise ModelError(
            f"{label(way.steps[-1])}: an operation that is not monotone before the input's quantiser"
        ) from None
    product = np.ones((), np.int8)
    for sign in signs:
        product = product * sign
    rest = np.broadcast_shapes(*(array.shape for step in steps for array in parameters(step)), ())
    falls = np.broadcast_to(product < 0, rest)
    levels = way.encode.offset + way.encode.step * np.arange(1, way.encode.levels)
    levels = levels.reshape(-1, *([1] * len(rest)))

    def reached(values: NDArray[np.float32]) -> NDArray[np.bool_]:
        codes: NDArray[Any] = values
        for step in steps:
            codes = apply(step, codes)
        return (codes >= levels) ^ falls

    found = first_where(reached, (len(levels), *rest))
    return np.sort(numbered(found), axis=0), falls
