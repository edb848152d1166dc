"""Operators that take integers and give integers: QLinearConv, MatMulInteger and their like.

Each stands for an operator on floats between quantisers (github.com/onnx/onnx, docs/Operators.md; for those of the
domain com.microsoft github.com/microsoft/onnxruntime, docs/ContribOperators.md), so it is translated as these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from bnnhw.frontend import activations, convolution, joins, layers, linear_quantisers, pools
from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.context import Array, Context, Handler
from bnnhw.frontend.refusal import Refusal

INTEGER_BIAS = np.int32


class _Parts:
    """The operators in whose place `node` stands."""

    def __init__(self, context: Context, node: onnx.NodeProto) -> None:
        self.context, self.node = context, node
        self._count = 0

    def name(self) -> str:
        """Of a tensor between two of them, which no other has."""
        while True:
            self._count += 1
            name = f"{self.node.output[0]}.part{self._count}"
            if not any(name in names for names in (self.context.shapes, self.context.constants)):
                return name

    def given(self, position: int) -> str:
        return str(self.node.input[position]) if position < len(self.node.input) else ""

    def constant(self, value: Array) -> str:
        name = self.name()
        self.context.define(name, value)
        return name

    def add(self, handler: Handler, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Translates one of them, and gives the tensor that it makes."""
        output = output or self.name()
        part = onnx.helper.make_node(op, inputs, [output], name=self.node.name or self.node.output[0], **attributes)
        handler(self.context, part)
        return output

    def floats(self, position: int, axis: int = 1) -> str:
        """What the integers at `position` stand for; behind them are their scale and zero point."""
        inputs = [self.given(k) for k in range(position, position + 3)]
        return self.add(linear_quantisers.dequantize, "DequantizeLinear", *inputs, axis=axis)

    def whole(self, position: int, zero: int, axis: int = 1) -> str:
        """The integers at `position` less their zero point, at `zero` if there is one."""
        zeros = [self.given(zero)] if self.given(zero) else []
        if zeros:
            shape = self.context.constant(self.node, zero, "zero point").shape
        scale = self.constant(np.ones(shape if zeros else (), np.float32))
        inputs = (self.given(position), scale, *zeros)
        return self.add(linear_quantisers.dequantize, "DequantizeLinear", *inputs, axis=axis)

    def bias(self, position: int, data: int, weight: int, factor: float = 1.0) -> list[str]:
        """The bias at `position`, if there is one: integers, of the product of two scales."""
        if not self.given(position):
            return []
        codes = self.context.constant(self.node, position, "bias")
        if codes.dtype != INTEGER_BIAS:
            raise Refusal(f"a bias of type {codes.dtype}", "export the model again, with a bias of 32-bit integers")
        scales = [self.context.constant(self.node, place, "scale") for place in (data, weight)]
        scale = np.asarray(scales[0], np.float32).reshape(()) * np.asarray(scales[1], np.float32)
        return [self.constant(codes.astype(np.float32) * scale * np.float32(factor))]

    def quantised(self, name: str, position: int) -> str:
        """Makes the output: integers of the scale and zero point at `position`."""
        inputs = (name, self.given(position), self.given(position + 1))
        output = str(self.node.output[0])
        self.add(linear_quantisers.quantize, "QuantizeLinear", *inputs, output=output)
        return f"{self.node.op_type}: {self.context.integers[output]}"

    def attributes(self) -> dict[str, Any]:
        return {a.name: onnx.helper.get_attribute_value(a) for a in self.node.attribute}


def qlinear_conv(context: Context, node: onnx.NodeProto) -> str:
    parts = _Parts(context, node)
    inputs = parts.floats(0), parts.floats(3, axis=0), *parts.bias(8, 1, 4)
    return parts.quantised(parts.add(convolution.conv, "Conv", *inputs, **parts.attributes()), 6)


def qlinear_matmul(context: Context, node: onnx.NodeProto) -> str:
    parts = _Parts(context, node)
    return parts.quantised(parts.add(layers.matmul, "MatMul", parts.floats(0), parts.floats(3)), 6)


def q_gemm(context: Context, node: onnx.NodeProto) -> str:
    """Gives floats where it has no scale of its output."""
    parts = _Parts(context, node)
    alpha = float(attribute(node, "alpha", 1.0))
    axis = 0 if attribute(node, "transB", 0) else 1
    inputs = parts.floats(0), parts.floats(3, axis=axis), *parts.bias(6, 1, 4, alpha)
    if parts.given(7):
        return parts.quantised(parts.add(layers.gemm, "Gemm", *inputs, **parts.attributes()), 7)
    parts.add(layers.gemm, "Gemm", *inputs, output=node.output[0], **parts.attributes())
    return "QGemm"


def conv_integer(context: Context, node: onnx.NodeProto) -> str:
    parts = _Parts(context, node)
    inputs = parts.whole(0, 2), parts.whole(1, 3, axis=0)
    parts.add(convolution.conv, "Conv", *inputs, output=node.output[0], **parts.attributes())
    return "ConvInteger"


def matmul_integer(context: Context, node: onnx.NodeProto) -> str:
    parts = _Parts(context, node)
    parts.add(layers.matmul, "MatMul", parts.whole(0, 2), parts.whole(1, 3), output=node.output[0])
    return "MatMulInteger"


def qlinear_add(context: Context, node: onnx.NodeProto) -> str:
    parts = _Parts(context, node)
    return parts.quantised(parts.add(joins.add, "Add", parts.floats(0), parts.floats(3)), 6)


def qlinear_concat(context: Context, node: onnx.NodeProto) -> str:
    """Scale and zero point of the output come first."""
    parts = _Parts(context, node)
    inputs = [parts.floats(position) for position in range(2, len(node.input), 3)]
    return parts.quantised(parts.add(joins.concat, "Concat", *inputs, **parts.attributes()), 0)


def _of_one(handler: Handler, op: str) -> Handler:
    """Translates what is `op` between its input's and its output's quantiser."""

    def translate(context: Context, node: onnx.NodeProto) -> str:
        if attribute(node, "channels_last", 0):
            raise Refusal("on data with its channels last", "export the model with channels first")
        parts = _Parts(context, node)
        attributes = {name: value for name, value in parts.attributes().items() if name != "channels_last"}
        return parts.quantised(parts.add(handler, op, parts.floats(0), **attributes), 3)

    return translate


INTEGER_OPERATORS: dict[str, Handler] = {
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": qlinear_matmul,
    "QGemm": q_gemm,
    "ConvInteger": conv_integer,
    "MatMulInteger": matmul_integer,
    "QLinearAdd": qlinear_add,
    "QLinearConcat": qlinear_concat,
    "QLinearAveragePool": _of_one(pools.average_pool, "AveragePool"),
    "QLinearGlobalAveragePool": _of_one(pools.global_average_pool, "GlobalAveragePool"),
    "QLinearLeakyRelu": _of_one(activations.leaky_relu, "LeakyRelu"),
}
