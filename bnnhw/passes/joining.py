"""Sums and joins of values on integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.nodes import Concat, Sum
from bnnhw.passes.common_unit import common_unit
from bnnhw.passes.lowered import Lowered
from bnnhw.passes.values import Affine, Value, affine, uniform

# The error of one float32 operation, relative to what comes out.
ROUNDING = 2.0**-24


def summed(made: Lowered, node: Sum, parts: Sequence[Value]) -> Value:
    """The sum of `parts`, all of which are affine functions of integers.

    Raises
    ------
    ModelError
        If their scales have no common unit.
    """
    functions = _functions(parts)
    channels = parts[0].shape[-1]
    scales = np.stack([np.broadcast_to(function.scale, (channels,)) for function in functions])
    units = [common_unit([float(scale) for scale in column]) for column in scales.T]
    unit = np.array([size for size, _ in units])
    multiples = np.array([found for _, found in units], np.int64).T
    if (multiples == multiples[:, :1]).all():
        multiples = multiples[:, :1]
    coefficients = multiples * node.coefficients
    tensor = made.add(replace(node, coefficients=coefficients), *(part.tensor for part in parts))
    offset = sum((function.offset for function in functions), np.zeros(()))
    noise = sum((_noise(made, part, function) for part, function in zip(parts, functions, strict=True)), np.zeros(()))
    return made.value(tensor, parts[0].shape, Affine(uniform(unit), offset), noise, node.name)


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
            [part.noise for part in parts],
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


def _noise(made: Lowered, part: Value, function: Affine) -> NDArray[np.float64]:
    """How far a part of a sum may be off: its own noise, and the roundings of its scale and of the addition."""
    format_ = made.integers(part.tensor)
    largest = np.abs(function.scale) * max(abs(format_.min), abs(format_.max)) + np.abs(function.offset)
    exact = not function.offset.any() and (np.frexp(np.abs(function.scale))[0] == 0.5).all()  # powers of two
    first = affine(part.steps[:1])
    assert first is not None
    gain = np.abs(function.scale / first.scale)
    return np.asarray(part.noise * gain + (0.0 if exact else 2 * ROUNDING * largest))
