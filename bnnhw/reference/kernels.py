"""The plain numpy meaning of every operation that is not elementwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.elementwise import ELEMENTWISE, apply
from bnnhw.ir.nodes import ArgMax, Dense, MatMul, Node, Reshape, Softmax, Threshold, Transpose

Array = NDArray[Any]


def evaluate(node: Node, x: Array) -> Array:
    """`node` on a batch `x` of shape (N, *sample shape)."""
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
    if isinstance(node, Threshold):
        return threshold(node, x)
    if isinstance(node, ArgMax):
        return argmax(node, x)
    if isinstance(node, Softmax):
        return softmax(x)
    raise TypeError(f"no meaning for {node.op}")


def matmul(node: MatMul, x: Array) -> NDArray[np.float32]:
    """``x @ (weight * scale).T`` summed in float64, so that it is rounded once."""
    weight = node.weight * np.reshape(node.weight_scale, (-1, 1))
    return (np.asarray(x, np.float64) @ weight.T).astype(np.float32)


def dense(node: Dense, x: Array) -> NDArray[np.int32]:
    """Exact integers (N, MH) of integers (N, MW)."""
    return (np.asarray(x, np.int64) @ node.weight.T.astype(np.int64)).astype(np.int32)


def threshold(node: Threshold, x: Array) -> NDArray[np.int32]:
    """``offset + step * count(x >= T)`` for each channel of (N, C)."""
    count = np.zeros(x.shape, np.int32)
    for level in node.thresholds.T:
        count += np.asarray(x) >= level
    return np.int32(node.offset) + np.int32(node.step) * count


def argmax(node: ArgMax, x: Array) -> NDArray[np.int64]:
    """Index of the largest score of (N, C), the lowest on a tie."""
    scores = x
    if node.scale is not None and node.bias is not None:
        scores = np.asarray(x, np.int64) * node.scale + node.bias
    found = np.argmax(scores.reshape(len(x), -1), axis=1).astype(np.int64)
    return found[:, None] if node.keepdims else found


def softmax(x: Array) -> NDArray[np.float32]:
    """Softmax over the last axis, its maximum taken off first."""
    value = np.asarray(x, np.float32)
    power = np.exp(value - value.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)
