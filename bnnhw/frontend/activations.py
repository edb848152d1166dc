"""Activations that never fall, which thresholds stand for once a quantiser follows; and rounding, which is one."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend.attributes import attribute, floats, of_sample
from bnnhw.frontend.context import Context
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.nodes import Activation, Round

_FALLS = "keep its slope at 0 or above: thresholds stand for functions that never fall"


def leaky_relu(context: Context, node: onnx.NodeProto) -> str:
    return _rectifier(context, node, np.array(attribute(node, "alpha", 0.01), np.float32))


def p_relu(context: Context, node: onnx.NodeProto) -> str:
    slope = floats(context.constant(node, 1, "slope"), "slope")
    return _rectifier(context, node, of_sample(slope, len(context.shape(context.data(node))), "slope"))


def _rectifier(context: Context, node: onnx.NodeProto, slope: NDArray[np.float32]) -> str:
    if not (slope >= 0).all():
        raise Refusal(f"a slope of {slope.min():g} below 0", _FALLS)
    context.emit(node, Activation(name="", inputs=(), output="", function="leaky_relu", alpha=slope))
    return "activation"


def hard_sigmoid(context: Context, node: onnx.NodeProto) -> str:
    alpha, beta = float(attribute(node, "alpha", 0.2)), float(attribute(node, "beta", 0.5))
    if not alpha >= 0 or not np.isfinite([alpha, beta]).all():
        raise Refusal(f"a slope of {alpha:g} and an offset of {beta:g}", _FALLS)
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


def softplus(context: Context, node: onnx.NodeProto) -> str:
    context.emit(node, Activation(name="", inputs=(), output="", function="softplus", alpha=np.ones((), np.float32)))
    return "activation"


def tanh(context: Context, node: onnx.NodeProto) -> str:
    context.emit(node, Activation(name="", inputs=(), output="", function="tanh", alpha=np.ones((), np.float32)))
    return "activation"


def softsign(context: Context, node: onnx.NodeProto) -> str:
    context.emit(node, Activation(name="", inputs=(), output="", function="softsign", alpha=np.ones((), np.float32)))
    return "activation"


def rounding(context: Context, node: onnx.NodeProto) -> str:
    """Round (half to even), Floor and Ceil."""
    mode = {"Round": "ROUND", "Floor": "FLOOR", "Ceil": "CEIL"}[node.op_type]
    context.emit(node, Round(name="", inputs=(), output="", rounding=mode))
    return "quantiser"
