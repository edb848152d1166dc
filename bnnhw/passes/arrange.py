"""Takes layout changes out of the way of the layers: maps have their channels last, vectors are flat."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import ELEMENTWISE
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Conv, MatMul, MultiThreshold, Node, Reshape, Sum, Transpose
from bnnhw.passes.rewrite import Builder, label

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _View:
    """A tensor of the old graph as another arrangement of a tensor of the new one.

    Element k of the old tensor, counted in row-major order, is element ``index.flat[k]`` of `tensor`.
    """

    tensor: str
    index: Index

    def same(self, other: _View) -> bool:
        return self.index.shape == other.index.shape and np.array_equal(self.index, other.index)


def run(graph: Graph) -> Graph:
    """Drops every Reshape and Transpose between layers; what they moved, parameters and weights follow.

    Before the first and after the last layer, where software does the work, all stays as it is. A flattening of a map
    before a dense layer stays, too, as a Reshape that moves nothing.

    Raises
    ------
    ModelError
        If a layer needs another order of elements than the layers before it give.
    """
    return _Arrange(graph).run()


class _Arrange:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._new = Builder(graph)
        self._views = {graph.input: _View(graph.input, _row_major(graph.tensors[graph.input].shape))}
        self._after_layer = {graph.input: False}
        self._before_layer = _before_layer(graph)

    def run(self) -> Graph:
        for node in self._graph.nodes:
            self._after_layer[node.output] = isinstance(node, (MatMul, Conv)) or any(
                self._after_layer[name] for name in node.inputs
            )
            self._views[node.output] = self._translate(node)
        outputs = {role: self._materialise(name, role) for role, name in self._graph.outputs.items()}
        return self._new.graph(outputs)

    def _translate(self, node: Node) -> _View:
        views = [self._views[name] for name in node.inputs]
        if isinstance(node, (Reshape, Transpose)) and self._between_layers(node.inputs[0]):
            index = views[0].index
            moved = index.reshape(node.shape) if isinstance(node, Reshape) else index.transpose(node.perm)
            return _View(views[0].tensor, moved)
        if isinstance(node, ELEMENTWISE):
            rearranged = _rearranged(node, views[0], self._new.tensors[views[0].tensor].shape)
            if rearranged is not None:
                return _View(self._new.add(rearranged, views[0].tensor), views[0].index)
        if isinstance(node, MatMul):
            return self._dense(node, views[0])
        same = self._new.tensors[views[0].tensor].shape
        if isinstance(node, Sum) and all(
            view.same(views[0]) and self._new.tensors[view.tensor].shape == same for view in views
        ):
            return _View(self._new.add(node, *(view.tensor for view in views)), views[0].index)
        made = self._new.add(node, *(self._materialise(name, node.name, node) for name in node.inputs))
        return _View(made, _row_major(self._new.tensors[made].shape))

    def _dense(self, node: MatMul, view: _View) -> _View:
        mw = node.weight.shape[1]
        if view.index.size != mw:
            raise ModelError(
                f"model {self._graph.name}: {label(node)}: weights of {mw} inputs are applied along "
                f"the last axis of {view.index.shape}: flatten the tensor before it"
            )
        if self._after_layer[node.inputs[0]]:
            # The order of a flattened map is one of the weights' columns.
            weight = np.empty_like(node.weight)
            weight[:, view.index.reshape(-1)] = node.weight
            node = replace(node, weight=weight)
            source = self._shaped(view.tensor, (mw,), node)
        else:
            source = self._shaped(self._materialise(node.inputs[0], node.name, node), (mw,), node)
        shape = self._graph.tensors[node.output].shape
        return _View(self._new.add(node, source), _row_major(shape))

    def _materialise(self, name: str, user: str, node: Node | None = None) -> str:
        """A new tensor with the old one's own elements in its own order."""
        view = self._views[name]
        flat = view.index.reshape(-1)
        if np.array_equal(flat, np.arange(flat.size)):
            return self._shaped(view.tensor, view.index.shape, node, f"{user}.shape")
        raise ModelError(
            f"model {self._graph.name}: {label(node) if node else user}: axes are swapped between layers; "
            "permute the weights instead"
        )

    def _between_layers(self, name: str) -> bool:
        """Whether a tensor is the hardware's; what comes before and after it is left as it is."""
        return self._after_layer[name] and self._before_layer[name]

    def _shaped(self, tensor: str, shape: tuple[int, ...], node: Node | None, name: str = "") -> str:
        if self._new.tensors[tensor].shape == shape:
            return tensor
        unique = self._unique(name or f"{node.name if node else tensor}.flatten")
        source = node.source if node else ()
        return self._new.add(Reshape(name=unique, inputs=(), output=unique, source=source, shape=shape), tensor)

    def _unique(self, name: str) -> str:
        taken = {*self._new.tensors, *self._graph.tensors}
        found, k = name, 1
        while found in taken:
            k += 1
            found = f"{name}.{k}"
        return found


def _row_major(shape: tuple[int, ...]) -> Index:
    return np.arange(prod(shape)).reshape(shape)


def _before_layer(graph: Graph) -> dict[str, bool]:
    """Whether a layer with weights depends on a tensor."""
    found = dict.fromkeys(graph.tensors, False)
    for node in reversed(graph.nodes):
        if isinstance(node, (MatMul, Conv)) or found[node.output]:
            found.update(dict.fromkeys(node.inputs, True))
    return found


def _rearranged(node: Node, view: _View, shape: tuple[int, ...]) -> Node | None:
    """`node` on the tensor behind `view`, of `shape`; None if its parameters have no such form."""
    if isinstance(node, MultiThreshold):
        thresholds = node.thresholds
        if len(thresholds) == 1:
            return replace(node, channels_last=True, sample_rank=max(1, len(shape)))
        axis = view.index.ndim - 1 if node.channels_last else 0
        channel = np.broadcast_to(
            np.arange(len(thresholds)).reshape(-1, *([1] * (view.index.ndim - 1 - axis))), view.index.shape
        )
        moved = _moved(channel, view.index, shape)
        if not shape or moved.size != shape[-1]:
            return None
        return replace(
            node, thresholds=thresholds[moved.reshape(-1)], channels_last=True, sample_rank=max(1, len(shape))
        )
    changes: dict[str, Any] = {}
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, np.ndarray) and value.ndim:
            changes[field.name] = _moved(np.broadcast_to(value, view.index.shape), view.index, shape)
    return replace(node, **changes)


def _moved(values: NDArray[Any], index: Index, shape: tuple[int, ...]) -> NDArray[Any]:
    """`values`, one per element of the old tensor, on the new one; axes along which they are equal become 1."""
    result = np.empty(index.size, values.dtype)
    result[index.reshape(-1)] = values.reshape(-1)
    result = result.reshape(shape)
    for axis in range(result.ndim):
        first = result.take([0], axis=axis)
        if (result == first).all():
            result = first
    while result.ndim and result.shape[0] == 1:
        result = result[0]
    return np.asarray(result)
