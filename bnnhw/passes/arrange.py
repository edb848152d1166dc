"""Takes layout changes out of the way: maps have their channels last, vectors are flat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import ELEMENTWISE, QUANTISERS, with_parameters
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import (
    BipolarQuant,
    Concat,
    Conv,
    Gather,
    Lookup,
    MatMul,
    MaxPool,
    Node,
    Pad,
    Product,
    Quant,
    Reshape,
    Slice,
    Sum,
    SumPool,
    Transpose,
)
from bnnhw.passes.rewrite import Builder, label
from bnnhw.passes.shuffled import behind, order_of, restored, whole
from bnnhw.passes.values import positional

Index = NDArray[np.intp]
Layout = Reshape | Transpose


@dataclass(frozen=True, eq=False)
class _View:
    """A tensor of the old graph as another arrangement of a tensor of the new one.

    Element k of the old tensor, counted in row-major order, is element ``index.flat[k]`` of `tensor`; `moves` are the
    operations that make the one of the other, None where there are none that do.
    """

    tensor: str
    index: Index
    moves: tuple[Layout, ...] | None = ()

    def same(self, other: _View) -> bool:
        return self.index.shape == other.index.shape and np.array_equal(self.index, other.index)

    @property
    def in_order(self) -> bool:
        """Whether the elements follow each other as in the tensor behind it."""
        return np.array_equal(self.index.reshape(-1), np.arange(self.index.size))


def run(graph: Graph) -> Graph:
    """Drops every Reshape and Transpose up to the last layer, pool, join or quantiser; parameters and weights follow.

    The network's input is arranged once, in front of everything, as the first of these takes it. Behind the last one,
    where software does the work, all stays as it is. A flattening of a map before a dense layer stays, too, as a
    Reshape that moves nothing.

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
        self._before_hardware = _before_hardware(graph)
        # Tensors that software has: nothing with weights and no quantiser is before them.
        self._software = {graph.input}
        self._notes: list[str] = []
        self._views = {graph.input: self._input()}

    def run(self) -> Graph:
        for node in self._graph.nodes:
            if not isinstance(node, (MatMul, Conv, *QUANTISERS)) and self._software >= set(node.inputs):
                self._software.add(node.output)
            self._views[node.output] = self._translate(node)
        outputs = {role: self._materialise(name, role) for role, name in self._graph.outputs.items()}
        return self._new.graph(outputs, notes=(*self._graph.notes, *self._notes))

    def _input(self) -> _View:
        """The input, in the arrangement that the first layer, pool or join takes."""
        name = self._graph.input
        whole = _View(name, _row_major(self._graph.tensors[name].shape))
        wanted = _first_taken(self._graph, whole)
        if wanted is None or (wanted.index.shape == whole.index.shape and wanted.in_order):
            return whole
        shape = wanted.index.shape
        assert wanted.moves is not None
        moved = self._shaped(name, shape, wanted.moves[0]) if wanted.in_order else self._replayed(name, wanted.moves)
        back = np.argsort(wanted.index.reshape(-1))
        return _View(moved, back.reshape(whole.index.shape))

    def _translate(self, node: Node) -> _View:
        views = [self._views[name] for name in node.inputs]
        if isinstance(node, (Reshape, Transpose)) and self._before_hardware[node.output]:
            return _moved_view(views[0], node)
        if isinstance(node, ELEMENTWISE):
            return self._elementwise(node, views[0])
        if isinstance(node, MatMul):
            return self._dense(node, views[0])
        if isinstance(node, Slice):
            return self._chosen(node, views[0], views[0].index[node.kept])
        if isinstance(node, Gather) and node.places.ndim > 1 and self._before_hardware[node.output]:
            chosen = views[0].index.reshape(-1)[node.places.reshape(-1)]
            if len(set(chosen.tolist())) == len(chosen):
                return self._chosen(node, views[0], chosen)
        if isinstance(node, (Gather, Lookup)):
            return self._places(node, views[0])
        if isinstance(node, Concat) and (joined := self._flat_join(node, views)) is not None:
            return joined
        if (
            isinstance(node, (Pad, MaxPool, SumPool, Conv, Concat))
            and (made := self._shuffled(node, views)) is not None
        ):
            return made
        if isinstance(node, (Sum, Product)) and all(view.same(views[0]) for view in views):
            return self._alike(node, views)
        tensor = self._new.add(node, *(self._materialise(name, node.name, node) for name in node.inputs))
        return _View(tensor, _row_major(self._new.tensors[tensor].shape))

    def _shuffled(self, node: Pad | MaxPool | SumPool | Conv | Concat, views: list[_View]) -> _View | None:
        """A layer, a pool or a concatenation of maps whose channels come in another order; None where they do not."""
        orders = [self._order(view) for view in views]
        if all(view.in_order for view in views) or any(order is None for order in orders):
            return None
        if self._software >= set(node.inputs):
            return None
        known = [order for order in orders if order is not None]
        made: Node = node
        if isinstance(node, Concat):
            starts = np.cumsum([0, *(len(order) for order in known)])
            order = np.concatenate([order + start for order, start in zip(known, starts, strict=False)])
        elif (found := behind(node, known[0])) is not None:
            made, order = found
        elif isinstance(node, Conv) and node.geometry.taps == 1:
            made, order = whole(node, known[0]), np.arange(len(node.weight))
            self._notes.append(
                f"{label(node)}: its groups read channels that lie apart, so that it becomes one layer of all "
                f"channels, with {node.groups} times the weights"
            )
        else:
            return None
        tensors = [self._shaped(view.tensor, view.index.shape, node) for view in views]
        tensor = self._new.add(made, *tensors)
        shape = self._new.tensors[tensor].shape
        return _View(tensor, np.arange(0, prod(shape), shape[-1]).reshape(*shape[:-1], 1) + order, None)

    def _order(self, view: _View) -> Index | None:
        """The order of a map's channels, if that is all that differs."""
        shape = self._new.tensors[view.tensor].shape
        return order_of(view.index, shape if len(shape) == 3 else view.index.shape)

    def _elementwise(self, node: Node, view: _View) -> _View:
        """Parameters follow the view; but scales of a vector's elements, which would be those of a map's positions,
        keep the vector where software has it."""
        rearranged = _rearranged(node, view, self._new.tensors[view.tensor].shape)
        scaled = isinstance(node, (Quant, BipolarQuant)) and positional(rearranged) and not positional(node)
        if scaled and node.inputs[0] in self._software and (view.in_order or view.moves is not None):
            made = self._new.add(node, self._materialise(node.inputs[0], node.name, node))
            return _View(made, _row_major(self._new.tensors[made].shape))
        return replace(view, tensor=self._new.add(rearranged, view.tensor))

    def _alike(self, node: Sum | Product, views: list[_View]) -> _View:
        """A sum or product of tensors with their elements in one order; of a vector and a map as vectors."""
        shapes = {self._new.tensors[view.tensor].shape for view in views}
        shape = max(shapes, key=lambda shape: shape[-1])
        made = self._new.add(node, *(self._shaped(view.tensor, shape, node, f"{node.name}.shape") for view in views))
        return replace(views[0], tensor=made, moves=views[0].moves if len(shapes) == 1 else None)

    def _dense(self, node: MatMul, view: _View) -> _View:
        mw = node.weight.shape[1]
        if view.index.size != mw:
            raise ModelError(
                f"model {self._graph.name}: {label(node)}: weights of {mw} inputs are applied along "
                f"the last axis of {view.index.shape}: flatten the tensor before it"
            )
        # The order of a flattened map is one of the weights' columns, and that of what the sums are added to one of
        # their rows.
        weight = np.empty_like(node.weight)
        weight[:, view.index.reshape(-1)] = node.weight
        source = self._shaped(view.tensor, (mw,), node)
        order = self._wanted(node.output)
        if order is None:
            shape = self._graph.tensors[node.output].shape
            return _View(self._new.add(replace(node, weight=weight), source), _row_major(shape))
        rows = np.argsort(order)
        scale = node.weight_scale[rows] if node.weight_scale.ndim else node.weight_scale
        return _View(self._new.add(replace(node, weight=weight[rows], weight_scale=scale), source), order, None)

    def _wanted(self, name: str) -> Index | None:
        """The order of the vectors that vector `name` is added to, where it is one of a map's elements."""
        for node in self._graph.consumers(name):
            if isinstance(node, ELEMENTWISE):
                return self._wanted(node.output)
            if isinstance(node, Sum):
                for view in (self._views[other] for other in node.inputs if other in self._views):
                    if view.index.ndim == 1 and not view.in_order:
                        return view.index
        return None

    def _flat_join(self, node: Concat, views: list[_View]) -> _View | None:
        """A concatenation of vectors in an order of elements that its readers follow; else None."""
        ordered = all(view.in_order for view in views) or any(view.index.ndim > 1 for view in views)
        if ordered or self._software >= set(node.inputs) or not self._before_hardware[node.output]:
            return None
        tensors = [self._shaped(view.tensor, view.index.shape, node, f"{node.name}.flatten") for view in views]
        starts = np.cumsum([0, *(view.index.size for view in views)])
        index = np.concatenate([view.index + start for view, start in zip(views, starts, strict=False)])
        return _View(self._new.add(node, *tensors), index, None)

    def _chosen(self, node: Slice | Gather, view: _View, chosen: Index) -> _View:
        """The elements `chosen` (elements,) of the tensor behind the view, in the order that they have there."""
        shape = self._new.tensors[view.tensor].shape
        if len(chosen) == view.index.size:
            return _View(view.tensor, chosen.reshape(self._graph.tensors[node.output].shape), None)
        kept = np.zeros(view.index.size, np.bool_)
        kept[chosen] = True
        made = Slice(name=node.name, inputs=(), output=node.output, source=node.source, kept=kept.reshape(shape))
        axes = [kept.reshape(shape).any(axis=tuple(k for k in range(len(shape)) if k != a)) for a in range(len(shape))]
        if len(chosen) != prod(int(places.sum()) for places in axes):
            # Scattered over that tensor.
            places = chosen.reshape(self._graph.tensors[node.output].shape)
            gather = Gather(name=node.name, inputs=(), output=node.output, source=node.source, places=places)
            vector = self._shaped(view.tensor, (view.index.size,), node)
            return _View(self._new.add(gather, vector), _row_major(places.shape))
        tensor = self._new.add(made, view.tensor)
        place = np.cumsum(kept) - 1
        index = place[chosen].reshape(self._graph.tensors[node.output].shape)
        moves = None if any(isinstance(move, Reshape) for move in view.moves or ()) else view.moves
        return _View(tensor, index, moves)

    def _places(self, node: Gather | Lookup, view: _View) -> _View:
        """The same elements of the tensor behind the view."""
        order, vector = view.index.reshape(-1), self._shaped(view.tensor, (view.index.size,), node)
        if isinstance(node, Gather):
            made = self._new.add(replace(node, places=order[node.places]), vector)
        else:
            made = self._new.add(replace(node, wiring=order[node.wiring]), vector)
        return _View(made, _row_major(self._new.tensors[made].shape))

    def _materialise(self, name: str, user: str, node: Node | None = None) -> str:
        """A new tensor with the old one's own elements in its own order."""
        view = self._views[name]
        if view.in_order:
            return self._shaped(view.tensor, view.index.shape, node, f"{user}.shape")
        if view.moves is not None and (name in self._software or not self._before_hardware[name]):
            return self._replayed(view.tensor, view.moves)
        if (order := self._order(view)) is not None:
            # No weights can follow the order: a layer of ones restores it.
            made = restored(self._unique(f"{user}.order"), order, node.source if node else ())
            tensor = self._new.add(made, self._shaped(view.tensor, view.index.shape, node))
            self._notes.append(
                f"{label(node) if node else user}: the order of channels before it takes a layer of its own, of "
                f"{len(order)} x {len(order)} weights"
            )
            return tensor
        where = label(node) if node else user
        raise ModelError(
            f"model {self._graph.name}: {where}: its elements come in another order than layers before it give them "
            "(swapped axes, or pixels that became channels), and the hardware streams maps pixel by pixel; mix rows or "
            "columns by a convolution whose kernel covers them, or by a dense layer behind a Flatten, and change "
            "layouts in front of the first layer or behind the last"
        )

    def _replayed(self, tensor: str, moves: tuple[Layout, ...]) -> str:
        """What `moves` make of a tensor."""
        for move in moves:
            name = self._unique(f"{move.name}.arranged")
            tensor = self._new.add(replace(move, name=name, output=name), tensor)
        return tensor

    def _shaped(self, tensor: str, shape: tuple[int, ...], node: Node | None, name: str = "") -> str:
        if self._new.tensors[tensor].shape == shape:
            return tensor
        unique = self._unique(name or f"{node.name if node else tensor}.flatten")
        source = node.source if node else ()
        return self._new.add(Reshape(name=unique, inputs=(), output=unique, source=source, shape=shape), tensor)

    def _unique(self, name: str) -> str:
        taken = {*self._new.tensors, *self._graph.tensors, *(node.name for node in self._graph.nodes)}
        found, k = name, 1
        while found in taken:
            k += 1
            found = f"{name}.{k}"
        return found


