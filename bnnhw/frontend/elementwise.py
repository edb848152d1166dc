"""Arithmetic with constants, Relu, Clip and batch normalisation."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend.attributes import attribute, floats, of_sample
from bnnhw.frontend.context import Context
from bnnhw.frontend.maps import of_channels_last
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.elementwise import ELEMENTWISE
from bnnhw.ir.nodes import Arithmetic, Clip, Product, Reshape, Sum, Transpose


def operand(context: Context, node: onnx.NodeProto) -> tuple[NDArray[np.float32], bool]:
    """The constant of a binary operator, and whether it stands on the left."""
    if len(context.all_data(node)) > 1:
        what = {"Mul": "a product", "Div": "a quotient"}.get(node.op_type, node.op_type)
        functions = ", or functions of one tensor, as in x * Sigmoid(x)" if node.op_type == "Mul" else ""
        raise Refusal(f"{what} of two tensors, which does not map yet", f"use a constant for one of them{functions}")
    data = context.data(node)
    left = node.input[0] != data
    constant = context.constants[node.input[0 if left else 1]]
    if constant.dtype != np.float32:
        integers = constant.dtype.kind in "iub"
        remedy = "cast to float32 before it" if integers else "export the model in float32, its inputs and parameters"
        raise Refusal(f"arithmetic in {constant.dtype}", remedy)
    array = floats(constant, "operand")
    return of_sample(array, len(context.shape(data)), "operand"), left


def arithmetic(operation: str, operand: NDArray[np.float32]) -> Arithmetic:
    return Arithmetic(name="", inputs=(), output="", operation=operation, operand=np.asarray(operand, np.float32))  # type: ignore[arg-type]


def add(context: Context, node: onnx.NodeProto) -> str:
    constant, _ = operand(context, node)
    context.emit(node, arithmetic("add", constant))
    return "arithmetic"


def sub(context: Context, node: onnx.NodeProto) -> str:
    constant, left = operand(context, node)
    if left:
        context.emit(node, arithmetic("mul", np.array(-1)), arithmetic("add", constant))
    else:
        context.emit(node, arithmetic("add", -constant))
    return "arithmetic"


def mul(context: Context, node: onnx.NodeProto) -> str:
    names = context.all_data(node)
    if len(names) == 2 and same_source(context, names):
        context.emit(node, Product(name="", inputs=(), output=""), inputs=[context.tensor(name) for name in names])
        return "product of two functions of one tensor"
    constant, _ = operand(context, node)
    context.emit(node, arithmetic("mul", constant))
    return "arithmetic"


def same_source(context: Context, names: list[str]) -> bool:
    """Whether tensors of one shape are functions of one tensor, element by element."""
    if context.shape(names[0]) != context.shape(names[1]):
        return False
    sources: dict[str, str] = {}
    for made in context.nodes:
        found = {sources.get(name, name) for name in made.inputs}
        if isinstance(made, (*ELEMENTWISE, Product, Sum, Reshape, Transpose)) and len(found) == 1:
            sources[made.output] = found.pop()
    first, second = (context.tensor(name) for name in names)
    return sources.get(first, first) == sources.get(second, second)


def div(context: Context, node: onnx.NodeProto) -> str:
    constant, left = operand(context, node)
    if left:
        raise Refusal("a constant divided by data", "only division by a constant maps")
    if (constant == 0).any():
        raise Refusal("a division by zero", "train or export the model again")
    context.emit(node, arithmetic("div", constant))
    return "arithmetic"


def neg(context: Context, node: onnx.NodeProto) -> str:
    context.emit(node, arithmetic("mul", np.array(-1)))
    return "arithmetic"


def relu(context: Context, node: onnx.NodeProto) -> str:
    context.emit(node, Clip(name="", inputs=(), output="", low=0.0, high=np.inf))
    return "clip at 0"


def clip(context: Context, node: onnx.NodeProto) -> str:
    bounds = []
    for position, name, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        if position < len(node.input) and node.input[position]:
            array = np.asarray(context.constant(node, position, name), np.float32)
            if array.size != 1:
                raise Refusal(f"its {name} has {array.size} values", "use one")
            bounds.append(float(array.reshape(())))
        else:
            bounds.append(float(attribute(node, name, default)))
    if not bounds[0] <= bounds[1]:
        raise Refusal(f"a range from {bounds[0]:g} to {bounds[1]:g}", "use an ascending one")
    context.emit(node, Clip(name="", inputs=(), output="", low=bounds[0], high=bounds[1]))
    return "clip"


def extreme(context: Context, node: onnx.NodeProto) -> str:
    """Max and Min with one constant are a Clip."""
    if len(node.input) == 1:
        context.alias(node)
        return "nothing"
    bound, _ = operand(context, node)
    if len(node.input) > 2 or np.ptp(bound):
        raise Refusal(f"{node.op_type} with several values", "use one number for all, or a Clip")
    number = float(bound.reshape(-1)[0])
    low, high = (number, np.inf) if node.op_type == "Max" else (-np.inf, number)
    context.emit(node, Clip(name="", inputs=(), output="", low=low, high=high))
    return "clip"


def batch_normalization(context: Context, node: onnx.NodeProto) -> str:
    """The two float32 operations that onnxruntime performs: a factor and an addend per channel."""
    if attribute(node, "training_mode", 0) or sum(bool(name) for name in node.output) > 1:
        raise Refusal("batch normalisation in training mode", "export the model in evaluation mode")
    if not attribute(node, "spatial", 1):
        raise Refusal("batch normalisation of each element by itself", "use one factor per channel")
    gamma, beta, mean, variance = (
        floats(context.constant(node, k, what), what) for k, what in enumerate(("scale", "bias", "mean", "variance"), 1)
    )
    sizes = context.shape(context.data(node))
    channels = sizes[-1 if of_channels_last(node) else 1]
    for array in (gamma, beta, mean, variance):
        if array.shape != (channels,):
            raise Refusal(f"parameters of shape {array.shape} for {channels} channels", "use one number per channel")
    epsilon = np.float32(attribute(node, "epsilon", 1e-5))
    if not (variance + epsilon > 0).all():
        raise Refusal("a variance that is not positive", "train or export the model again")
    with np.errstate(over="ignore"):
        factor = np.float32(1) / np.sqrt(variance + epsilon) * gamma
        addend = beta - mean * factor
    floats(addend, "combined bias")
    # One value per channel, and the channel is the axis after the batch, if not the last.
    shape = (-1, *([1] * (0 if of_channels_last(node) else len(sizes) - 2)))
    context.emit(node, arithmetic("mul", factor.reshape(shape)), arithmetic("add", addend.reshape(shape)))
    return "batch normalisation"
