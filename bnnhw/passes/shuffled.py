"""Maps whose channels come in another order: the weights behind them follow it, or a layer of ones restores it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, BIT, TERNARY
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import Conv, MaxPool, Node, Pad, SumPool

Order = NDArray[np.intp]


def order_of(index: NDArray[np.intp], shape: tuple[int, ...]) -> Order | None:
    """The order of channels (C,) by which a map of `shape` becomes one whose elements are those at `index`; None if it
    takes more than that."""
    if index.ndim != 3 or index.size != np.prod(shape) or shape[-1] != index.shape[-1]:
        return None
    order = index[0, 0]
    pixels = np.arange(0, index.size, shape[-1]).reshape(*index.shape[:2], 1)
    return order if order.max() < shape[-1] and np.array_equal(index, pixels + order) else None


def behind(node: Pad | MaxPool | SumPool | Conv, order: Order) -> tuple[Node, Order] | None:
    """What gives the result of `node` on a map that comes without its `order`, and the order of that result; None where
    the groups of a convolution are torn apart."""
    if isinstance(node, (Pad, SumPool)):
        return node, order
    if isinstance(node, MaxPool):
        return replace(node, minimum=_moved(node.minimum, order)), order
    if node.groups == 1:
        return replace(node, weight=_moved(node.weight, order)), np.arange(len(node.weight))
    groups = order.reshape(node.groups, -1)
    size = groups.shape[1]
    places = groups.min(axis=1) // size  # of each group, if it comes in one piece
    if (groups // size != places[:, None]).any():
        return None
    weight, scale = np.empty_like(node.weight), np.array(node.weight_scale)
    outputs = len(weight) // node.groups
    rows = (places[:, None] * outputs + np.arange(outputs)).reshape(-1)
    for g, inner in enumerate(groups - size * places[:, None]):
        own = slice(g * outputs, (g + 1) * outputs)
        weight[rows[own]] = _moved(node.weight[own], inner)
    if scale.ndim:
        scale[rows] = node.weight_scale
    return replace(node, weight=weight, weight_scale=scale), rows


def whole(node: Conv, order: Order) -> Conv:
    """A convolution of torn groups as one of all channels, with weights of 0 between the groups."""
    outputs, *kernel, size = node.weight.shape
    weight = np.zeros((outputs, *kernel, size * node.groups), node.weight.dtype)
    for row, group in enumerate(np.repeat(order.reshape(node.groups, size), outputs // node.groups, axis=0)):
        weight[row][..., group] = node.weight[row]
    dtype = TERNARY if node.weight_dtype == BIPOLAR else node.weight_dtype
    return replace(node, weight=weight, weight_dtype=dtype, groups=1)


def restored(name: str, order: Order, source: tuple[str, ...]) -> Conv:
    """A convolution that gives a map's channels in their `order`."""
    ones = np.eye(len(order), dtype=np.int16)[order]
    return Conv(
        name=name, inputs=(), output=name, source=source, weight=ones[:, None, None], weight_dtype=BIT,
        weight_scale=np.array(1.0), geometry=Geometry((1, 1)),
    )  # fmt: skip


def _moved(values: NDArray[Any], order: Order) -> NDArray[Any]:
    """`values`, the last axis of which is that of the channels in their `order`, for the channels as they come."""
    if not values.ndim:
        return values
    result = np.empty_like(values)
    result[..., order] = values
    return result
