"""All finite float32 numbers in order, so that one can be searched for by bisection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# The largest finite float32 has this number, the lowest its negative.
LAST = int(np.array(np.finfo(np.float32).max).view(np.int32))


def numbered(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """The float32 of each number from -`LAST` to `LAST`: they ascend with it, and 0 is 0."""
    magnitude = np.abs(numbers).astype(np.int32).view(np.float32)
    return np.where(numbers < 0, -magnitude, magnitude)


def first_where(
    reached: Callable[[NDArray[np.float32]], NDArray[np.bool_]], shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """The numbers of the smallest floats that are `reached`, an array of `shape`; those of the largest where none is.

    `reached` says for an array of `shape` which of its elements are: each of them from some float on, whatever the
    others are.
    """
    low, high = np.full(shape, -LAST, np.int64), np.full(shape, LAST, np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        found = reached(numbered(middle))
        high, low = np.where((low < high) & found, middle, high), np.where((low < high) & ~found, middle + 1, low)
    return low
