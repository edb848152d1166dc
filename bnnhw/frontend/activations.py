"""Activations, which thresholds stand for once a quantiser follows; and rounding, which is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend.attributes import attribute, floats, of_sample
from bnnhw.frontend.context import Context
from bnnhw.frontend.elementwise import arithmetic
from bnnhw.frontend.ranges import range_of
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.nodes import Activation, Node, Product, Round


def leaky_relu(context: Context, node: onnx.NodeProto) -> str:
    return _rectifier(context, node, np.array(attribute(node, "alpha", 0.01), np.float32))


def p_relu(context: Context, node: onnx.NodeProto) -> str:
    slope = floats(context.constant(node, 1, "slope"), "slope")
    return _rectifier(context, node, of_sample(slope, len(context.shape(context.data(node))), "slope"))


def _rectifier(context: Context, node: onnx.NodeProto, slope: NDArray[np.float32]) -> str:
    if not np.isfinite(slope).all():
        raise Refusal(f"a slope of {slope.flat[0]:g}", "export the model again")
    context.emit(node, Activation(name="", inputs=(), output="", function="leaky_relu", alpha=slope))
    return "activation"


def hard_sigmoid(context: Context, node: onnx.NodeProto) -> str:
    alpha, beta = float(attribute(node, "alpha", 0.2)), float(attribute(node, "beta", 0.5))
    if not np.isfinite([alpha, beta]).all():
        raise Refusal(f"a slope of {alpha:g} and an offset of {beta:g}", "export the model again")
    made = Activation(
        name="", inputs=(), output="", function="hard_sigmoid", alpha=np.array(alpha, np.float32), beta=beta
    )
    context.emit(node, made)
    return "activation"


def exponential(context: Context, node: onnx.NodeProto) -> str:
    """Elu, Celu and Selu: straight above zero, and an exponential below."""
    selu = node.op_type == "Selu"
    alpha = float(attribute(node, "alpha", 1.67326319217681884765625 if selu else 1.0))
    gamma = float(attribute(node, "gamma", 1.05070102214813232421875))
    if not (alpha > 0 and gamma > 0 and np.isfinite([alpha, gamma]).all()):
        raise Refusal(f"an alpha of {alpha:g} and a gamma of {gamma:g}", "use positive ones")
    made = Activation(
        name="", inputs=(), output="", function=node.op_type.lower(),  # type: ignore[arg-type]
        alpha=np.array(alpha, np.float32),
        beta=gamma if selu else 0.0,
    )  # fmt: skip
    context.emit(node, made)
    return "activation"


def function(context: Context, node: onnx.NodeProto) -> str:
    """A function without parameters."""
    context.emit(node, _plain(_PLAIN[node.op_type]))
    return "activation"


_PLAIN = {
    "Tanh": "tanh", "Softsign": "softsign", "Softplus": "softplus", "Erf": "erf", "Abs": "abs", "Exp": "exp",
    "Atan": "atan", "Log": "log", "Sqrt": "sqrt",
}  # fmt: skip


def of_positive(context: Context, node: onnx.NodeProto) -> str:
    """Log and Sqrt, where nothing in front of them gives negative numbers."""
    if range_of(context, context.tensor(context.data(node))).low < 0:
        raise Refusal(f"a {node.op_type} of what may be negative", "put a Relu, or a Clip from 0 or more on, before it")
    return function(context, node)


def _plain(name: str, alpha: float = 1.0, beta: float = 0.0) -> Activation:
    made: Any = name
    return Activation(name="", inputs=(), output="", function=made, alpha=np.array(alpha, np.float32), beta=beta)


def gated(context: Context, node: onnx.NodeProto) -> str:
    """HardSwish, Mish, Gelu and Swish: x times a function of x, as ONNX writes them out."""
    x = context.tensor(context.data(node))
    gate = x
    for part in _gate(node):
        gate = context.place(node, part, gate)
    product = Product(name="", inputs=(), output="")
    if node.op_type == "Gelu":
        context.emit(node, product, arithmetic("mul", np.array(0.5)), inputs=[x, gate])
    else:
        context.emit(node, product, inputs=[x, gate])
    return "activation that falls somewhere"


def _gate(node: onnx.NodeProto) -> list[Node]:
    if node.op_type == "HardSwish":
        return [_plain("hard_sigmoid", 1 / 6, 0.5)]
    if node.op_type == "Mish":
        return [_plain("softplus"), _plain("tanh")]
    if node.op_type == "Gelu":
        if attribute(node, "approximate", "none") != "none":
            raise Refusal("an approximation of Gelu by Tanh", "use the plain one, or export it in single operators")
        return [arithmetic("mul", np.sqrt(np.array(0.5))), _plain("erf"), arithmetic("add", np.array(1))]
    alpha = float(attribute(node, "alpha", 1.0))
    return [*([] if alpha == 1 else [arithmetic("mul", np.array(alpha))]), _plain("sigmoid")]


def power(context: Context, node: onnx.NodeProto) -> str:
    """Squares and cubes, which are products; and powers of a constant."""
    if node.input[0] in context.constants and len(context.all_data(node)) == 1:
        return _power_of_constant(context, node)
    exponent = floats(context.constant(node, 1, "exponent"), "exponent")
    if (exponent != exponent.flat[0]).any() or exponent.flat[0] not in (2, 3):
        raise Refusal(f"a power of {exponent.flat[0]:g}", "only squares and cubes map")
    x = context.tensor(context.data(node))
    product = Product(name="", inputs=(), output="")
    square = [x] if exponent.flat[0] == 2 else [context.place(node, product, x, x)]
    context.emit(node, product, inputs=[*square, x])
    return "product"


def _power_of_constant(context: Context, node: onnx.NodeProto) -> str:
    base = floats(context.constants[node.input[0]], "base")
    if base.size != 1 or not base.flat[0] > 0:
        raise Refusal(f"a power of {base.flat[0]:g}", "use one positive number")
    context.emit(node, _plain("power", float(base.flat[0])))
    return "activation"


def rounding(context: Context, node: onnx.NodeProto) -> str:
    """Round (half to even), Floor and Ceil."""
    mode = {"Round": "ROUND", "Floor": "FLOOR", "Ceil": "CEIL"}[node.op_type]
    context.emit(node, Round(name="", inputs=(), output="", rounding=mode))
    return "quantiser"
