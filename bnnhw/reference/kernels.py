"""The plain numpy meaning of every operation that is not elementwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.elementwise import ELEMENTWISE, apply
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import (
    ArgMax,
    Concat,
    Conv,
    Dense,
    Gather,
    GroupedDense,
    Hardmax,
    Lookup,
    MatMul,
    MaxPool,
    Node,
    Pad,
    Product,
    Reshape,
    Scale,
    Slice,
    Softmax,
    Sum,
    SumPool,
    Threshold,
    Transpose,
    Window,
)

Array = NDArray[Any]


def evaluate(node: Node, *inputs: Array) -> Array:
    """`node` on batches of shape (N, *sample shape)."""
    if isinstance(node, Sum):
        return add(node, inputs)
    if isinstance(node, Concat):
        return np.concatenate(inputs, axis=-1)
    if isinstance(node, Product):
        first, second = (np.asarray(x, np.float32) for x in inputs)
        return first * second
    (x,) = inputs
    if isinstance(node, ELEMENTWISE):
        return apply(node, x)
    if isinstance(node, Reshape):
        return x.reshape(len(x), *node.shape)
    if isinstance(node, Transpose):
        return x.transpose(0, *(axis + 1 for axis in node.perm))
    if isinstance(node, MatMul):
        return matmul(node, x)
    if isinstance(node, Dense):
        return dense(node, x)
    if isinstance(node, Conv):
        return conv(node, x)
    if isinstance(node, Pad):
        above, left, below, right = node.pads
        return np.pad(x, ((0, 0), (above, below), (left, right), (0, 0)), constant_values=node.value)
    if isinstance(node, Window):
        return window_vectors(windows(x, node.geometry, node.fill), node.groups)
    if isinstance(node, MaxPool):
        return max_pool(node, x)
    if isinstance(node, SumPool):
        return sum_pool(node, x)
    if isinstance(node, Threshold):
        return threshold(node, x)
    if isinstance(node, Scale):
        return scale(node, x)
    if isinstance(node, Slice):
        return part(node, x)
    if isinstance(node, Gather):
        return x.reshape(len(x), -1)[:, node.places]
    if isinstance(node, Lookup):
        return lookup(node, x)
    if isinstance(node, ArgMax):
        return argmax(node, x)
    if isinstance(node, Softmax):
        return log_softmax(x) if node.log else softmax(x)
    if isinstance(node, Hardmax):
        return (np.arange(x.shape[-1]) == x.argmax(axis=-1)[..., None]).astype(np.float32)
    raise TypeError(f"no meaning for {node.op}")


def matmul(node: MatMul, x: Array) -> NDArray[np.float32]:
    """``x @ (weight * scale).T`` summed in float64, so that it is rounded once."""
    weight = node.weight * np.reshape(node.weight_scale, (-1, 1))
    return (np.asarray(x, np.float64) @ weight.T).astype(np.float32)


def windows(x: Array, geometry: Geometry, fill: float) -> Array:
    """The windows of maps (N, H, W, C): (N, OH, OW, KH, KW, C)."""
    above, left, below, right = geometry.pads
    if any(geometry.pads):
        x = np.pad(x, ((0, 0), (above, below), (left, right), (0, 0)), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(x, geometry.extent, axis=(1, 2))
    (down, across), (row, column) = geometry.strides, geometry.dilations
    return views[:, ::down, ::across, :, ::row, ::column].transpose(0, 1, 2, 4, 5, 3)


def window_vectors(found: Array, groups: int) -> Array:
    """Windows (N, OH, OW, KH, KW, C) as vectors, group of channels by group."""
    apart = found.reshape(*found.shape[:5], groups, -1)
    return np.moveaxis(apart, 5, 3).reshape(*found.shape[:3], -1)


def product(x: Array, weight: Array, groups: int) -> Array:
    """The products of each group's part of vectors x (.., MW) with its rows of weight (MH, MW / groups): (.., MH)."""
    if groups == 1:
        return np.asarray(x @ weight.T)
    parts, rows = x.reshape(*x.shape[:-1], groups, -1), weight.reshape(groups, -1, weight.shape[1])
    return np.einsum("...gk,gmk->...gm", parts, rows).reshape(*x.shape[:-1], -1)


def conv(node: Conv, x: Array) -> NDArray[np.float32]:
    """The product of every window with ``weight * scale``, summed in float64, so that it is rounded once."""
    found = window_vectors(windows(np.asarray(x, np.float64), node.geometry, 0), node.groups)
    weight = node.weight.reshape(len(node.weight), -1) * np.reshape(node.weight_scale, (-1, 1))
    return product(found, weight, node.groups).astype(np.float32)


