"""Quant, BipolarQuant, MultiThreshold and Sign."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.dtypes import MAX_BITS
from bnnhw.frontend.attributes import attribute, floats, of_sample
from bnnhw.frontend.importer import Context
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.elementwise import ROUNDINGS, apply
from bnnhw.ir.nodes import BipolarQuant, MultiThreshold, Node, Quant

# The smallest positive float32: x >= it is x > 0.
TINIEST = np.float32(2.0**-149)


def quant(context: Context, node: onnx.NodeProto) -> str:
    scale, zero = _parameter(context, node, 1, "scale"), _parameter(context, node, 2, "zero point")
    if (scale == 0).any():
        raise Refusal("its scale is zero", "train or export the model again")
    width = _parameter(context, node, 3, "bit width")
    bits = int(width.flat[0])
    if (width != bits).any() or not 1 <= bits <= MAX_BITS:
        raise Refusal(f"its bit width is {width.flat[0]:g}", f"use one whole number of bits from 1 to {MAX_BITS}")
    signed, narrow = bool(attribute(node, "signed", 1)), bool(attribute(node, "narrow", 0))
    rounding = str(attribute(node, "rounding_mode", "ROUND")).upper()
    if rounding not in ROUNDINGS:
        raise Refusal(f"its rounding mode is {rounding}", f"use one of {', '.join(ROUNDINGS)}")
    if bits == 1 and signed:
        if zero.any():
            raise Refusal("one signed bit with a zero point", "use a zero point of 0")
        return _place(context, node, scale, lambda s: _bipolar(s))
    if bits == 1 and narrow:
        raise Refusal("one narrow unsigned bit, which holds only 0", "use a wider or not narrow format")

    def make(scale: NDArray[np.float32]) -> Node:
        return Quant(
            name="",
            inputs=(),
            output="",
            scale=scale,
            zero_point=zero if zero.ndim == scale.ndim or zero.ndim == 0 else zero.reshape(()),
            bits=bits,
            signed=signed,
            narrow=narrow,
            rounding=rounding,
        )

    return _place(context, node, scale, make)


def bipolar_quant(context: Context, node: onnx.NodeProto) -> str:
    scale = _parameter(context, node, 1, "scale")
    if (scale == 0).any():
        raise Refusal("its scale is zero", "train or export the model again")
    return _place(context, node, scale, _bipolar)


def _bipolar(scale: NDArray[np.float32]) -> Node:
    return BipolarQuant(name="", inputs=(), output="", scale=scale)


def _place(
    context: Context, node: onnx.NodeProto, scale: NDArray[np.float32], make: Callable[[NDArray[np.float32]], Node]
) -> str:
    """A quantiser on a constant is evaluated at once; on data it becomes a node."""
    if node.input[0] in context.constants:
        value = floats(context.constants[node.input[0]], "input")
        context.constants[node.output[0]] = np.asarray(apply(make(scale), value), np.float32)
        context.scales[node.output[0]] = np.broadcast_to(scale, value.shape)
        return "quantised weights"
    context.emit(node, make(of_sample(scale, len(context.shape(node.input[0])), "scale")))
    return "quantiser"


def _parameter(context: Context, node: onnx.NodeProto, position: int, what: str) -> NDArray[np.float32]:
    return floats(context.constant(node, position, what), what)


def multi_threshold(context: Context, node: onnx.NodeProto) -> str:
    thresholds = np.asarray(context.constant(node, 1, "thresholds"), np.float32)
    if thresholds.ndim != 2 or thresholds.size == 0 or np.isnan(thresholds).any():
        raise Refusal(f"thresholds of shape {thresholds.shape}, or NaN among them", "use finite ones of shape (channels, steps)")
    shape = context.shape(context.data(node))
    scale, bias = float(attribute(node, "out_scale", 1.0)), float(attribute(node, "out_bias", 0.0))
    if not np.isfinite([scale, bias]).all() or scale == 0:
        raise Refusal(f"out_scale {scale:g} and out_bias {bias:g}", "use finite ones, and a scale other than 0")
    layout = str(attribute(node, "data_layout", "NCHW"))
    context.emit(
        node,
        MultiThreshold(
            name="",
            inputs=(),
            output="",
            thresholds=thresholds,
            out_scale=scale,
            out_bias=bias,
            channels_last=layout.endswith("C") and len(layout) > 2,
            sample_rank=len(shape) - 1,
        ),
    )
    return "thresholds"


def sign(context: Context, node: onnx.NodeProto) -> str:
    """ONNX's Sign has three values: sign(0) is 0, so that it is a ternary quantiser."""
    context.emit(
        node,
        MultiThreshold(
            name="",
            inputs=(),
            output="",
            thresholds=np.array([[0, TINIEST]], np.float32),
            out_scale=1.0,
            out_bias=-1.0,
            sample_rank=len(context.shape(context.data(node))) - 1,
        ),
    )
    return "quantiser (ternary, since Sign of 0 is 0)"
