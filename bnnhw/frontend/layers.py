"""Layers with weights: MatMul and Gemm."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend.attributes import attribute, floats, of_sample
from bnnhw.frontend.elementwise import arithmetic
from bnnhw.frontend.importer import Context
from bnnhw.frontend.refusal import Refusal
from bnnhw.frontend.weights import split
from bnnhw.ir.nodes import MatMul, Node


def matmul(context: Context, node: onnx.NodeProto) -> str:
    if node.input[1] not in context.constants:
        raise Refusal("its right operand is not a constant", "multiply data by weights, in this order")
    return _layer(context, node, transposed=False, factor=1.0, after=[])


def gemm(context: Context, node: onnx.NodeProto) -> str:
    if attribute(node, "transA", 0):
        raise Refusal("a transposed left operand", "transpose the weights instead")
    after: list[Node] = []
    beta = float(attribute(node, "beta", 1.0))
    if len(node.input) > 2 and node.input[2] and beta:
        bias = floats(context.constant(node, 2, "bias"), "bias") * np.float32(beta)
        after.append(arithmetic("add", of_sample(bias, 2, "bias")))
    if node.input[1] not in context.constants:
        raise Refusal("its right operand is not a constant", "multiply data by weights, in this order")
    factor = float(attribute(node, "alpha", 1.0))
    if factor == 0 or not np.isfinite(factor):
        raise Refusal(f"alpha is {factor:g}", "use a finite factor other than 0")
    return _layer(context, node, transposed=bool(attribute(node, "transB", 0)), factor=factor, after=after)


def _layer(context: Context, node: onnx.NodeProto, *, transposed: bool, factor: float, after: list[Node]) -> str:
    context.data(node)
    name = node.input[1]
    weight, scales = context.constants[name], context.scales.get(name)
    if weight.ndim != 2 or weight.size == 0 or weight.dtype.kind not in "fiu":
        raise Refusal(f"weights of shape {weight.shape}", "use a matrix of numbers")
    turned: list[NDArray[np.generic] | None] = [
        array if transposed or array is None else array.T for array in (weight, scales)
    ]
    assert turned[0] is not None
    integers, dtype, scale = split(turned[0], turned[1])
    layer = MatMul(
        name="", inputs=(), output="", weight=integers, weight_dtype=dtype, weight_scale=np.asarray(scale * factor)
    )
    context.emit(node, layer, *after)
    context.layers += 1
    mh, mw = integers.shape
    return f"layer {context.layers - 1}: {mw} -> {mh}, {dtype} weights"