def max_pool(node: MaxPool, x: Array) -> Array:
    """Largest value of every window, the smallest where `minimum`; padding never wins."""
    integers = x.dtype.kind in "iu"
    low, high = (np.iinfo(np.int32).min, np.iinfo(np.int32).max) if integers else (-np.inf, np.inf)
    largest = windows(x, node.geometry, low).max(axis=(3, 4))
    if not node.minimum.any():
        return np.asarray(largest)
    return np.where(node.minimum, windows(x, node.geometry, high).min(axis=(3, 4)), largest)


def sum_pool(node: SumPool, x: Array) -> Array:
    """Sum of every window: exact integers, or floats summed in float64."""
    integers = x.dtype.kind in "iu"
    found = windows(np.asarray(x, np.int64 if integers else np.float64), node.geometry, 0).sum(axis=(3, 4))
    return found.astype(np.int32 if integers else np.float32)


def add(node: Sum, inputs: tuple[Array, ...]) -> Array:
    """The weighted sum, from the first input on, in the inputs' own type."""
    first, *others = (x * k.astype(x.dtype) for k, x in zip(node.coefficients, inputs, strict=True))
    return sum(others, first)


def dense(node: Dense, x: Array) -> NDArray[np.int32]:
    """Exact integers (N, .., MH) of integers (N, .., MW)."""
    groups = node.groups if isinstance(node, GroupedDense) else 1
    return product(np.asarray(x, np.int64), node.weight.astype(np.int64), groups).astype(np.int32)


def threshold(node: Threshold, x: Array) -> NDArray[np.int32]:
    """What ``count(x >= T)`` means for each channel of (N, .., C)."""
    count = np.zeros(x.shape, np.int32)
    values = np.where(node.negate, -x, x) if node.negate.any() else np.asarray(x)
    for level in node.thresholds.T:
        count += values >= level
    if node.codes.size:
        return np.broadcast_to(node.codes, (x.shape[-1], node.codes.shape[1])).astype(np.int32)[
            np.arange(x.shape[-1]), count
        ]
    return np.int32(node.offset) + np.int32(node.step) * count


def scale(node: Scale, x: Array) -> NDArray[np.int32]:
    """``offset + step * clip((x * factor + bias) >> shift, low, high)`` for each channel of (N, .., C)."""
    total = scale_sums(node, x)
    quotient = total >> node.shift
    if node.even:
        quotient -= quotient & (total == quotient << node.shift)
    return (node.offset + node.step * np.clip(quotient, node.low, node.high)).astype(np.int32)


def scale_sums(node: Scale, x: Array) -> NDArray[np.int64]:
    """``x * factor + bias`` for each channel of (N, .., C), of the piece that each integer is in."""
    wide = np.asarray(x, np.int64)
    total = wide * node.factors[-1] + node.biases[-1]
    for factors, biases, pivots in zip(node.factors[:-1], node.biases[:-1], node.pivots, strict=True):
        total = np.where(wide < pivots, wide * factors + biases, total)
    return total


def argmax(node: ArgMax, x: Array) -> NDArray[np.int64]:
    """Index of the largest score of (N, C), the lowest on a tie."""
    scores = x
    if node.scale is not None and node.bias is not None:
        scores = np.asarray(x, np.int64) * node.scale + node.bias
    found = np.argmax(scores.reshape(len(x), -1), axis=1).astype(np.int64)
    return found[:, None] if node.keepdims else found


def part(node: Slice, x: Array) -> Array:
    """The elements that a slice keeps."""
    kept = node.kept
    axes = (np.flatnonzero(kept.any(axis=tuple(k for k in range(kept.ndim) if k != axis))) for axis in range(kept.ndim))
    return x[np.ix_(np.arange(len(x)), *axes)]


def lookup(node: Lookup, x: Array) -> Array:
    """What the tables have for bits (N, B): (N, M), of their type."""
    address = np.zeros((len(x), len(node.wiring)), np.int64)
    for j, places in enumerate(node.wiring.T):
        address += x[:, places].astype(np.int64) << j
    return node.tables[np.arange(len(node.wiring)), address].astype(x.dtype)


def softmax(x: Array) -> NDArray[np.float32]:
    """Softmax over the last axis, its maximum taken off first."""
    value = np.asarray(x, np.float32)
    power = np.exp(value - value.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def log_softmax(x: Array) -> NDArray[np.float32]:
    """The logarithm of `softmax`, without its rounding to zero."""
    value = np.asarray(x, np.float32)
    value = value - value.max(axis=-1, keepdims=True)
    return value - np.log(np.exp(value).sum(axis=-1, keepdims=True))
