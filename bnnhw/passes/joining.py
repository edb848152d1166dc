"""Sums and joins of values on integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import ModelError
from bnnhw.ir.nodes import Concat, Sum
from bnnhw.passes.common_unit import MAX_ERROR, MAX_SUM, common_unit
from bnnhw.passes.lowered import Lowered
from bnnhw.passes.rounding import added
from bnnhw.passes.values import Affine, Value, affine, uniform

# By how many bits channels of a sum may differ before the smaller ones get the width of the others.
UNEVEN_BITS = 8


def summed(made: Lowered, node: Sum, parts: Sequence[Value]) -> Value:
    """The sum of `parts`, all of which are affine functions of integers, with the smallest coefficients that keep it.

    Raises
    ------
    ModelError
        If its integers take more than 32 bits.
    """
    functions = _functions(parts)
    channels = parts[0].shape[-1]
    scales = np.stack([np.broadcast_to(function.scale, (channels,)) for function in functions])
    bounds = np.array([made.largest(part.tensor) for part in parts])
    largest = np.stack([np.broadcast_to(made.largest_by_channel(part.tensor), (channels,)) for part in parts])
    scales = np.where(largest > 0, scales, 0.0)  # of what is always 0, none has to be met
    noise = added([made.rounded(part) for part in parts]).error + np.zeros(channels)
    most = MAX_SUM / made.later_taps[node.output]
    kinds, which = np.unique(scales, axis=1, return_inverse=True)
    units = [common_unit(kinds[:, k], bounds, noise[which == k].max(), most) for k in range(kinds.shape[1])]
    unit = np.array([size for size, _ in units])[which]
    multiples = np.array([found for _, found in units]).T[:, which]
    error = (np.abs(multiples * unit - scales) * largest).sum(axis=0)
    if (error > np.maximum(noise, MAX_ERROR * (np.abs(scales) * largest).sum(axis=0))).any():
        raise ModelError("its channels have integers of too different sizes for sums of 32 bits; quantise them first")
    shifts = _shifts(np.abs(multiples).T @ bounds)
    unit, multiples, noise = np.ldexp(unit, -shifts), multiples << shifts, noise + error
    if (multiples == multiples[:, :1]).all():
        multiples = multiples[:, :1]
    tensor = made.add(replace(node, coefficients=multiples * node.coefficients), *(part.tensor for part in parts))
    offset = sum((function.offset for function in functions), np.zeros(()))
    return made.value(tensor, parts[0].shape, Affine(uniform(unit), offset), uniform(noise), node.name)


def concatenated(made: Lowered, node: Concat, parts: Sequence[Value]) -> Value:
    """The parts one behind the other, along the channels."""
    functions = _functions(parts)
    tensor = made.add(node, *(part.tensor for part in parts))
    sizes = [part.shape[-1] for part in parts]
    scale, offset, noise = (
        uniform(np.concatenate([np.broadcast_to(array, (size,)) for array, size in zip(arrays, sizes, strict=True)]))
        for arrays in (
            [function.scale for function in functions],
            [function.offset for function in functions],
            [made.rounded(part).error for part in parts],
        )
    )
    shape = (*parts[0].shape[:-1], sum(sizes))
    return made.value(tensor, shape, Affine(scale, offset), noise, node.name)


def _shifts(reach: NDArray[np.float64]) -> NDArray[np.int64]:
    """By how many bits integers of channels that reach so far, (C,), can become larger than they have to be.

    A tensor is as wide as its widest channel, and what is added to it later takes that width for each channel's: one
    with far smaller integers would be rounded to a coarse unit.
    """
    top = max(reach.max(), 1.0)
    shifts = np.log2(top / np.where(reach > 0, reach, top))
    return np.where(shifts >= UNEVEN_BITS, np.floor(shifts), 0).astype(np.int64)


def _functions(parts: Sequence[Value]) -> list[Affine]:
    found = []
    for part in parts:
        function = affine(part.steps)
        assert function is not None
        found.append(function)
    return found
