"""Thresholds of integers as hardware has them: the first one is zero, for it is folded into what sums start from.

A row's sum counts, from a bias on, in steps of `divisor`; counting leaves a constant out (`plane_products`). With

    bias = floor((constant - first threshold) / divisor)
    accumulator = divisor * total + constant - divisor * bias

a total is below zero just where the accumulator is below the first threshold, and reaches a later one where it reaches
``ceil((threshold - constant) / divisor) + bias``. So one threshold is a sign, which costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import signed_width

# So many thresholds are compared at once; more are searched in halves, one comparison per cycle.
MAX_PARALLEL_THRESHOLDS = 3


def threshold_cycles(thresholds: int) -> int:
    """Cycles between two beats of a threshold unit."""
    return 1 if thresholds <= MAX_PARALLEL_THRESHOLDS else thresholds.bit_length()


def threshold_latency(thresholds: int) -> int:
    """Cycles from a beat of a threshold unit to its codes: a sign is read as it comes."""
    if thresholds <= MAX_PARALLEL_THRESHOLDS:
        return int(thresholds > 1)
    return threshold_cycles(thresholds) + 1


@dataclass(frozen=True, eq=False)
class FoldedThresholds:
    """Rows of thresholds and what their sums start from.

    Parameters
    ----------
    bias
        (rows,) what a sum starts from.
    relative
        (rows, thresholds), each row ascending from zero: what the total is compared with. No columns without
        thresholds.
    constant
        (rows,) what counting leaves out of a sum.
    divisor
        What all counts of a row have in common.
    """

    bias: NDArray[np.int64]
    relative: NDArray[np.int64]
    constant: NDArray[np.int64]
    divisor: int

    def accumulators(self, totals: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the totals of `rows` stand for: the sums themselves, neither divided nor less a threshold."""
        return totals * self.divisor + (self.constant - self.divisor * self.bias)[rows]


def fold_thresholds(
    thresholds: NDArray[np.integer] | None, constant: NDArray[np.int64], divisor: int = 1
) -> FoldedThresholds:
    """Folds the first threshold of each row into the row's bias.

    Parameters
    ----------
    thresholds
        (rows, thresholds), ascending; None where sums go on as they are, which asks for a `divisor` of 1.
    constant
        (rows,) what counting leaves out of each sum.
    divisor
        What all counts have in common.
    """
    if thresholds is None:
        assert divisor == 1
        return FoldedThresholds(constant, np.zeros((len(constant), 0), np.int64), constant, divisor)
    reached = -((constant[:, None] - thresholds.astype(np.int64)) // divisor)
    return FoldedThresholds(-reached[:, 0], reached - reached[:, :1], constant, divisor)


def total_width(
    low: NDArray[np.int64], high: NDArray[np.int64], thresholds: NDArray[np.integer] | None, divisor: int = 1
) -> int:
    """Bits of the totals of rows that reach `low` to `high`, (rows,) each, as `fold_thresholds` has them.

    Sums that go on as they are have two bits at least.
    """
    if thresholds is None:
        return max(2, signed_width(int(low.min()), int(high.max())))
    first = thresholds[:, 0].astype(np.int64)
    return signed_width(int((low - first).min()) // divisor, int((high - first).max()) // divisor)
