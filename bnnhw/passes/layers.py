"""A layer with weights on integers, and how exact its float32 sums are elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType, Integers
from bnnhw.errors import ModelError
from bnnhw.ir.nodes import Conv, Dense, MatMul, Window
from bnnhw.passes.common_unit import common_unit
from bnnhw.passes.joining import ROUNDING
from bnnhw.passes.lowered import EXACT, Lowered
from bnnhw.passes.values import Affine, Value, affine

MAX_BITS = 16  # of an activation that a layer multiplies
MAX_WEIGHT_BITS = 8
# Of a float32's significand.
SIGNIFICAND = 24


def dense(made: Lowered, node: MatMul | Conv, x: Value, pads: tuple[int, int, int, int], fill: int) -> Value:
    """The sums of a layer over `x`, an affine function of integers, as a value. An offset of `x` needs no padding.

    Raises
    ------
    ModelError
        If `x` has scales per channel that the weights cannot take over.
    """
    function = affine(x.steps)
    assert function is not None
    weight, weight_dtype, scale = node.weight, node.weight_dtype, function.scale
    offset = _offset(weight, function.offset) * node.weight_scale
    if scale.ndim:
        unit, factors = common_unit([float(s) for s in scale])
        weight = (weight.reshape(len(weight), -1, len(scale)) * np.array(factors)).astype(np.int16)
        weight_dtype = DataType.smallest(int(weight.min()), int(weight.max()))
        if weight_dtype.bits > MAX_WEIGHT_BITS:
            raise ModelError("its input has a scale per channel; use one for the whole tensor")
        scale = np.array(unit)
    weight, tensor = weight.reshape(len(weight), -1), x.tensor
    if isinstance(node, Conv):
        geometry = replace(node.geometry, pads=pads)
        if not geometry.pointwise:
            name = f"{node.name}.windows"
            window = Window(name=name, inputs=(), output=name, source=node.source, geometry=geometry, fill=fill)
            tensor = made.add(window, tensor)
    layer = Dense(
        name=node.name,
        inputs=(),
        output=f"{node.name}.accumulator",
        source=node.source,
        weight=weight,
        weight_dtype=weight_dtype,
        flip=np.zeros(len(weight), np.bool_),
    )
    total = np.asarray(node.weight_scale * scale)
    noise = _noise(weight, made.integers(x.tensor), node.weight_scale, scale, x.noise)
    if offset.any():
        # The executor adds products that have the offset in them.
        noise = noise + ROUNDING * np.abs(offset) * (2 + np.log2(weight.shape[1] + 1))
    tensor = made.add(layer, tensor)
    return made.value(tensor, made.new.tensors[tensor].shape, Affine(total, offset), noise, node.name)


def _offset(weight: NDArray[np.int16], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """What an offset of the input, scalar or (C,), adds to the sum of each row of weights (MH, .., C)."""
    if not offset.any():
        return EXACT
    rows = weight.reshape(len(weight), -1, weight.shape[-1])
    return np.asarray((rows * np.broadcast_to(offset, rows.shape[-1:])).sum(axis=(1, 2)))


def _noise(
    weight: NDArray[np.int16],
    format_: Integers,
    weight_scale: NDArray[np.float64],
    scale: NDArray[np.float64],
    before: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How far float32 sums of the layer may be from the exact ones, in any order of additions, (MH,) or 0.

    They are exact where all products and partial sums are whole multiples of one unit and take 24 bits of it. Else each
    product and each level of a tree of additions may be off by half a unit in the last place.
    """
    most = np.abs(weight.astype(np.int64)).sum(axis=1) * max(abs(format_.min), abs(format_.max))
    bits = [_significant_bits(float(s)) for s in np.atleast_1d(weight_scale)]
    exact = np.log2(np.maximum(most, 1)) + np.array(bits) + _significant_bits(float(scale)) <= SIGNIFICAND
    rounded = 0.5**SIGNIFICAND * most * np.abs(weight_scale * scale) * (2 + np.log2(weight.shape[1] + 1))
    noise = np.where(exact, 0.0, rounded) + before * np.abs(weight).sum(axis=1) * np.abs(weight_scale)
    return noise if noise.any() else EXACT


def _significant_bits(value: float) -> int:
    """Bits of the significand of a float32, but for the zeros at its end: 0 for a power of two."""
    numerator, _ = float(np.float32(value)).as_integer_ratio()
    numerator = abs(numerator)
    return (numerator // (numerator & -numerator)).bit_length() - 1 if numerator else 0
