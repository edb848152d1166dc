"""A layer with weights on integers, and how exact its float32 sums are elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType, Integers
from bnnhw.errors import ModelError
from bnnhw.ir.nodes import Conv, Dense, MatMul, Window
from bnnhw.passes.common_unit import common_unit
from bnnhw.passes.lowered import EXACT, Codes, Lowered
from bnnhw.passes.values import Affine, Value

MAX_BITS = 8  # of an activation that a layer multiplies
MAX_INPUT_BITS = 16  # of the network's input
MAX_WEIGHT_BITS = 8
# Of a float32's significand.
SIGNIFICAND = 24


def dense(made: Lowered, node: MatMul | Conv, codes: Codes, pads: tuple[int, int, int, int], fill: int) -> Value:
    """The sums of a layer over `codes`, as a value.

    Raises
    ------
    ModelError
        If the codes have scales per channel that the weights cannot take over.
    """
    weight, weight_dtype, scale = node.weight, node.weight_dtype, codes.scale
    if scale.ndim:
        unit, factors = common_unit([float(s) for s in scale])
        weight = (weight.reshape(len(weight), -1, len(scale)) * np.array(factors)).astype(np.int16)
        weight_dtype = DataType.smallest(int(weight.min()), int(weight.max()))
        if weight_dtype.bits > MAX_WEIGHT_BITS:
            raise ModelError("its input has a scale per channel; use one for the whole tensor")
        scale = np.array(unit)
    weight, tensor = weight.reshape(len(weight), -1), codes.tensor
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
    noise = _noise(weight, made.integers(codes.tensor), node.weight_scale, scale, codes.noise)
    shape = made.new.tensors
    tensor = made.add(layer, tensor)
    return made.value(tensor, shape[tensor].shape, Affine(total, EXACT), noise, node.name)


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
