"""Shape and format of every operation's output."""

from __future__ import annotations

from math import prod

import numpy as np

from bnnhw.arithmetic.formats import MAX_BITS, DataType
from bnnhw.ir.bounds import reach
from bnnhw.ir.elementwise import ELEMENTWISE
from bnnhw.ir.graph import TensorType
from bnnhw.ir.nodes import (
    ArgMax,
    Arithmetic,
    BipolarQuant,
    Concat,
    Conv,
    Dense,
    Dequant,
    Encode,
    MatMul,
    MaxPool,
    MultiThreshold,
    Node,
    Pad,
    Quant,
    Reshape,
    Softmax,
    Sum,
    SumPool,
    Threshold,
    Transpose,
    Window,
)


def infer(node: Node, *inputs: TensorType) -> TensorType:
    """Type of what `node` makes of `inputs`.

    Raises
    ------
    ValueError
        If `node` cannot take them; the message has no node name, which the caller knows.
    """
    if isinstance(node, (Sum, Concat)):
        return _join(node, inputs)
    if len(inputs) != 1:
        raise ValueError(f"{node.op} takes one input, not {len(inputs)}")
    return _of_one(node, inputs[0])


def _of_one(node: Node, x: TensorType) -> TensorType:
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
        if not x.shape or x.shape[-1] != mw:
            raise ValueError(f"weights of {mw} inputs do not fit a tensor of shape {x.shape}")
        return TensorType((*x.shape[:-1], mh), _accumulator(node, x.dtype) if isinstance(node, Dense) else None)
    if isinstance(node, Threshold):
        if x.shape[-1:] != (node.thresholds.shape[0],):
            raise ValueError(
                f"thresholds of {node.thresholds.shape[0]} channels do not fit a tensor of shape {x.shape}"
            )
        return TensorType(x.shape, node.dtype)
    if isinstance(node, (Conv, Pad, MaxPool, SumPool, Window)):
        return _of_map(node, x)
    if isinstance(node, ArgMax):
        return TensorType((1,) if node.keepdims else ())
    if isinstance(node, Softmax):
        return TensorType(x.shape)
    raise ValueError(f"no shape rule for {node.op}")


def _of_map(node: Conv | Pad | MaxPool | SumPool | Window, x: TensorType) -> TensorType:
    if len(x.shape) != 3:
        raise ValueError(f"{node.op} needs a feature map (height, width, channels), not a tensor of shape {x.shape}")
    height, width, channels = x.shape
    if isinstance(node, Pad):
        above, left, below, right = node.pads
        return TensorType((height + above + below, width + left + right, channels), x.dtype)
    rows, columns = node.geometry.output(height, width)
    if isinstance(node, Conv):
        mh, *window = node.weight.shape
        if tuple(window) != (*node.geometry.kernel, channels):
            raise ValueError(f"weights of shape {node.weight.shape} do not fit a tensor of shape {x.shape}")
        return TensorType((rows, columns, mh))
    if isinstance(node, Window):
        return TensorType((rows, columns, node.geometry.taps * channels), x.dtype)
    if isinstance(node, MaxPool):
        if node.minimum.shape not in ((), (channels,)):
            raise ValueError(f"a choice of minimum for {node.minimum.shape} channels does not fit {x.shape}")
        if not node.geometry.touches(height, width):
            raise ValueError("windows that lie in the padding alone have no maximum")
        return TensorType((rows, columns, channels), x.dtype)
    taps = node.geometry.taps
    dtype = x.dtype and DataType.smallest(min(taps * x.dtype.min, x.dtype.min), max(taps * x.dtype.max, x.dtype.max))
    return TensorType((rows, columns, channels), dtype)


def _accumulator(node: Dense, dtype: DataType | None) -> DataType | None:
    """The format of a layer's sums, if they are narrow enough for one."""
    if dtype is None:
        return None
    low, high = reach(node.weight, dtype)
    bits = max(2, 1 + max(int(high.max()).bit_length(), int(-low.min() - 1).bit_length()))
    return DataType("int", bits) if bits <= MAX_BITS else None


def _join(node: Sum | Concat, inputs: tuple[TensorType, ...]) -> TensorType:
    if isinstance(node, Concat):
        if not inputs or any(x.shape[:-1] != inputs[0].shape[:-1] or x.dtype != inputs[0].dtype for x in inputs):
            raise ValueError(f"cannot join tensors of {', '.join(str((x.shape, x.dtype)) for x in inputs)}")
        return TensorType((*inputs[0].shape[:-1], sum(x.shape[-1] for x in inputs)), inputs[0].dtype)
    if len(inputs) != len(node.coefficients) or any(x.shape != inputs[0].shape for x in inputs):
        raise ValueError(f"cannot add tensors of {', '.join(str(x.shape) for x in inputs)}")
    dtypes = [x.dtype for x in inputs]
    ends = [
        sorted((k * dtype.min, k * dtype.max))
        for k, dtype in zip(node.coefficients, dtypes, strict=True)
        if dtype is not None
    ]
    if len(ends) < len(inputs):
        return TensorType(inputs[0].shape)
    return TensorType(inputs[0].shape, DataType.smallest(sum(low for low, _ in ends), sum(high for _, high in ends)))


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
