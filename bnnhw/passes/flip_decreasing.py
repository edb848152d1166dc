"""Negates the weights of channels whose activation falls as the accumulator rises, so that every comparison is >=."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import direction
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense, Dequant, Node
from bnnhw.passes.rewrite import label, rebuild, way_to_encode


def run(graph: Graph) -> Graph:
    """Flips channels of every layer that a quantiser follows; the Dequant after it turns the sign back.

    Raises
    ------
    ModelError
        If an operation between a layer and its quantiser is not monotone; it names both.
    """
    changed: dict[str, Node] = {}
    for node in graph.nodes:
        if not isinstance(node, Dense):
            continue
        way = way_to_encode(graph, node)
        if way is None:
            continue  # the last layer's own numbers go out, whatever their direction
        flip = directions(graph, node, way, len(node.weight)) < 0
        if not flip.any():
            continue
        weight = np.where(flip[:, None], -node.weight, node.weight).astype(np.int16)
        scale = way[0]
        assert isinstance(scale, Dequant)
        dtype = _holding(node.weight_dtype, weight)
        changed[node.name] = replace(node, weight=weight, weight_dtype=dtype, flip=node.flip ^ flip)
        changed[scale.name] = replace(scale, scale=np.where(flip, -scale.scale, scale.scale))
    return rebuild(graph, [changed.get(node.name, node) for node in graph.nodes])


def directions(graph: Graph, source: Node, way: list[Node], channels: int) -> NDArray[np.int8]:
    """+1, -1 or 0 for each channel: how the end of `way` goes with the integers of `source`.

    Raises
    ------
    ModelError
        If an operation is not monotone, or treats positions of a map differently.
    """
    product = np.ones(channels, np.int8)
    for node in way:
        try:
            signs = direction(node)
        except TypeError:
            raise ModelError(
                f"model {graph.name}: layer {label(source)}: {label(node)} ({node.op}) between it and its "
                "quantiser is not monotone, so thresholds cannot replace it; use monotone activations"
            ) from None
        if signs.size not in (1, channels):
            raise ModelError(
                f"model {graph.name}: layer {label(source)}: {label(node)} ({node.op}) between it and its quantiser "
                "differs between positions of the map; use one parameter per channel"
            )
        product = product * signs.reshape(-1)
    return product


def _holding(dtype: DataType, weight: NDArray[np.int16]) -> DataType:
    """`dtype`, or where it has no room for the negated weights the smallest format that has."""
    return dtype if dtype.contains(weight) else DataType.smallest(int(weight.min()), int(weight.max()))
