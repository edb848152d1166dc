"""Sums and joins of values on integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bnnhw.ir.nodes import Concat, Sum
from bnnhw.passes.common_unit import MAX_SUM, common_unit
from bnnhw.passes.lowered import Lowered
from bnnhw.passes.rounding import added
from bnnhw.passes.values import Affine, Value, affine, uniform


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
    largest = np.array([made.largest(part.tensor) for part in parts])
    noise = added([made.rounded(part) for part in parts]).error + np.zeros(channels)
    most = MAX_SUM / made.later_taps[node.output]
    kinds, which = np.unique(np.vstack([scales, noise]), axis=1, return_inverse=True)
    units = [common_unit(np.array(column), largest, off, most) for *column, off in kinds.T]
    unit = np.array([size for size, _ in units])[which]
    multiples = np.array([found for _, found in units]).T[:, which]
    noise = noise + np.abs(multiples * unit - scales).T @ largest
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


def _functions(parts: Sequence[Value]) -> list[Affine]:
    found = []
    for part in parts:
        function = affine(part.steps)
        assert function is not None
        found.append(function)
    return found
