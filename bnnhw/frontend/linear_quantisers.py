"""ONNX's QuantizeLinear and DequantizeLinear, of QDQ and QCDQ files: ``saturate(round(x / scale) + zero_point)`` and
``(q - zero_point) * scale`` (github.com/onnx/onnx, docs/Operators.md).

A tensor of integers is one of floats that are whole numbers in the graph. What lies between the two operators may move,
clip and compare them, but not calculate: integers run over there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.frontend.attributes import attribute, floats, of_sample
from bnnhw.frontend.context import Context
from bnnhw.frontend.elementwise import arithmetic
from bnnhw.frontend.quantisers import MAX_DATA_BITS, to_integers
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.elementwise import apply
from bnnhw.ir.nodes import Node, Round

# What may be done to integers before they are dequantised.
ON_INTEGERS = {
    "DequantizeLinear", "Cast", "Clip", "Concat", "Dropout", "Flatten", "Gather", "Identity", "Max", "MaxPool", "Min",
    "Relu", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
# Those of them whose outputs are floats.
_TO_FLOATS = ("DequantizeLinear", "Cast")


def check_integers(context: Context, node: onnx.NodeProto) -> None:
    """Notes that what `node` makes of integers are integers.

    Raises
    ------
    Refusal
        If it calculates with them.
    """
    formats = [context.integers[name] for name in node.input if name in context.integers]
    if formats and node.op_type not in ON_INTEGERS:
        raise Refusal(f"calculates with {formats[0]} numbers", "put DequantizeLinear before it")
    if formats and node.op_type not in _TO_FLOATS:
        context.integers.update(dict.fromkeys(node.output, formats[0]))


def quantize(context: Context, node: onnx.NodeProto) -> str:
    """A quantiser of whole steps: the scale in front of it, the zero point between a rounding and the saturation."""
    known = node.input[0] in context.constants
    shape = context.constants[node.input[0]].shape if known else context.shape(context.data(node))
    scale, zero, element = _parameters(context, node, len(shape))
    form = _format(element)
    if not known and form.bits > MAX_DATA_BITS:
        raise Refusal(f"{form} numbers", f"use {MAX_DATA_BITS} bits or fewer")
    if known:
        value = floats(context.constants[node.input[0]], "input")
        made = _chain(_quantized(scale, zero, form), value)
        context.define(node.output[0], made.astype(np.float64).astype(element))
        return "constant, quantised"
    rank = len(shape)
    context.emit(node, *_quantized(of_sample(scale, rank, "scale"), of_sample(zero, rank, "zero point"), form))
    context.integers[node.output[0]] = form
    return f"quantiser of {form}"


def _quantized(scale: NDArray[np.float32], zero: NDArray[np.float32], form: DataType) -> list[Node]:
    # A tie is rounded to the even number before the zero point is added.
    shifted: list[Node] = [Round(name="", inputs=(), output="", rounding="ROUND"), arithmetic("add", zero)]
    return [arithmetic("div", scale), *(shifted if zero.any() else []), to_integers(form, "ROUND")]


def dequantize(context: Context, node: onnx.NodeProto) -> str:
    """A constant becomes floats that know their scale; on data it is an addend and a factor."""
    if node.input[0] in context.constants:
        codes = context.constants[node.input[0]]
        _format(codes.dtype)
        scale, zero, _ = _parameters(context, node, codes.ndim)
        if np.broadcast_shapes(scale.shape, codes.shape) != codes.shape:
            raise Refusal(f"a scale of shape {scale.shape} for a constant of {codes.shape}", "export the model again")
        steps = codes.astype(np.int64) - zero.astype(np.int64)
        context.define(node.output[0], steps.astype(np.float32) * scale)
        context.scales[node.output[0]] = np.broadcast_to(scale, steps.shape)
        return "constant, quantised"
    name = context.data(node)
    rank = len(context.shape(name))
    if name not in context.integers and not (name == context.file.input and context.file.input_format):
        raise Refusal("what it takes is not known to be integers", "put QuantizeLinear before it")
    scale, zero, _ = _parameters(context, node, rank)
    shift = [arithmetic("add", -of_sample(zero, rank, "zero point"))] if zero.any() else []
    context.emit(node, *shift, arithmetic("mul", of_sample(scale, rank, "scale")))
    return "arithmetic"


def _parameters(
    context: Context, node: onnx.NodeProto, rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], np.dtype[np.generic]]:
    """Scale and zero point, which broadcast against a tensor of `rank` axes, and the element type of the integers."""
    scale = floats(context.constant(node, 1, "scale"), "scale")
    if (scale == 0).any():
        raise Refusal("its scale is zero", "train or export the model again")
    given = len(node.input) > 2 and bool(node.input[2])
    zero = context.constant(node, 2, "zero point") if given else np.zeros(scale.shape, np.uint8)
    element = zero.dtype
    if not given and (named := attribute(node, "output_dtype", 0)):
        element = onnx.helper.tensor_dtype_to_np_dtype(named)
    if zero.shape not in ((), (1,), scale.shape):
        raise Refusal(f"a zero point of shape {zero.shape} for a scale of {scale.shape}", "export the model again")
    return _along(node, scale, rank), _along(node, zero.astype(np.float32), rank), element


def _along(node: onnx.NodeProto, array: NDArray[np.float32], rank: int) -> NDArray[np.float32]:
    """One number for all, or one for each element of the node's axis."""
    if array.size == 1:
        return array.reshape(())
    axis = int(attribute(node, "axis", 1))
    if attribute(node, "block_size", 0) or array.ndim != 1:
        raise Refusal("a scale for each block", "quantise per tensor or per channel")
    if not -rank <= axis < rank:
        raise Refusal(f"along axis {axis} of {rank}", "export the model again")
    return array.reshape([-1 if k == axis % rank else 1 for k in range(rank)])


def _format(element: np.dtype[np.generic]) -> DataType:
    try:
        return DataType.parse(element.name)
    except ValueError:
        raise Refusal(f"numbers of type {element.name}", "quantise to integers of 4, 8 or 16 bits") from None


def _chain(steps: Sequence[Node], values: NDArray[np.float32]) -> NDArray[np.float32]:
    for step in steps:
        values = apply(step, values)
    return values
