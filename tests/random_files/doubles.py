"""Layers and means in float64."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

Array = NDArray[Any]


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """An attribute of a node; text as bytes."""
    return next((helper.get_attribute_value(entry) for entry in node.attribute if entry.name == name), default)


def evaluate(node: onnx.NodeProto, inputs: list[Array], alpha: float = 1.0, beta: float = 1.0) -> Array:
    """What a node that adds makes of its inputs; of a Gemm with these factors."""
    if node.op_type == "MatMul":
        return np.asarray(inputs[0] @ inputs[1])
    if node.op_type == "Gemm":
        weight = inputs[1].T if attribute(node, "transB", 0) else inputs[1]
        made = alpha * (inputs[0] @ weight)
        return np.asarray(made + beta * inputs[2] if len(inputs) > 2 else made)
    if node.op_type == "Conv":
        if not node.domain.endswith("channels_last"):
            return _conv(node, *inputs)
        first = [np.moveaxis(array, -1, 1) for array in inputs[:2]]
        return np.moveaxis(_conv(node, *first, *inputs[2:]), 1, -1)
    if node.op_type == "AveragePool":
        return _average_pool(node, inputs[0])
    axes = tuple(attribute(node, "axes", range(2, inputs[0].ndim)))
    if len(inputs) > 1:
        axes = tuple(int(axis) for axis in inputs[1])
    made = inputs[0].sum(axes, keepdims=bool(attribute(node, "keepdims", 1)))
    return np.asarray(made if node.op_type == "ReduceSum" else made / taps(node, inputs[0].shape))


def taps(node: onnx.NodeProto, shape: tuple[int, ...]) -> int:
    """Of how many values a node takes the mean."""
    if node.op_type == "AveragePool":
        return prod(attribute(node, "kernel_shape", []))
    return prod(shape[axis] for axis in attribute(node, "axes", range(2, len(shape))))


def _windows(node: onnx.NodeProto, x: Array, kernel: tuple[int, ...]) -> Array:
    """(N, C, out.., kernel..) of a map (N, C, in..), padded with zeros."""
    axes = len(kernel)
    strides, dilations = (list(attribute(node, name, [1] * axes)) for name in ("strides", "dilations"))
    extents = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    pads = list(attribute(node, "pads", [0] * (2 * axes)))
    rule = attribute(node, "auto_pad", b"NOTSET").decode()
    if rule.startswith("SAME"):
        for k, (size, extent, step) in enumerate(zip(x.shape[2:], extents, strides, strict=True)):
            total = max((-(-size // step) - 1) * step + extent - size, 0)
            pads[k] = total - total // 2 if rule == "SAME_LOWER" else total // 2
            pads[k + axes] = total - pads[k]
    elif rule == "VALID":
        pads = [0] * (2 * axes)
    x = np.pad(x, [(0, 0), (0, 0), *zip(pads[:axes], pads[axes:], strict=True)])
    found = np.lib.stride_tricks.sliding_window_view(x, extents, axis=tuple(range(2, 2 + axes)))
    return found[(slice(None), slice(None), *(slice(None, None, step) for step in (*strides, *dilations)))]


def _conv(node: onnx.NodeProto, x: Array, weight: Array, bias: Array | None = None) -> Array:
    kernel, groups = weight.shape[2:], int(attribute(node, "group", 1))
    windows = _windows(node, x, kernel)
    axes, inputs, outputs = len(kernel), weight.shape[1], len(weight) // groups
    made = []
    for group in range(groups):
        some = windows[:, group * inputs : (group + 1) * inputs]
        mine = weight[group * outputs : (group + 1) * outputs]
        found = np.tensordot(some, mine, ([1, *range(2 + axes, 2 + 2 * axes)], range(1, 2 + axes)))
        made.append(np.moveaxis(found, -1, 1))
    result = np.concatenate(made, axis=1)
    return result if bias is None else result + bias.reshape(-1, *[1] * axes)


def _average_pool(node: onnx.NodeProto, x: Array) -> Array:
    kernel = tuple(attribute(node, "kernel_shape", []))
    last = tuple(range(-len(kernel), 0))
    total = _windows(node, x, kernel).sum(last)
    if attribute(node, "count_include_pad", 0):
        return np.asarray(total / prod(kernel))
    return np.asarray(total / _windows(node, np.ones_like(x), kernel).sum(last))
