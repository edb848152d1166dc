"""Shape and format of every operation's output."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIT, FLOAT32, DataType, Float32, Format, IntegerRange
from bnnhw.ir.bounds import reach
from bnnhw.ir.elementwise import ELEMENTWISE, parameters
from bnnhw.ir.graph import TensorType
from bnnhw.ir.nodes import (
    ArgMax,
    Concat,
    Conv,
    Dense,
    Encode,
    Gather,
    GroupedDense,
    Hardmax,
    Lookup,
    MatMul,
    MaxPool,
    Node,
    Pad,
    Product,
    Reshape,
    Scale,
    Slice,
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
    if isinstance(node, Product):
        if len(inputs) != 2 or inputs[0].shape != inputs[1].shape:
            raise ValueError(f"cannot multiply tensors of {', '.join(str(x.shape) for x in inputs)}")
        return TensorType(inputs[0].shape)
    if len(inputs) != 1:
        raise ValueError(f"{node.op} takes one input, not {len(inputs)}")
    return _of_one(node, inputs[0])


def _of_one(node: Node, x: TensorType) -> TensorType:
    if isinstance(node, ELEMENTWISE):
        _check_operands(node, x.shape)
        return TensorType(x.shape, node.dtype if isinstance(node, Encode) else FLOAT32)
    if isinstance(node, Reshape):
        if prod(node.shape) != prod(x.shape):
            raise ValueError(f"cannot reshape {x.shape} to {node.shape}")
        return TensorType(node.shape, x.format)
    if isinstance(node, Transpose):
        if sorted(node.perm) != list(range(len(x.shape))):
            raise ValueError(f"cannot permute the axes of {x.shape} by {node.perm}")
        return TensorType(tuple(x.shape[axis] for axis in node.perm), x.format)
    if isinstance(node, Slice):
        return TensorType(_part(node, x.shape), x.format)
    if isinstance(node, Gather):
        _check_places(node.places, prod(x.shape), x.shape)
        return TensorType(node.places.shape, x.format)
    if isinstance(node, Lookup):
        return _looked_up(node, x)
    if isinstance(node, (MatMul, Dense)):
        mh, mw = node.weight.shape
        if isinstance(node, GroupedDense):
            _check_groups(node.groups, mh)
            mw *= node.groups
        if not x.shape or x.shape[-1] != mw:
            raise ValueError(f"weights of {mw} inputs do not fit a tensor of shape {x.shape}")
        return TensorType((*x.shape[:-1], mh), _accumulator(node, x.format) if isinstance(node, Dense) else FLOAT32)
    if isinstance(node, Threshold):
        channels = node.thresholds.shape[0]
        if x.shape[-1:] != (channels,):
            raise ValueError(f"thresholds of {channels} channels do not fit a tensor of shape {x.shape}")
        if node.codes.size and node.codes.shape not in [(rows, node.thresholds.shape[1] + 1) for rows in (1, channels)]:
            raise ValueError(f"codes of shape {node.codes.shape} do not fit thresholds of {node.thresholds.shape}")
        return TensorType(x.shape, node.dtype)
    if isinstance(node, Scale):
        if x.shape[-1:] != node.factors.shape[1:]:
            raise ValueError(f"factors of {node.factors.shape[1]} channels do not fit a tensor of shape {x.shape}")
        return TensorType(x.shape, node.dtype)
    if isinstance(node, (Conv, Pad, MaxPool, SumPool, Window)):
        return _of_map(node, x)
    if isinstance(node, ArgMax):
        return TensorType((1,) if node.keepdims else ())
    if isinstance(node, (Softmax, Hardmax)):
        return TensorType(x.shape)
    raise ValueError(f"no shape rule for {node.op}")


def _looked_up(node: Lookup, x: TensorType) -> TensorType:
    if len(x.shape) != 1 or x.format not in (FLOAT32, BIT):
        raise ValueError(f"tables need a vector of bits, not a tensor of shape {x.shape} and format {x.format}")
    if node.wiring.ndim != 2 or 0 in node.wiring.shape:
        raise ValueError(f"wiring of shape {node.wiring.shape}, not (nodes, inputs)")
    nodes, k = node.wiring.shape
    if node.tables.shape != (nodes, 1 << k):
        raise ValueError(f"tables of shape {node.tables.shape} do not fit {nodes} nodes of {k} inputs")
    _check_places(node.wiring, x.shape[0], x.shape)
    return TensorType((nodes,), x.format)


def _check_places(places: NDArray[np.int64], size: int, shape: tuple[int, ...]) -> None:
    if places.size == 0 or not ((places >= 0) & (places < size)).all():
        raise ValueError(f"places that a tensor of shape {shape} has not")


def _part(node: Slice, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what a slice keeps, which is all that certain places of the axes have in common."""
    kept = node.kept
    if kept.shape != shape:
        raise ValueError(f"a slice of a tensor of shape {kept.shape} does not fit {shape}")
    axes = [np.flatnonzero(kept.any(axis=tuple(k for k in range(kept.ndim) if k != axis))) for axis in range(kept.ndim)]
    if not kept.any() or not kept[np.ix_(*axes)].all():
        raise ValueError("a slice of nothing, or of places that do not make a whole")
    return tuple(len(places) for places in axes)


