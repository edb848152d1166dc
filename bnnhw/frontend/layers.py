"""Layers with weights: MatMul and Gemm; along the channels of a map they are convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx

from bnnhw.arithmetic.formats import BIT
from bnnhw.frontend.attributes import attribute, floats, of_sample
from bnnhw.frontend.context import Array, Context
from bnnhw.frontend.convolution import convolve
from bnnhw.frontend.elementwise import arithmetic
from bnnhw.frontend.maps import MapView, view
from bnnhw.frontend.refusal import Refusal
from bnnhw.frontend.weights import split
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import MatMul, Node, Reshape


def matmul(context: Context, node: onnx.NodeProto) -> str:
    weight, scales = _weights(context, node)
    return _layer(context, node, weight, scales)


def sum_of_groups(context: Context, node: onnx.NodeProto, groups: int, size: int) -> str:
    """Sums of consecutive elements, which are a product with ones and zeros."""
    flat = Reshape(name="", inputs=(), output="", shape=(groups * size,))
    weight = np.repeat(np.eye(groups, dtype=np.int16), size, axis=1)
    one = np.array(1.0)
    layer = MatMul(name="", inputs=(), output="", weight=weight, weight_dtype=BIT, weight_scale=one)
    context.emit(node, flat, layer)
    context.layers += 1
    return f"layer {context.layers - 1}: sums of {groups} groups of {size}"


def gemm(context: Context, node: onnx.NodeProto) -> str:
    if attribute(node, "transA", 0):
        raise Refusal("a transposed left operand", "transpose the weights instead")
    weight, scales = _weights(context, node)
    factor = float(attribute(node, "alpha", 1.0))
    if factor == 0 or not np.isfinite(factor):
        raise Refusal(f"alpha is {factor:g}", "use a finite factor other than 0")
    beta = float(attribute(node, "beta", 1.0))
    after: list[Node] = []
    if len(node.input) > 2 and node.input[2] and beta:
        bias = floats(context.constant(node, 2, "bias"), "bias") * np.float32(beta)
        after.append(arithmetic("add", of_sample(bias, 2, "bias")))
    return _layer(context, node, weight, scales, factor=factor, after=after)


def einsum(context: Context, node: onnx.NodeProto) -> str:
    """A product of data and a constant matrix, in the letters of their axes: ``bi,io->bo``."""
    context.data(node)
    place = 0 if node.input[0] in context.constants else 1
    equation = str(attribute(node, "equation", "")).replace(" ", "")
    terms, _, result = equation.partition("->")
    letters = terms.split(",")
    data, weights = letters[1 - place], letters[place]
    summed, made = data[-1:], result[-1:]
    if len(weights) != 2 or set(weights) != {summed, made} or result != data[:-1] + made or made in data:
        raise Refusal(
            f"its equation is {equation}", "use one that multiplies the last axis of data by a matrix, as bi,io->bo"
        )
    weight, scales = context.constants[node.input[place]], context.scales.get(node.input[place])
    if weight.ndim != 2 or weight.size == 0 or weight.dtype.kind not in "fiu":
        raise Refusal(f"weights of shape {weight.shape} and type {weight.dtype}", "use a matrix of numbers")
    if weights[0] == made:
        weight, scales = weight.T, None if scales is None else scales.T
    return _layer(context, node, weight, scales)


def xnor_popcount(context: Context, node: onnx.NodeProto) -> str:
    """FINN's product of bits that stand for -1 and +1: how many of them agree."""
    bits = context.constant(node, 1, "right operand")
    if not np.isin(bits, (0, 1)).all():
        raise Refusal("weights other than 0 and 1", "export the model again")
    signs = 2 * bits.astype(np.float32) - 1
    before = [arithmetic("mul", np.array(2)), arithmetic("add", np.array(-1))]
    after: list[Node] = [arithmetic("add", np.array(bits.shape[0] / 2))]
    return _layer(context, node, signs, None, factor=0.5, before=before, after=after)


def _weights(context: Context, node: onnx.NodeProto) -> tuple[Array, Array | None]:
    """The weights (MW, MH) that a MatMul or Gemm has on its right, and their scales, if those are known."""
    if node.input[1] not in context.constants and node.input[0] in context.constants:
        raise Refusal("the weights are on its left", "multiply data by weights, in this order")
    weight, scales = context.weights(node), context.scales.get(node.input[1])
    if weight.ndim != 2 or weight.size == 0 or weight.dtype.kind not in "fiu":
        raise Refusal(f"weights of shape {weight.shape} and type {weight.dtype}", "use a matrix of numbers")
    if attribute(node, "transB", 0):
        return weight.T, None if scales is None else scales.T
    return weight, scales


def _layer(
    context: Context,
    node: onnx.NodeProto,
    weight: Array,
    scales: Array | None,
    *,
    factor: float = 1.0,
    before: Sequence[Node] = (),
    after: Sequence[Node] = (),
) -> str:
    integers, dtype, scale = split(weight.T, None if scales is None else scales.T)
    scale = np.asarray(scale * factor)
    name = context.data(node)
    shape = context.shape(name)
    if (windows := context.windows.get(name)) is not None:
        source = MapView(windows.tensor, context.types[windows.tensor].shape, True)
        geometry, value = windows.geometry, windows.value
    elif len(shape) in (3, 4) and prod(shape[:-1]) > 1:
        source, geometry, value = view(context, name, channels_last=True), Geometry((1, 1)), 0.0
    else:
        layer = MatMul(name="", inputs=(), output="", weight=integers, weight_dtype=dtype, weight_scale=scale)
        context.emit(node, *before, layer, *after)
        context.layers += 1
        return f"layer {context.layers - 1}: {shape[-1]} -> {len(integers)}, {dtype} weights"
    if integers.shape[1] != geometry.taps * source.channels:
        raise Refusal(f"weights of {integers.shape[1]} inputs do not fit a tensor of {shape}", "export the model again")
    integers = integers.reshape(len(integers), *geometry.kernel, source.channels)
    return convolve(
        context, node, source, integers, dtype, scale, geometry, value=value, before=[*before], after=[*after]
    )
