"""Moves max-pools and pads past elementwise operations to where they work on integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.elementwise import ELEMENTWISE, QUANTISERS, apply, direction, parameters
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Conv, MatMul, MaxPool, Node, Pad
from bnnhw.passes.rewrite import rebuild


def run(graph: Graph) -> Graph:
    """Each MaxPool and each Pad changes places with elementwise operations beside it, one by one.

    A MaxPool goes behind the quantiser that follows it, where codes are few bits, or where there is none up to the sums
    of the layer before it: what lies between, a Relu say, makes no integers. It goes past whatever rises with its
    input, and becomes a minimum in channels where that falls. A Pad goes down to its layer, and becomes one of another
    value. Neither passes a fork, nor an operation that treats positions differently.
    """
    graph = _with_pads_in_pools(graph)
    while (pair := _first_pair(graph)) is not None:
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


def _first_pair(graph: Graph) -> tuple[Node, Node] | None:
    quantised = _quantised(graph)
    return next((pair for node in graph.nodes if (pair := _swapped(graph, node, quantised)) is not None), None)


def _swapped(graph: Graph, node: Node, quantised: set[str]) -> tuple[Node, Node] | None:
    """`node` and the operation that it changes places with, in their new order; None if it stays where it is."""
    if isinstance(node, Pad):
        after = _next(graph, node.output)
        return None if after is None else _pad_behind(graph, node, after)
    if not isinstance(node, MaxPool):
        return None
    if node.inputs[0] in quantised or _meets_quantiser(graph, node):
        after = _next(graph, node.output)
        return None if after is None else _pool_behind(graph, node, after)
    before = graph.producer(node.inputs[0])
    return None if before is None else _pool_before(graph, node, before)


def _quantised(graph: Graph) -> set[str]:
    """The tensors that no layer gives their values but through a quantiser."""
    found = {graph.input}
    for node in graph.nodes:
        if isinstance(node, QUANTISERS) or (not isinstance(node, (MatMul, Conv)) and found.issuperset(node.inputs)):
            found.add(node.output)
    return found


def _meets_quantiser(graph: Graph, pool: MaxPool) -> bool:
    """Whether a quantiser is among the operations that `pool` can go behind."""
    name, channels = pool.output, graph.tensors[pool.output].shape[-1]
    while (node := _next(graph, name)) is not None and _falling(node, channels) is not None:
        if isinstance(node, QUANTISERS):
            return True
        name = node.output
    return False


def _next(graph: Graph, name: str) -> Node | None:
    """The elementwise operation that alone reads a tensor, alike at all positions; None if something else does."""
    after = graph.consumers(name)
    alone = len(after) == 1 and name not in graph.outputs.values()
    return after[0] if alone and isinstance(after[0], ELEMENTWISE) and _alike_everywhere(after[0]) else None


def _pad_behind(graph: Graph, pad: Pad, after: Node) -> tuple[Node, Node] | None:
    channels = graph.tensors[pad.output].shape[-1]
    values = np.unique(apply(after, np.full((1, 1, 1, channels), pad.value, np.float32)))
    return _exchanged(after, replace(pad, value=float(values[0])), pad, after) if len(values) == 1 else None


def _pool_behind(graph: Graph, pool: MaxPool, after: Node) -> tuple[Node, Node] | None:
    moved = _turned(pool, after, graph.tensors[pool.output].shape[-1])
    return None if moved is None else _exchanged(after, moved, pool, after)


def _pool_before(graph: Graph, pool: MaxPool, before: Node) -> tuple[Node, Node] | None:
    alone = len(graph.consumers(before.output)) == 1 and before.output not in graph.outputs.values()
    if not alone or not isinstance(before, ELEMENTWISE) or not _alike_everywhere(before):
        return None
    moved = _turned(pool, before, graph.tensors[pool.output].shape[-1])
    return None if moved is None else _exchanged(moved, before, before, pool)


def _exchanged(first: Node, second: Node, before: Node, after: Node) -> tuple[Node, Node]:
    """`first` and then `second`, in place of `before` and `after`: tensors keep their names by what they are, and the
    later one is what others read."""
    return (
        replace(first, inputs=before.inputs, output=before.output),
        replace(second, inputs=(before.output,), output=after.output),
    )


def _turned(pool: MaxPool, node: Node, channels: int) -> MaxPool | None:
    """`pool` on the other side of `node`; None if that is not monotone."""
    falls = _falling(node, channels)
    if falls is None:
        return None
    return replace(pool, minimum=pool.minimum ^ falls) if falls.any() else pool


def _falling(node: Node, channels: int) -> NDArray[np.bool_] | None:
    """The channels in which `node` falls, (channels,); None if it is not monotone."""
    try:
        return np.broadcast_to(direction(node).reshape(-1) < 0, (channels,))
    except TypeError:
        return None


def _alike_everywhere(node: Node) -> bool:
    """Whether the parameters differ by channel at most."""
    return all(array.ndim <= 1 for array in parameters(node))
