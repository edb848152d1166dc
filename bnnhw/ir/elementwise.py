"""Float32 meaning of the elementwise operations, and the direction in which each of them goes.

The reference runs networks with these kernels, and the passes search thresholds with the very same ones, so that both
decide alike to the last bit. Quantisers follow QONNX (github.com/fastmachinelearning/qonnx, docs/qonnx-custom-ops).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import erf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.nodes import (
    Activation,
    Arithmetic,
    BipolarQuant,
    Clip,
    Dequant,
    Encode,
    MultiThreshold,
    Node,
    Quant,
    Round,
    Sigmoid,
)

Float = NDArray[np.float32]

ROUNDINGS: dict[str, Callable[[Float], Float]] = {
    "ROUND": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "ROUND_TO_ZERO": np.trunc,
    "DOWN": np.trunc,
    "UP": lambda x: np.copysign(np.ceil(np.abs(x)), x),
    "HALF_UP": lambda x: np.copysign(np.floor(np.abs(x) + np.float32(0.5)), x),
    "HALF_DOWN": lambda x: np.copysign(np.ceil(np.abs(x) - np.float32(0.5)), x),
}

QUANTISERS = (Quant, BipolarQuant, MultiThreshold, Round)
# Executors compute these with errors of a few units in the last place.
INEXACT = (
    "hard_sigmoid",
    "elu",
    "celu",
    "selu",
    "sigmoid",
    "softplus",
    "tanh",
    "softsign",
    "erf",
    "exp",
    "log",
    "atan",
    "power",
)
# The arrays of each kind that broadcast against a sample.
PARAMETERS: dict[type[Node], tuple[str, ...]] = {
    Activation: ("alpha",),
    Arithmetic: ("operand",),
    Quant: ("scale", "zero_point"),
    BipolarQuant: ("scale",),
    MultiThreshold: ("thresholds",),
    Dequant: ("scale", "noise"),
    Encode: ("scale",),
}
ELEMENTWISE = (Arithmetic, Clip, Activation, *QUANTISERS, Sigmoid, Dequant, Encode)


def code_range(node: Quant) -> tuple[int, int]:
    """Lowest and highest integer of a Quant, before its zero point."""
    if node.signed:
        return -(1 << (node.bits - 1)) + node.narrow, (1 << (node.bits - 1)) - 1
    return 0, (1 << node.bits) - 1 - node.narrow


def apply(node: Node, x: NDArray[Any]) -> NDArray[Any]:
    """`node` on `x` of shape (..., *sample shape): float32, or the integers of an Encode (int32)."""
    with np.errstate(all="ignore"):
        if isinstance(node, Dequant):
            return (x * node.scale).astype(np.float32)
        value = np.asarray(x, dtype=np.float32)
        if isinstance(node, Arithmetic):
            if node.operation == "add":
                return value + node.operand
            return value * node.operand if node.operation == "mul" else value / node.operand
        if isinstance(node, Clip):
            return np.clip(value, np.float32(node.low), np.float32(node.high))
        if isinstance(node, Quant):
            low, high = code_range(node)
            scaled = np.clip(value / node.scale + node.zero_point, np.float32(low), np.float32(high))
            return (ROUNDINGS[node.rounding](scaled) - node.zero_point) * node.scale
        if isinstance(node, BipolarQuant):
            return np.where(value >= 0, node.scale, -node.scale)
        if isinstance(node, MultiThreshold):
            return _multi_threshold(node, value)
        if isinstance(node, Round):
            return ROUNDINGS[node.rounding](value)
        if isinstance(node, Activation):
            return _activation(node, value)
        if isinstance(node, Sigmoid):
            return _sigmoid(value)
        if isinstance(node, Encode):
            return np.rint(value / node.scale.astype(np.float32)).astype(np.int32)
    raise TypeError(f"{node.op} is not elementwise")


def apply_exactly(node: Node, x: NDArray[Any]) -> NDArray[np.float64]:
    """`node` on `x` as `apply`, in float64: what float32 stands for.

    Raises
    ------
    TypeError
        If the operation is not piecewise linear.
    """
    if isinstance(node, Dequant):
        return x * node.scale
    if isinstance(node, Arithmetic):
        operand = node.operand.astype(np.float64)
        return x + operand if node.operation == "add" else x * operand if node.operation == "mul" else x / operand
    if isinstance(node, Clip):
        return np.clip(x, node.low, node.high)
    if isinstance(node, Activation) and node.function == "leaky_relu":
        return np.where(x < 0, x * node.alpha.astype(np.float64), x)
    raise TypeError(f"{node.op} is not piecewise linear")


def _multi_threshold(node: MultiThreshold, value: Float) -> Float:
    count = np.zeros(np.broadcast_shapes(value.shape, node.thresholds.shape[1:]), dtype=np.float32)
    for cut in node.thresholds:
        count += value >= cut
    return count * np.float32(node.out_scale) + np.float32(node.out_bias)


def _activation(node: Activation, value: Float) -> Float:
    if node.function == "leaky_relu":
        return np.where(value < 0, value * node.alpha, value).astype(np.float32)
    if node.function == "hard_sigmoid":
        return np.clip(value * node.alpha + np.float32(node.beta), np.float32(0), np.float32(1)).astype(np.float32)
    return np.asarray(_FUNCTIONS[node.function](value, node.alpha, np.float32(node.beta)), np.float32)


# Of x, alpha and beta.
_FUNCTIONS: dict[str, Callable[[Float, Float, np.float32], Float]] = {
    "elu": lambda x, alpha, _: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "celu": lambda x, alpha, _: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
    "selu": lambda x, alpha, gamma: gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "sigmoid": lambda x, *_: _sigmoid(x),
    "softplus": lambda x, *_: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "tanh": lambda x, *_: np.tanh(x),
    "softsign": lambda x, *_: x / (np.float32(1) + np.abs(x)),
    "erf": lambda x, *_: np.vectorize(erf, otypes=[np.float32])(x),
    "exp": lambda x, *_: np.exp(x),
    "log": lambda x, *_: np.log(x),
    "sqrt": lambda x, *_: np.sqrt(x),
    "atan": lambda x, *_: np.arctan(x),
    "power": lambda x, alpha, _: np.power(alpha, x),
    "abs": lambda x, *_: np.abs(x),
}


def _sigmoid(x: Float) -> Float:
    return np.float32(1) / (np.float32(1) + np.exp(-x))


def parameters(node: Node) -> list[NDArray[Any]]:
    """The arrays of an elementwise operation, each of which broadcasts against a sample."""
    found: list[NDArray[Any]] = []
    for name in PARAMETERS.get(type(node), ()):
        array = np.asarray(getattr(node, name))
        found += list(array) if isinstance(node, MultiThreshold) else [array]
    return found


def with_parameters(node: Node, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Node:
    """`node` with each of its `parameters` changed."""
    changes: dict[str, Any] = {}
    for name in PARAMETERS.get(type(node), ()):
        array = np.asarray(getattr(node, name))
        if isinstance(node, MultiThreshold):
            changes[name] = np.stack(np.broadcast_arrays(*(change(cut) for cut in array)))
        else:
            changes[name] = change(array)
    return replace(node, **changes)


def direction(node: Node) -> NDArray[np.int8]:
    """+1 where `node` never decreases, -1 where it never increases, 0 where it is constant; broadcastable to a sample.

    Raises
    ------
    TypeError
        If the operation is not monotone, element by element.
    """
    if isinstance(node, Arithmetic):
        return np.ones((), np.int8) if node.operation == "add" else np.sign(node.operand).astype(np.int8)
    if isinstance(node, (BipolarQuant, Dequant)):
        return np.sign(node.scale).astype(np.int8)
    if isinstance(node, MultiThreshold):
        return np.array(np.sign(node.out_scale), np.int8)
    if isinstance(node, Encode):
        return np.sign(node.scale).astype(np.int8)
    if isinstance(node, Activation) and node.function == "hard_sigmoid":
        return np.sign(node.alpha).astype(np.int8)
    if isinstance(node, Activation) and node.function == "power":
        return np.sign(node.alpha - 1).astype(np.int8)
    turns = isinstance(node, Activation) and (
        node.function == "abs" or (node.function == "leaky_relu" and bool((node.alpha < 0).any()))
    )
    if isinstance(node, (Clip, Quant, Round, Activation, Sigmoid)) and not turns:
        return np.ones((), np.int8)
    raise TypeError(f"{node.op} is not monotone")
