"""Negates the weights of channels whose activation falls as the accumulator rises, so that every comparison is >=."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense, Node, Threshold
from bnnhw.passes.rewrite import rebuild


def run(graph: Graph) -> Graph:
    """Where one Threshold alone reads a layer, the layer's weights are negated in its stead."""
    changed: dict[str, Node] = {}
    for node in graph.nodes:
        readers = graph.consumers(node.output)
        if not isinstance(node, Dense) or len(readers) != 1 or node.output in graph.outputs.values():
            continue
        reader = readers[0]
        if not isinstance(reader, Threshold) or not reader.negate.any():
            continue
        flip = np.broadcast_to(reader.negate, (len(node.weight),))
        weight = np.where(flip[:, None], -node.weight, node.weight).astype(np.int16)
        dtype = _holding(node.weight_dtype, weight)
        changed[node.name] = replace(node, weight=weight, weight_dtype=dtype, flip=node.flip ^ flip)
        changed[reader.name] = replace(reader, negate=np.zeros((), np.bool_))
    return rebuild(graph, [changed.get(node.name, node) for node in graph.nodes])


def _holding(dtype: DataType, weight: NDArray[np.int16]) -> DataType:
    """`dtype`, or where it has no room for the negated weights the smallest format that has."""
    return dtype if dtype.contains(weight) else DataType.smallest(int(weight.min()), int(weight.max()))
