"""Inputs that exercise a network: on both sides of its first cuts, on them, zero, and far beyond."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

# Beside zero; smaller numbers underflow in divisions.
SMALL = 2.0**-60


def draw(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    element: int,
    cuts: list[float],
    low: float,
    high: float,
    count: int,
    step: float = 0.0,
) -> NDArray[np.generic]:
    """`count` samples of `shape`.

    Parameters
    ----------
    element
        ONNX's type of the input's elements.
    cuts
        Where the first quantiser changes.
    low, high
        The range that the network was made for.
    step
        Of inputs that are integers in floats; they stay between `low` and `high`.
    """
    size = (count, *shape)
    if step:
        return np.asarray(low + step * rng.integers(0, round((high - low) / step) + 1, size), np.float32)
    ends = np.unique([low, high, *(cut for cut in cuts if abs(cut) < 1e6)]).astype(np.float64)
    # Every step between two cuts is equally likely, and then every value in it.
    first = rng.integers(0, len(ends) - 1, size)
    between = ends[first] + rng.random(size) * (ends[first + 1] - ends[first])
    on = rng.choice(ends, size).astype(np.float32)
    beside = np.nextafter(on, np.where(rng.random(size) < 0.5, -np.inf, np.inf).astype(np.float32))
    beside = np.where(on == 0, np.sign(beside) * SMALL, beside)
    kinds = {"between": between, "on": on, "beside": beside, "zero": np.zeros(size), "far": on * 1000}
    which = rng.choice(len(kinds), size, p=[0.7, 0.15, 0.07, 0.05, 0.03])
    values = np.choose(which, list(kinds.values())).astype(np.float32)
    values[0] = 0
    if element == TensorProto.FLOAT:
        return values
    integer = np.uint8 if element == TensorProto.UINT8 else np.int8
    limits = np.iinfo(integer)
    return np.clip(np.rint(values), limits.min, limits.max).astype(integer)