def _row_major(shape: tuple[int, ...]) -> Index:
    return np.arange(prod(shape)).reshape(shape)


def _moved_view(view: _View, node: Layout) -> _View:
    moved = view.index.reshape(node.shape) if isinstance(node, Reshape) else view.index.transpose(node.perm)
    return _View(view.tensor, moved, None if view.moves is None else (*view.moves, node))


def _first_taken(graph: Graph, whole: _View) -> _View | None:
    """The input as the first layer, pool or join takes it, or a part of it; None if something else stands before
    that."""
    views = {graph.input: whole}
    parts: set[str] = set()
    for node in graph.nodes:
        view = views.get(node.inputs[0])
        if view is None:
            continue
        move = node if isinstance(node, (Reshape, Transpose)) else None
        if isinstance(move, Reshape) and node.inputs[0] in parts:
            move = _of_whole(move, graph.tensors[node.inputs[0]].shape, view.index.shape)
        if move is not None:
            views[node.output] = _moved_view(view, move)
        elif isinstance(node, (*ELEMENTWISE, Slice)):
            views[node.output] = view
        else:
            return view
        if isinstance(node, Slice) or node.inputs[0] in parts:
            parts.add(node.output)
    return None


def _of_whole(move: Reshape, part: tuple[int, ...], whole: tuple[int, ...]) -> Reshape | None:
    """What adds the axes of size 1 to a tensor of shape `whole` that `move` adds to one of its parts, of shape `part`,
    or drops those that it drops; None if it does something else."""
    shape: list[int] = []
    at = 0
    for size in move.shape:
        while at < len(part) and part[at] == whole[at] == 1 != size:
            at += 1
        if at < len(part) and part[at] == size:
            shape.append(whole[at])
            at += 1
        elif size == 1:
            shape.append(1)
        else:
            return None
    return replace(move, shape=tuple(shape)) if prod(shape) == prod(whole) else None


def _before_hardware(graph: Graph) -> dict[str, bool]:
    """Whether a layer, a pool, a join or a quantiser depends on a tensor."""
    found = dict.fromkeys(graph.tensors, False)
    for node in reversed(graph.nodes):
        if (
            isinstance(node, (MatMul, Conv, Pad, MaxPool, SumPool, Sum, Concat, Slice, Gather, Lookup, *QUANTISERS))
            or found[node.output]
        ):
            found.update(dict.fromkeys(node.inputs, True))
    return found


def _rearranged(node: Node, view: _View, shape: tuple[int, ...]) -> Node:
    """`node` on the tensor behind `view`, of `shape`."""
    return with_parameters(
        node,
        lambda array: array if array.ndim == 0 else _moved(np.broadcast_to(array, view.index.shape), view.index, shape),
    )


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
