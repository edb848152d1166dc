"""Staircases of integers by one multiplication: ``(x * factor + bias) >> shift``, exact wherever that is possible.

A quantiser of many levels is a staircase over the integers that come in. Both ends of each of its steps bound the line
under it: at the first integer of a step the product must have reached its level, at the last one not yet the next.
For a given shift these are inequalities in two integers, the factor and the bias. Each pair of them that cannot hold
together with one factor bounds the factor, so bisection finds a line if there is one. What is found so holds for every
integer of the staircase, not for samples of it.

With `even`, a product that lies exactly on an odd level stays on the even one below it: where a bias of half a step has
been added, this rounds halves to even.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log2

import numpy as np
from numpy.typing import NDArray

# Bits of a factor: two multipliers of ECP5, four of iCE40, take it in.
MAX_FACTOR_BITS = 36
# By how much less than the largest shift others are tried.
SMALLER = (0, 1, 2, 4, 8)
# Bits of a product with its bias.
MAX_TOTAL_BITS = 62


@dataclass(frozen=True, eq=False)
class Staircase:
    """Steps that never fall: `codes` (steps,) from `first` to `last`, (steps,) each, without gaps.

    The line under it may be anything below `low` and above `high`, for it is cut off there.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    codes: NDArray[np.int64]
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class Lines:
    """``(x * factors + biases) >> shift``, (rows,) each.

    `excess` says by how much of a code a line misses the worst step of its row, (rows,): 0 where it is exact.
    """

    factors: NDArray[np.int64]
    biases: NDArray[np.int64]
    shift: int
    even: bool
    excess: NDArray[np.float64]


def staircase(cuts: NDArray[np.int64], first: int, last: int, low: int, high: int, base: int) -> Staircase:
    """From ascending `cuts`: ``base + count(cuts <= x)`` for integers `first` to `last`, within `low` and `high`."""
    starts = np.unique(np.concatenate([[first], cuts[(cuts > first) & (cuts <= last)]])).astype(np.int64)
    codes = np.clip(base + np.searchsorted(cuts, starts, side="right"), low, high).astype(np.int64)
    return Staircase(starts, np.append(starts[1:] - 1, last), codes, low, high)


def lines(rows: Sequence[Staircase], *, even: bool = False) -> Lines:
    """Lines for all `rows`, of one shift: the smallest that makes all of them exact, or else the largest that there is.

    With `even`, halves may be rounded to even, if they have to be.
    """
    found = _lines(rows, even=False)
    if even and found.excess.any():
        rounded = _lines(rows, even=True)
        if rounded.excess.max() < found.excess.max():
            return rounded
    return found


def _lines(rows: Sequence[Staircase], *, even: bool) -> Lines:
    most = min(_most(row) for row in rows)
    largest = min(_largest_shift(row, most) for row in rows)
    tried = []
    for less in SMALLER:
        # Where steps are steep in one place, only a smaller shift leaves room for their factor.
        shift = max(int(even), largest - less)
        if _exact(rows, shift, even, most):
            return _made(rows, _smallest(rows, shift, even, most), even, most)
        tried.append(_made(rows, shift, even, most))
    return min(tried, key=lambda found: found.excess.max())


def _smallest(rows: Sequence[Staircase], largest: int, even: bool, most: int) -> int:
    """The smallest shift up to the `largest`, which is, that makes all rows exact: what is so with one shift is so with
    larger ones. Without a shift every product is whole, and none would be rounded to even."""
    shift = int(even)
    for row in rows:
        low, high = shift, largest
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if _exact([row], middle, even, most) else (middle + 1, high)
        shift = low
    return shift


def _exact(rows: Sequence[Staircase], shift: int, even: bool, most: int) -> bool:
    return all(_line(row, shift, even, most)[2] >= 0 for row in rows)


def _made(rows: Sequence[Staircase], shift: int, even: bool, most: int) -> Lines:
    lines_ = [_line(row, shift, even, most) for row in rows]
    factors, biases, room = (np.array(column, np.int64) for column in zip(*lines_, strict=True))
    return Lines(factors, biases, shift, even, np.maximum(-room, 0) / 2.0 ** (shift + 1))


def _most(row: Staircase) -> int:
    """The largest factor that the products with a row's integers have room for."""
    largest = max(abs(int(row.first[0])), abs(int(row.last[-1])), 1)
    return min((1 << (MAX_FACTOR_BITS - 1)) - 1, (1 << (MAX_TOTAL_BITS - 2)) // largest)


def _largest_shift(row: Staircase, most: int) -> int:
    """The largest shift for which the factor of a row, and its levels, stay within bounds."""
    # A little above the slope of any line under the steps: it rises that much between these two.
    rise, run = int(row.codes[-1] - row.codes[0]) + 1, max(1, int(row.first[-1] - row.last[0]))
    level = max(abs(row.low), abs(row.high)) + 2
    return max(0, min(floor(log2(most * run / rise)), MAX_TOTAL_BITS - 2 - level.bit_length(), MAX_FACTOR_BITS + 8))


def _line(row: Staircase, shift: int, even: bool, most: int) -> tuple[int, int, int]:
    """Factor and bias of a row, and how much room the bias has: below zero, it misses some step by so much."""
    codes = row.codes
    # Where the product must be at least at some level, and where at most below the next.
    rises, stays = codes > row.low, codes < row.high
    level, top = (codes << shift) + (codes & 1 if even else 0), ((codes + 1) << shift) - 1 + (~codes & 1 if even else 0)
    x_least, least = row.first[rises], level[rises]
    x_most, greatest = row.last[stays], top[stays]
    if not least.size or not greatest.size:
        return 0, int(least.max() if least.size else greatest.min() if greatest.size else 0), 0
    low, high = 0, most
    factor = min(most, max(0, int((greatest[-1] - least[0]) // max(1, int(x_most[-1] - x_least[0])))))
    best: tuple[int, int, int] | None = None
    while low <= high:
        from_, to = least - factor * x_least, greatest - factor * x_most
        i, j = int(from_.argmax()), int(to.argmin())
        room = int(to[j] - from_[i])
        if best is None or room > best[2]:
            best = factor, int(from_[i]) + room // 2, room
        across, up = int(x_most[j] - x_least[i]), int(greatest[j] - least[i])
        if room >= 0 or across == 0:
            break
        if across > 0:
            high = min(high, up // across)
        else:
            low = max(low, -(up // -across))
        # Upwards by doubling: where nothing bounds a factor from above, a small one takes less of a multiplier.
        factor = min((low + high) // 2, 2 * low + 1)
    assert best is not None
    return best
