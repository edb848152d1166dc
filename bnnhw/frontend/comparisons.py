"""Comparisons with constants, which are quantisers of two levels, and what makes floats of their answers.

An answer is 0 or 1 in the graph: a Cast to floats changes nothing then, and a choice is a sum of products with it.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend import elementwise
from bnnhw.frontend.attributes import attribute, floats, of_sample
from bnnhw.frontend.context import Context
from bnnhw.frontend.elementwise import arithmetic, operand, same_source
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.nodes import Arithmetic, Gather, MultiThreshold, Product, Sum

Float = NDArray[np.float32]

# What a comparison means with its operands swapped.
_SWAPPED = {"Greater": "Less", "Less": "Greater", "GreaterOrEqual": "LessOrEqual", "LessOrEqual": "GreaterOrEqual"}


def compare(context: Context, node: onnx.NodeProto) -> str:
    """Greater, GreaterOrEqual, Less and LessOrEqual with a constant, or of two functions of one tensor."""
    names = context.all_data(node)
    if len(names) == 2 and same_source(context, names):
        # In float32, a - b is 0 just where a is b, and has the sign of what is larger otherwise.
        turned = context.place(node, arithmetic("mul", np.array(-1)), context.tensor(names[1]))
        context.emit(node, _sum(2), _compared(node.op_type, np.zeros((), np.float32)), inputs=[
            context.tensor(names[0]), turned,
        ])  # fmt: skip
        return "quantiser of two levels"
    cut, left = operand(context, node)
    made = _compared(_SWAPPED[node.op_type] if left else node.op_type, cut)
    shape = context.shape(context.data(node))[1:]
    wide = np.broadcast_shapes(shape, cut.shape)
    if wide == shape:
        context.emit(node, made)
        return "quantiser of two levels"
    # Each element is compared with several thresholds.
    places = np.broadcast_to(np.arange(prod(shape)).reshape(shape), wide)
    context.emit(node, Gather(name="", inputs=(), output="", places=places), made)
    return f"thresholds: {prod(shape)} numbers become {prod(wide)} bits"


def _compared(op: str, cut: Float) -> MultiThreshold:
    """x > c is x >= the next float32 after c, and < is not >=."""
    if op in ("Greater", "LessOrEqual"):
        cut = np.nextafter(cut, np.float32(np.inf))
    falls = op.startswith("Less")
    return MultiThreshold(
        name="", inputs=(), output="", thresholds=cut[None],
        out_scale=-1.0 if falls else 1.0,
        out_bias=1.0 if falls else 0.0,
    )  # fmt: skip


def equal(context: Context, node: onnx.NodeProto) -> str:
    """Equal to a constant: neither below nor above it."""
    cut, _ = operand(context, node)
    x = context.tensor(context.data(node))
    answers = [context.place(node, _compared(op, cut), x) for op in ("GreaterOrEqual", "LessOrEqual")]
    context.emit(node, _product(), inputs=answers)
    return "quantiser of two levels"


def logic(context: Context, node: onnx.NodeProto) -> str:
    """And, Or and Xor of answers about one tensor."""
    names = context.all_data(node)
    if len(names) != 2 or not same_source(context, names):
        raise Refusal(
            "logic on answers about different tensors, which does not map yet",
            "add the answers as floats, and compare their sum with a constant",
        )
    both = [context.tensor(name) for name in names]
    if node.op_type == "And":
        context.emit(node, _product(), inputs=both)
    elif node.op_type == "Or":
        context.emit(node, _product(), *_opposite(), inputs=[_not(context, node, answer) for answer in both])
    else:  # as float32 has them, bits that differ have a difference of 1 or -1
        difference = context.place(node, _sum(2), both[0], context.place(node, _opposite()[0], both[1]))
        context.emit(node, _product(), inputs=[difference, difference])
    return "quantiser of two levels"


def negated(context: Context, node: onnx.NodeProto) -> str:
    """Not of an answer."""
    context.emit(node, *_opposite())
    return "arithmetic"


def where(context: Context, node: onnx.NodeProto) -> str:
    """A choice by an answer, or by constants, between constants and functions of the tensor that the answer is about.

    What is chosen is multiplied by 1, and the other by 0, which is exact for whatever is finite.
    """
    condition, *choices = node.input
    rank = len(context.shape(next(iter(context.all_data(node)))))
    known = [
        of_sample(floats(context.constants[name], "choice"), rank, "choice") if name in context.constants else None
        for name in node.input
    ]
    if known[0] is None and known[1] is not None and known[2] is not None:
        for turned, end, start in (([], known[1], known[2]), (_opposite(), known[2], known[1])):
            step = end - start
            if (step + start == end).all():
                context.emit(node, *turned, arithmetic("mul", step), arithmetic("add", start))
                return "arithmetic"
    for name, constant in zip(choices, known[1:], strict=True):
        if constant is None and known[0] is None and not same_source(context, [condition, name]):
            raise Refusal(
                "a choice between tensors by an answer about another one, which does not map yet",
                "choose between constants, or functions of the tensor that is compared",
            )
    parts = []
    for name, constant, chosen in zip(choices, known[1:], (True, False), strict=True):
        gate = None if known[0] is None else np.asarray(known[0] == chosen, np.float32)
        parts.append(_gated(context, node, name, constant, gate, chosen))
    if all(isinstance(part, str) for part in parts):
        context.emit(node, _sum(2), inputs=[str(part) for part in parts])
    else:
        (tensor,) = (part for part in parts if isinstance(part, str))
        (addend,) = (part for part in parts if not isinstance(part, str))
        context.emit(node, arithmetic("add", addend), inputs=[tensor])
    return "choice"


def extreme(context: Context, node: onnx.NodeProto) -> str:
    """Max and Min: with a constant, or of two functions of one tensor, which are the first where it is the extreme."""
    names = context.all_data(node)
    if len(node.input) != 2 or len(names) != 2:
        return elementwise.extreme(context, node)
    if not same_source(context, names):
        raise Refusal(
            f"{node.op_type} of two tensors, which does not map yet",
            "use a MaxPool for neighbours, or a constant for one of them",
        )
    first, second = (context.tensor(name) for name in names)
    turned = context.place(node, arithmetic("mul", np.array(-1)), second)
    difference = context.place(node, _sum(2), first, turned)
    op = "GreaterOrEqual" if node.op_type == "Max" else "LessOrEqual"
    answer = context.place(node, _compared(op, np.zeros((), np.float32)), difference)
    parts = [
        context.place(node, _product(), answer, first),
        context.place(node, _product(), _not(context, node, answer), second),
    ]
    context.emit(node, _sum(2), inputs=parts)
    return "choice"


def thresholded_relu(context: Context, node: onnx.NodeProto) -> str:
    """What is above a threshold; else 0."""
    alpha = _number(node, "alpha", 1.0)
    x = context.tensor(context.data(node))
    context.emit(node, _product(), inputs=[context.place(node, _compared("Greater", alpha), x), x])
    return "activation"


def shrink(context: Context, node: onnx.NodeProto) -> str:
    """What is beyond a threshold on either side, nearer to 0 by a bias; else 0."""
    cut, bias = _number(node, "lambd", 0.5), _number(node, "bias", 0.0)
    if cut < 0:
        raise Refusal(f"a threshold of {cut:g}", "use one that is not negative")
    x = context.tensor(context.data(node))
    parts = []
    for op, place, addend in (("Less", -cut, bias), ("Greater", cut, -bias)):
        answer = context.place(node, _compared(op, place), x)
        moved = context.place(node, arithmetic("add", addend), x) if bias else x
        parts.append(context.place(node, _product(), answer, moved))
    context.emit(node, _sum(2), inputs=parts)
    return "activation that falls somewhere"


def _number(node: onnx.NodeProto, name: str, default: float) -> Float:
    found = np.array(attribute(node, name, default), np.float32)
    if not np.isfinite(found):
        raise Refusal(f"its {name} is {found:g}", "export the model again")
    return found


def _gated(
    context: Context, node: onnx.NodeProto, name: str, constant: Float | None, gate: Float | None, chosen: bool
) -> str | Float:
    """A choice where the answer is as `chosen`, and 0 elsewhere: an IR tensor, or a constant."""
    if constant is not None and gate is not None:
        return constant * gate
    if gate is not None:
        return context.place(node, arithmetic("mul", gate), context.tensor(name))
    answer = context.tensor(node.input[0])
    if not chosen:
        answer = _not(context, node, answer)
    if constant is not None:
        return context.place(node, arithmetic("mul", constant), answer)
    return context.place(node, _product(), answer, context.tensor(name))


def _opposite() -> list[Arithmetic]:
    return [arithmetic("mul", np.array(-1)), arithmetic("add", np.array(1))]


def _not(context: Context, node: onnx.NodeProto, answer: str) -> str:
    for part in _opposite():
        answer = context.place(node, part, answer)
    return answer


def _product() -> Product:
    return Product(name="", inputs=(), output="")


def _sum(count: int) -> Sum:
    return Sum(name="", inputs=(), output="", coefficients=np.ones((count, 1), np.int64))
