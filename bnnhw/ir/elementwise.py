"""Float32 meaning of the elementwise operations, and the direction in which each of them goes.

The reference runs networks with these kernels, and the passes search thresholds with the very same ones, so that both
decide alike to the last bit. Quantisers follow QONNX (github.com/fastmachinelearning/qonnx, docs/qonnx-custom-ops).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.nodes import (
    Arithmetic,
    BipolarQuant,
    Clip,
    Dequant,
    Encode,
    MultiThreshold,
    Node,
    Quant,
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

QUANTISERS = (Quant, BipolarQuant, MultiThreshold)
ELEMENTWISE = (Arithmetic, Clip, Quant, BipolarQuant, MultiThreshold, Sigmoid, Dequant, Encode)


def code_range(node: Quant) -> tuple[int, int]:
    """Lowest and highest integer of a Quant, before its zero point."""
    if node.signed:
        return -(1 << (node.bits - 1)) + node.narrow, (1 << (node.bits - 1)) - 1
    return 0, (1 << node.bits) - 1 - node.narrow


def apply(node: Node, x: NDArray[Any]) -> NDArray[Any]:
    """`node` on `x` of shape (..., *sample shape): float32, or the integers of an Encode (int32)."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
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
        if isinstance(node, Sigmoid):
            return np.float32(1) / (np.float32(1) + np.exp(-value))
        if isinstance(node, Encode):
            return np.rint(value / np.float32(node.scale)).astype(np.int32)
    raise TypeError(f"{node.op} is not elementwise")


def _multi_threshold(node: MultiThreshold, value: Float) -> Float:
    thresholds = node.thresholds
    count = np.zeros(value.shape, dtype=np.float32)
    # The channel is the sample's first axis; only images have more axes than that one.
    trailing = 0 if node.channels_last else node.sample_rank - 1
    for level in thresholds.T:
        cut = level.reshape(-1, *([1] * trailing))
        count += (value > cut) if node.strict else (value >= cut)
    return count * np.float32(node.out_scale) + np.float32(node.out_bias)


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
        return np.array(np.sign(node.scale), np.int8)
    if isinstance(node, (Clip, Quant, Sigmoid)):
        return np.ones((), np.int8)
    raise TypeError(f"{node.op} is not monotone")
