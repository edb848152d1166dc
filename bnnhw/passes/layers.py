"""A layer with weights on integers, and how exact its float32 sums are elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.ir.nodes import Conv, Dense, GroupedDense, MatMul, Sum, Window
from bnnhw.passes.common_unit import common_unit
from bnnhw.passes.lowered import Lowered
from bnnhw.passes.rounding import EXACT, ROUNDING, lowest_bit
from bnnhw.passes.values import Affine, Value, affine, uniform

Array = NDArray[np.float64]

MAX_WEIGHT_BITS = 16  # of one layer


def dense(made: Lowered, node: MatMul | Conv, x: Value, pads: tuple[int, int, int, int], fill: int) -> Value:
    """The sums of a layer over `x`, an affine function of integers, as a value. What pads it is the code `fill`.

    Where channels of `x` have scales of their own, the weights take them over.

    Raises
    ------
    ModelError
        If 32 bits are far from enough for the sums of these.
    """
    function = affine(x.steps)
    assert function is not None
    groups = node.groups if isinstance(node, Conv) else 1
    rows = node.weight.reshape(len(node.weight), -1, node.weight.shape[-1]).astype(np.int64)  # (MH, taps, C / groups)
    counted = np.abs(rows).sum(axis=1)  # (MH, C / groups): how often a channel's values go into a sum
    offset = _met(function.offset, groups, counted.shape)
    offsets = (rows.sum(axis=1) * offset).sum(axis=1) * node.weight_scale
    noise = (counted * _met(made.rounded(x).error, groups, counted.shape)).sum(axis=1)
    scale = function.scale
    if scale.ndim:
        most = counted * made.largest(x.tensor)
        largest = most.reshape(groups, -1, counted.shape[1]).max(axis=1)
        units, factors = _units(scale.reshape(groups, -1), largest)
        per_row = _met(factors.ravel(), groups, counted.shape)
        rows, scale = (
            rows * per_row[:, None],
            np.repeat(units, len(rows) // groups) if groups > 1 else units.reshape(()),
        )
        off = np.abs(factors * units[:, None] - function.scale.reshape(groups, -1)).ravel()
        noise = noise + (most * _met(off, groups, counted.shape)).sum(axis=1)
    weight = rows.reshape(len(rows), -1)
    total = np.asarray(node.weight_scale * scale)
    noise = noise * np.abs(node.weight_scale) + _noise(weight, made.largest(x.tensor), node.weight_scale, scale)
    if offset.any():
        # The executor adds products that have the offset in them.
        noise = noise + ROUNDING * np.abs(offsets) * _roundings(weight.shape[1])
    tensor = _product(made, node, weight, groups, _windows(made, node, x.tensor, pads, fill))
    function = Affine(total, offsets if offset.any() else EXACT)
    return made.value(tensor, made.new.tensors[tensor].shape, function, uniform(noise), node.name)


def _met(values: NDArray[Any], groups: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Of `values`, one or (C,), those that each of the rows meets, of `shape` (MH, C / groups)."""
    per_group = np.broadcast_to(values, groups * shape[1]).reshape(groups, shape[1])
    return np.repeat(per_group, shape[0] // groups, axis=0)


def _units(scales: Array, largest: Array) -> tuple[Array, NDArray[np.int64]]:
    """A unit for each group (groups,), and the multiples of it that stand for `scales` (groups, C / groups), of which
    sums count up to `largest`: off by no more than one rounding of the largest sum."""
    found = [common_unit(scale, most, 0.0) for scale, most in zip(scales, largest, strict=True)]
    return np.array([unit for unit, _ in found]), np.array([factors for _, factors in found])


def _windows(made: Lowered, node: MatMul | Conv, tensor: str, pads: tuple[int, int, int, int], fill: int) -> str:
    """What the weights multiply."""
    if not isinstance(node, Conv) or (geometry := replace(node.geometry, pads=pads)).pointwise:
        return tensor
    name = f"{node.name}.windows"
    window = Window(
        name=name, inputs=(), output=name, source=node.source, geometry=geometry, fill=fill, groups=node.groups
    )
    return made.add(window, tensor)


def _product(made: Lowered, node: MatMul | Conv, weight: NDArray[np.int64], groups: int, tensor: str) -> str:
    """The sums of products with `weight` (MH, MW / groups): of one layer, or where weights are wider than a layer's, of
    one for each of their digits."""
    digits = _digits(weight)
    sums = []
    for k, digit in enumerate(digits):
        last = len(digits) == 1
        low, high = int(digit.min()), int(digit.max())
        kept = last and node.weight_dtype.contains(digit)
        fields: dict[str, Any] = {
            "name": node.name if last else f"{node.name}.digit{k}",
            "inputs": (),
            "output": f"{node.name}.accumulator" if last else f"{node.name}.digit{k}",
            "source": node.source,
            "weight": digit.astype(np.int16),
            "weight_dtype": node.weight_dtype if kept else DataType.smallest(low, high),
            "flip": np.zeros(len(digit), np.bool_),
        }
        layer = Dense(**fields) if groups == 1 else GroupedDense(**fields, groups=groups)
        sums.append(made.add(layer, tensor))
    if len(sums) == 1:
        return sums[0]
    powers = np.array([[1 << MAX_WEIGHT_BITS * k] for k in range(len(sums))], np.int64)
    name = f"{node.name}.accumulator"
    return made.add(Sum(name=name, inputs=(), output=name, source=node.source, coefficients=powers), *sums)


def _digits(weight: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Signed digits of `MAX_WEIGHT_BITS`, the lowest first."""
    base, half = 1 << MAX_WEIGHT_BITS, 1 << MAX_WEIGHT_BITS - 1
    found = []
    while weight.min() < -half or weight.max() >= half:
        found.append((weight + half) % base - half)
        weight = (weight - found[-1]) // base
    return [*found, weight]


def _noise(weight: NDArray[np.int64], largest: float, weight_scale: Array, scale: Array) -> Array:
    """How far float32 sums of the layer may be from the exact ones, in any order of additions, (MH,).

    They are exact where all products and partial sums are whole multiples of one unit and take 24 bits of it. Else each
    product and each level of a tree of additions may be off by half a unit in the last place.
    """
    most = np.abs(weight).sum(axis=1) * largest * np.abs(weight_scale * scale)
    grain = lowest_bit(weight_scale) * lowest_bit(scale)
    return np.where(most * ROUNDING <= grain, 0.0, ROUNDING * _roundings(weight.shape[1]) * most)


def _roundings(products: int) -> float:
    """Of a sum of `products`, in any order: each product's own, and one for each level of a tree of additions."""
    return float(2 + np.log2(products + 1))
