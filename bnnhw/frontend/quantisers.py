"""Quant, BipolarQuant, MultiThreshold and Sign."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.frontend.attributes import attribute, floats, of_sample
from bnnhw.frontend.context import Context
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.elementwise import ROUNDINGS, apply
from bnnhw.ir.nodes import BipolarQuant, MultiThreshold, Node, Quant

Float = NDArray[np.float32]

# Of what is no constant.
MAX_DATA_BITS = 16
# Biases are quantised to as many; of weights, 8 are checked where they meet their layer.
MAX_CONSTANT_BITS = 32
# The smallest positive float32: x >= it is x > 0.
TINIEST = np.float32(2.0**-149)
# Where the channels are, by the tensor's rank, if a MultiThreshold does not tell (qonnx, custom_op/general).
LAYOUTS = {2: "NC", 3: "NWC", 4: "NCHW"}


def quant(context: Context, node: onnx.NodeProto) -> str:
    scale, zero = _scale(context, node), _parameter(context, node, 2, "zero point")
    width = _parameter(context, node, 3, "bit width")
    constant = node.input[0] in context.constants
    most = MAX_CONSTANT_BITS if constant else MAX_DATA_BITS
    for bits in np.unique(width):
        if not 1 <= bits <= most or bits != int(bits):
            raise Refusal(f"its bit width is {bits:g}", f"use a whole number of bits from 1 to {most}")
    if np.ptp(width) and not constant:
        shown = ", ".join(f"{bits:g}" for bits in np.unique(width)[:4])
        raise Refusal(f"its bit width is {shown}, by channel", "use one for an activation; weights may have several")
    if np.ptp(width):
        return _per_channel(context, node, scale, zero, width)
    return _place(context, node, _quantiser(node, int(width.flat[0]), scale, zero), scale, zero)


def _per_channel(context: Context, node: onnx.NodeProto, scale: Float, zero: Float, width: Float) -> str:
    """Weights of several bit widths: each is quantised to the one that is its own."""
    name, found = node.output[0], np.zeros((), np.float32)
    for bits in np.unique(width):
        _place(context, node, _quantiser(node, int(bits), scale, zero), scale, zero)
        if np.broadcast_shapes(width.shape, context.constants[name].shape) != context.constants[name].shape:
            raise Refusal(f"bit widths of shape {width.shape} that do not fit its input", "export the model again")
        found = np.where(width == bits, context.constants[name], found)
    context.constants[name] = found
    return "constant, quantised"


def _quantiser(node: onnx.NodeProto, bits: int, scale: Float, zero: Float) -> Callable[..., Node]:
    """What makes the quantiser of a scale and a zero point."""
    signed, narrow = bool(attribute(node, "signed", 1)), bool(attribute(node, "narrow", 0))
    rounding = str(attribute(node, "rounding_mode", "ROUND")).upper().replace("HALF_EVEN", "ROUND")
    if rounding not in ROUNDINGS:
        raise Refusal(f"its rounding mode is {rounding}", f"use one of {', '.join(ROUNDINGS)}")
    if bits == 1 and signed:
        if zero.any() or (scale < 0).any():
            raise Refusal("one signed bit with a zero point or a negative scale", "use neither")
        return lambda scale, zero: _bipolar(scale)
    if bits == 1 and narrow:
        raise Refusal("one narrow unsigned bit, which holds only 0", "use a wider or not narrow format")

    def make(scale: Float, zero: Float) -> Node:
        return Quant(
            name="",
            inputs=(),
            output="",
            scale=scale,
            zero_point=zero,
            bits=bits,
            signed=signed,
            narrow=narrow,
            rounding=rounding,
        )

    return make


def bipolar_quant(context: Context, node: onnx.NodeProto) -> str:
    return _place(context, node, _bipolar, _scale(context, node))


def _bipolar(scale: Float) -> Node:
    return BipolarQuant(name="", inputs=(), output="", scale=scale)


def _scale(context: Context, node: onnx.NodeProto) -> Float:
    scale = _parameter(context, node, 1, "scale")
    if (scale == 0).any():
        raise Refusal("its scale is zero", "train or export the model again")
    return scale


def _parameter(context: Context, node: onnx.NodeProto, position: int, what: str) -> Float:
    return floats(context.constant(node, position, what), what)


def _place(context: Context, node: onnx.NodeProto, make: Callable[..., Node], scale: Float, *others: Float) -> str:
    """A quantiser on a constant is evaluated at once; on data it becomes a node."""
    parameters = (scale, *others)
    if node.input[0] not in context.constants:
        rank = len(context.shape(context.data(node)))
        context.emit(node, make(*(of_sample(array, rank, "parameter") for array in parameters)))
        return "quantiser"
    value = floats(context.constants[node.input[0]], "input")
    if np.broadcast_shapes(value.shape, *(array.shape for array in parameters)) != value.shape:
        raise Refusal(f"parameters that do not fit its input of shape {value.shape}", "export the model again")
    context.define(node.output[0], np.asarray(apply(make(*parameters), value), np.float32))
    context.scales[node.output[0]] = np.broadcast_to(scale, value.shape)
    return "constant, quantised"


def multi_threshold(context: Context, node: onnx.NodeProto) -> str:
    thresholds = np.asarray(context.constant(node, 1, "thresholds"), np.float32)
    if thresholds.ndim != 2 or thresholds.size == 0 or np.isnan(thresholds).any():
        raise Refusal(f"thresholds of shape {thresholds.shape}, or NaN among them", "use numbers (channels, steps)")
    if thresholds.shape[1] >= 1 << MAX_DATA_BITS:
        raise Refusal(f"{thresholds.shape[1]} thresholds", f"use fewer than {1 << MAX_DATA_BITS}")
    scale, bias = float(attribute(node, "out_scale", 1.0)), float(attribute(node, "out_bias", 0.0))
    if not np.isfinite([scale, bias]).all() or scale == 0:
        raise Refusal(f"out_scale {scale:g} and out_bias {bias:g}", "use finite ones, and a scale other than 0")
    constant = context.constants.get(node.input[0])
    shape = context.shape(context.data(node)) if constant is None else constant.shape
    layout = str(attribute(node, "data_layout", "")) or LAYOUTS.get(len(shape), "NC")
    axis = layout.index("C") if "C" in layout else 1
    if axis >= len(shape) or len(thresholds) not in (1, shape[axis]):
        raise Refusal(
            f"thresholds of {len(thresholds)} channels do not fit a tensor of shape {shape}, laid out as {layout}",
            "use one row, or one per channel, and the tensor's own data_layout",
        )
    made = MultiThreshold(
        name="",
        inputs=(),
        output="",
        # A cut broadcasts against a sample, whose axes begin behind the batch.
        thresholds=thresholds.T.reshape(-1, len(thresholds), *([1] * (len(shape) - 1 - axis))),
        out_scale=scale,
        out_bias=bias,
    )
    if constant is None:
        if axis == 0:
            raise Refusal("thresholds that differ between samples", "use one row, or one per channel")
        context.emit(node, made)
        return "thresholds"
    context.define(node.output[0], np.asarray(apply(made, floats(constant, "input")), np.float32))
    return "constant, quantised"


def sign(context: Context, node: onnx.NodeProto) -> str:
    """ONNX's Sign has three values: sign(0) is 0, so that it is a ternary quantiser."""
    context.emit(
        node,
        MultiThreshold(
            name="",
            inputs=(),
            output="",
            thresholds=np.array([0, TINIEST], np.float32),
            out_scale=1.0,
            out_bias=-1.0,
        ),
    )
    return "quantiser (ternary, since Sign of 0 is 0)"


def to_integers(dtype: DataType, mode: str) -> Quant:
    """A rounding to integers, of a format that holds all of them."""
    zero = np.zeros((), np.float32)
    return Quant(
        name="",
        inputs=(),
        output="",
        scale=np.ones((), np.float32),
        zero_point=zero,
        bits=dtype.bits,
        signed=dtype.min < 0,
        narrow=dtype.min == 1 - (1 << (dtype.bits - 1)),
        rounding=mode,
    )
