"""Comparisons with constants, which are quantisers of two levels, and what makes floats of their answers.

An answer is 0 or 1 in the graph: a Cast to floats changes nothing then, and a Where is a factor and an addend.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend.attributes import floats, of_sample
from bnnhw.frontend.context import Context
from bnnhw.frontend.elementwise import arithmetic, operand
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.nodes import Gather, MultiThreshold

Float = NDArray[np.float32]

# What a comparison means with its operands swapped.
_SWAPPED = {"Greater": "Less", "Less": "Greater", "GreaterOrEqual": "LessOrEqual", "LessOrEqual": "GreaterOrEqual"}


def compare(context: Context, node: onnx.NodeProto) -> str:
    """Greater, GreaterOrEqual, Less and LessOrEqual: x > c is x >= the next float32 after c, and < is not >=."""
    cut, left = operand(context, node)
    op = _SWAPPED[node.op_type] if left else node.op_type
    if op in ("Greater", "LessOrEqual"):
        cut = np.nextafter(cut, np.float32(np.inf))
    falls = op.startswith("Less")
    made = MultiThreshold(
        name="",
        inputs=(),
        output="",
        thresholds=cut[None],
        out_scale=-1.0 if falls else 1.0,
        out_bias=1.0 if falls else 0.0,
    )
    shape = context.shape(context.data(node))[1:]
    wide = np.broadcast_shapes(shape, cut.shape)
    if wide == shape:
        context.emit(node, made)
        return "quantiser of two levels"
    # Each element is compared with several thresholds.
    places = np.broadcast_to(np.arange(prod(shape)).reshape(shape), wide)
    context.emit(node, Gather(name="", inputs=(), output="", places=places), made)
    return f"thresholds: {prod(shape)} numbers become {prod(wide)} bits"


def negated(context: Context, node: onnx.NodeProto) -> str:
    """Not of an answer."""
    context.emit(node, arithmetic("mul", np.array(-1)), arithmetic("add", np.array(1)))
    return "arithmetic"


def where(context: Context, node: onnx.NodeProto) -> str:
    """Constants, chosen by an answer."""
    if node.input[0] in context.constants or any(name not in context.constants for name in node.input[1:3]):
        raise Refusal("a choice among tensors", "only a choice between constants by a comparison maps")
    rank = len(context.shape(context.data(node)))
    chosen, other = (of_sample(floats(context.constants[name], "choice"), rank, "choice") for name in node.input[1:3])
    step = chosen - other
    if (step + other != chosen).any():
        raise Refusal(
            "a choice between constants that float32 cannot give as a step from one to the other",
            "choose between two of similar size, or between 0 and another",
        )
    context.emit(node, arithmetic("mul", step), arithmetic("add", other))
    return "arithmetic"
