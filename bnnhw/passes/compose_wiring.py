"""Lets tables read what the choices of elements in front of them read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import FLOAT32
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Gather, Lookup, Node, Reshape, Slice
from bnnhw.passes.rewrite import Builder


def run(graph: Graph) -> Graph:
    """The wiring of a Lookup, or the places of a Gather, go through each Slice, Gather and Reshape of integers before
    it, up to a vector."""
    builder = Builder(graph)
    for node in graph.nodes:
        if isinstance(node, (Gather, Lookup)) and graph.tensors[node.output].format != FLOAT32:
            node = _composed(node, builder)
        builder.add(node)
    return builder.graph(graph.outputs)


def _composed(node: Gather | Lookup, builder: Builder) -> Node:
    (name,) = node.inputs
    found, places = name, np.arange(int(np.prod(builder.tensors[name].shape)))
    while (before := _places(builder.makers.get(name))) is not None:
        assert name in builder.makers
        name = builder.makers[name].inputs[0]
        size = int(np.prod(builder.tensors[name].shape))
        places = (np.arange(size) if before.size == 0 else before)[places]
        if len(builder.tensors[name].shape) == 1:
            found, kept = name, places
    if found == node.inputs[0]:
        return node
    if isinstance(node, Lookup):
        return replace(node, inputs=(found,), wiring=kept[node.wiring])
    return replace(node, inputs=(found,), places=kept[node.places])


def _places(node: Node | None) -> NDArray[np.int64] | None:
    """Which element of what it reads each element is, where `node` chooses elements; empty for all in their order."""
    if isinstance(node, Slice):
        return np.flatnonzero(node.kept)
    if isinstance(node, Gather):
        return node.places.reshape(-1)
    return np.zeros(0, np.int64) if isinstance(node, Reshape) else None
