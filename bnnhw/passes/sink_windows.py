"""Moves max-pools and pads behind the quantisers that follow them, where they work on integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.elementwise import ELEMENTWISE, apply, direction, parameters
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import MaxPool, Node, Pad
from bnnhw.passes.rewrite import rebuild


def run(graph: Graph) -> Graph:
    """Each MaxPool and each Pad changes places with the elementwise operations after it, one by one.

    A maximum goes through whatever rises with its input, and becomes a minimum in channels where that falls. A Pad
    becomes one of another value. Neither passes a fork, nor an operation that treats positions differently.
    """
    graph = _with_pads_in_pools(graph)
    while (pair := next((p for node in graph.nodes if (p := _swapped(graph, node))), None)) is not None:
        swapped = {node.output: node for node in pair}
        graph = rebuild(graph, [swapped.get(node.output, node) for node in graph.nodes])
    return graph


def _with_pads_in_pools(graph: Graph) -> Graph:
    """A Pad of minus infinity becomes the padding of the MaxPool after it, which leaves it out."""
    nodes: list[Node] = []
    for node in graph.nodes:
        pad = graph.producer(node.inputs[0])
        if isinstance(node, MaxPool) and isinstance(pad, Pad) and pad.value == -np.inf:
            geometry = replace(node.geometry, pads=pad.pads)
            node = replace(node, geometry=geometry, inputs=pad.inputs, source=(*pad.source, *node.source))
        nodes.append(node)
    read = {name for node in nodes for name in node.inputs} | set(graph.outputs.values())
    return rebuild(graph, [node for node in nodes if not isinstance(node, Pad) or node.output in read])


def _swapped(graph: Graph, window: Node) -> tuple[Node, Node] | None:
    """`window` and the operation after it in the other order, or None if they have to stay as they are."""
    if not isinstance(window, (MaxPool, Pad)) or window.output in graph.outputs.values():
        return None
    after = graph.consumers(window.output)
    if len(after) != 1 or not isinstance(after[0], ELEMENTWISE) or not _alike_everywhere(after[0]):
        return None
    node, moved = after[0], window
    channels = graph.tensors[window.inputs[0]].shape[-1]
    if isinstance(window, Pad):
        values = np.unique(apply(node, np.full((1, 1, 1, channels), window.value, np.float32)))
        if len(values) != 1:
            return None
        moved = replace(window, value=float(values[0]))
    elif isinstance(window, MaxPool):
        try:
            falls = _per_channel(direction(node), channels) < 0
        except TypeError:
            return None
        moved = replace(window, minimum=window.minimum ^ falls if falls.any() else window.minimum)
    # The tensors keep their names by what they are: the later one is what others read.
    first = replace(node, inputs=window.inputs, output=window.output)
    return first, replace(moved, inputs=(window.output,), output=node.output)


def _per_channel(signs: NDArray[np.int8], channels: int) -> NDArray[np.int8]:
    return np.broadcast_to(signs.reshape(-1), (channels,))


def _alike_everywhere(node: Node) -> bool:
    """Whether the parameters differ by channel at most."""
    return all(array.ndim <= 1 for array in parameters(node))