def _of_map(node: Conv | Pad | MaxPool | SumPool | Window, x: TensorType) -> TensorType:
    if len(x.shape) != 3:
        raise ValueError(f"{node.op} needs a feature map (height, width, channels), not a tensor of shape {x.shape}")
    height, width, channels = x.shape
    if isinstance(node, Pad):
        above, left, below, right = node.pads
        return TensorType((height + above + below, width + left + right, channels), x.format)
    rows, columns = node.geometry.output(height, width)
    if isinstance(node, Conv):
        mh, *kernel, inputs = node.weight.shape
        _check_groups(node.groups, mh)
        if tuple(kernel) != node.geometry.kernel or inputs * node.groups != channels:
            raise ValueError(f"weights of shape {node.weight.shape} do not fit a tensor of shape {x.shape}")
        return TensorType((rows, columns, mh))
    if isinstance(node, Window):
        _check_groups(node.groups, channels)
        return TensorType((rows, columns, node.geometry.taps * channels), x.format)
    if isinstance(node, MaxPool):
        if node.minimum.shape not in ((), (channels,)):
            raise ValueError(f"a choice of minimum for {node.minimum.shape} channels does not fit {x.shape}")
        if not node.geometry.touches(height, width):
            raise ValueError("windows that lie in the padding alone have no maximum")
        return TensorType((rows, columns, channels), x.format)
    return TensorType((rows, columns, channels), _summed(np.array([[node.geometry.taps]]), [x.format], least=1))


def _check_groups(groups: int, channels: int) -> None:
    if groups < 1 or channels % groups:
        raise ValueError(f"{channels} channels do not come in {groups} groups")


def _accumulator(node: Dense, x: Format) -> Format:
    """What a layer's sums can reach."""
    if isinstance(x, Float32):
        return x
    low, high = reach(node.weight, x)
    return _integers(int(low.min()), int(high.max()))


def _integers(low: int, high: int) -> IntegerRange:
    """A range that 32 bits hold with a sign, as the reference and every stream have it."""
    if high >> 31:
        raise ValueError(
            f"integers from {low} to {high} need more than 32 bits with their sign; quantise what they are made of "
            "to fewer"
        )
    return IntegerRange(low, high)


def _summed(factors: NDArray[np.int64], formats: Sequence[Format], least: int | None = None) -> Format:
    """What the sum of products with `factors` can reach; of a pool's window, `least` taps or all lie on the map."""
    low = high = np.zeros(1, np.int64)
    for factor, format_ in zip(factors, formats, strict=True):
        if isinstance(format_, Float32):
            return format_
        most = [factor] if least is None else [factor, np.full_like(factor, least)]
        ends = np.stack([k * end for k in most for end in (format_.min, format_.max)])
        low, high = low + ends.min(axis=0), high + ends.max(axis=0)
    return _integers(int(low.min()), int(high.max()))


def _join(node: Sum | Concat, inputs: tuple[TensorType, ...]) -> TensorType:
    formats = [x.format for x in inputs]
    if isinstance(node, Concat):
        if not inputs or any(x.shape[:-1] != inputs[0].shape[:-1] for x in inputs):
            raise ValueError(f"cannot join tensors of {', '.join(str(x.shape) for x in inputs)}")
        return TensorType((*inputs[0].shape[:-1], sum(x.shape[-1] for x in inputs)), _union(formats))
    if len(inputs) != len(node.coefficients) or any(x.shape != inputs[0].shape for x in inputs):
        raise ValueError(f"cannot add tensors of {', '.join(str(x.shape) for x in inputs)}")
    if node.coefficients.ndim != 2 or node.coefficients.shape[1] not in (1, inputs[0].shape[-1]):
        raise ValueError(f"coefficients of shape {node.coefficients.shape} do not fit tensors of {inputs[0].shape}")
    return TensorType(inputs[0].shape, _summed(node.coefficients, formats))


def _union(formats: Sequence[Format]) -> Format:
    """The number format that holds the values of all."""
    if all(format_ == formats[0] for format_ in formats):
        return formats[0]
    numbers = [format_ for format_ in formats if not isinstance(format_, Float32)]
    if len(numbers) < len(formats):
        raise ValueError("cannot join floats and integers")
    return DataType.smallest(min(format_.min for format_ in numbers), max(format_.max for format_ in numbers))


def _check_operands(node: Node, shape: tuple[int, ...]) -> None:
    for operand in parameters(node):
        fits = operand.ndim <= len(shape) and all(
            size in (1, whole) for size, whole in zip(operand.shape[::-1], shape[::-1], strict=False)
        )
        if not fits:
            raise ValueError(f"a parameter of shape {operand.shape} does not fit a tensor of shape {shape}")
