"""Leaves out tables, and bits of the input, that nothing reads."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense, Encode, Gather, Lookup, Node
from bnnhw.passes.rewrite import rebuild

Places = NDArray[np.int64]


def run(graph: Graph) -> Graph:
    """Each Lookup, and the Encode in front of one, gives no more than its readers read.

    Software then leaves out the rest of the input before it encodes it.
    """
    nodes: dict[str, list[Node]] = {}  # what stands for each node, by the tensor that it made
    changed: dict[str, Node] = {node.output: node for node in graph.nodes}
    for node in reversed(graph.nodes):
        node = changed[node.output]
        nodes[node.output] = [node]
        if not isinstance(node, (Encode, Lookup)) or node.output in graph.outputs.values():
            continue
        readers = [changed[reader.output] for reader in graph.consumers(node.output)]
        if not any(isinstance(reader, (Lookup, Gather)) for reader in readers) and isinstance(node, Encode):
            continue  # a matrix takes its input as it comes
        size = prod(graph.tensors[node.output].shape)
        kept = _read(readers, size)
        if kept is None or len(kept) == size:
            continue
        for reader in readers:
            changed[reader.output] = _renumbered(reader, kept, size)
            nodes[reader.output] = [changed[reader.output]]
        if isinstance(node, Lookup):
            made: list[Node] = [replace(node, wiring=node.wiring[kept], tables=node.tables[kept])]
        else:
            made = _encoded(graph, node, kept)
        changed[node.output] = made[-1]
        nodes[node.output] = made
    return rebuild(graph, [part for node in graph.nodes for part in nodes[node.output]])


def _read(readers: list[Node], size: int) -> Places | None:
    """Which of `size` elements some of the `readers` read, at least one; None where there is another kind of reader."""
    found = np.zeros(size, np.bool_)
    for reader in readers:
        if isinstance(reader, Lookup):
            found[reader.wiring] = True
        elif isinstance(reader, Gather):
            found[reader.places] = True
        elif type(reader) is Dense and reader.weight.shape[1] == size:
            found |= reader.weight.any(axis=0)
        else:
            return None
    found[0] |= not found.any()
    return np.flatnonzero(found)


def _renumbered(reader: Node, kept: Places, size: int) -> Node:
    place = np.zeros(size, np.int64)
    place[kept] = np.arange(len(kept))
    if isinstance(reader, Lookup):
        return replace(reader, wiring=place[reader.wiring])
    if isinstance(reader, Gather):
        return replace(reader, places=place[reader.places])
    assert isinstance(reader, Dense)
    return replace(reader, weight=reader.weight[:, kept])


def _encoded(graph: Graph, node: Encode, kept: Places) -> list[Node]:
    """An Encode of the elements that are `kept`, which software chooses before it."""
    name = f"{node.name}.read"
    gather = Gather(name=name, inputs=node.inputs, output=name, source=node.source, places=kept)
    scale = node.scale[kept] if node.scale.ndim and len(graph.tensors[node.output].shape) == 1 else node.scale
    return [gather, replace(node, inputs=(name,), scale=scale)]
