"""Shape and format of every operation's output."""

from __future__ import annotations

from math import prod

import numpy as np

from bnnhw.ir.elementwise import ELEMENTWISE
from bnnhw.ir.graph import TensorType
from bnnhw.ir.nodes import (
    ArgMax,
    Arithmetic,
    BipolarQuant,
    Dense,
    Dequant,
    Encode,
    MatMul,
    MultiThreshold,
    Node,
    Quant,
    Reshape,
    Softmax,
    Threshold,
    Transpose,
)


def infer(node: Node, x: TensorType) -> TensorType:
    """Type of what `node` makes of `x`.

    Raises
    ------
    ValueError
        If `node` cannot take `x`; the message has no node name, which the caller knows.
    """
    if isinstance(node, ELEMENTWISE):
        _check_operands(node, x.shape)
        return TensorType(x.shape, node.dtype if isinstance(node, Encode) else None)
    if isinstance(node, Reshape):
        if prod(node.shape) != prod(x.shape):
            raise ValueError(f"cannot reshape {x.shape} to {node.shape}")
        return TensorType(node.shape, x.dtype)
    if isinstance(node, Transpose):
        if sorted(node.perm) != list(range(len(x.shape))):
            raise ValueError(f"cannot permute the axes of {x.shape} by {node.perm}")
        return TensorType(tuple(x.shape[axis] for axis in node.perm), x.dtype)
    if isinstance(node, (MatMul, Dense)):
        mh, mw = node.weight.shape
        if not x.shape or x.shape[-1] != mw or (isinstance(node, Dense) and len(x.shape) != 1):
            raise ValueError(f"weights of {mw} inputs do not fit a tensor of shape {x.shape}")
        return TensorType((*x.shape[:-1], mh))
    if isinstance(node, Threshold):
        if x.shape != (node.thresholds.shape[0],):
            raise ValueError(
                f"thresholds of {node.thresholds.shape[0]} channels do not fit a tensor of shape {x.shape}"
            )
        return TensorType(x.shape, node.dtype)
    if isinstance(node, ArgMax):
        return TensorType((1,) if node.keepdims else ())
    if isinstance(node, Softmax):
        return TensorType(x.shape)
    raise ValueError(f"no shape rule for {node.op}")


def _check_operands(node: Node, shape: tuple[int, ...]) -> None:
    operands = {
        Arithmetic: ("operand",),
        Quant: ("scale", "zero_point"),
        BipolarQuant: ("scale",),
        Dequant: ("scale",),
    }.get(type(node), ())
    for name in operands:
        operand = np.asarray(getattr(node, name))
        fits = operand.ndim <= len(shape) and all(
            size in (1, whole) for size, whole in zip(operand.shape[::-1], shape[::-1], strict=False)
        )
        if not fits:
            raise ValueError(f"{name} of shape {operand.shape} does not fit a tensor of shape {shape}")
    if isinstance(node, MultiThreshold):
        channels = shape[-1] if node.channels_last else shape[0] if shape else 0
        if node.thresholds.shape[0] not in (1, channels):
            raise ValueError(f"thresholds of {node.thresholds.shape[0]} channels do not fit a tensor of shape {shape}")
        if not node.channels_last and node.sample_rank != len(shape):
            raise ValueError(f"thresholds for samples of {node.sample_rank} axes do not fit a tensor of shape {shape}")
