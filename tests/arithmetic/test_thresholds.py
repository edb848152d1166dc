from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.thresholds import (
    MAX_PARALLEL_THRESHOLDS,
    fold_thresholds,
    threshold_cycles,
    threshold_latency,
    total_width,
)


@pytest.mark.parametrize("divisor", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_totals_decide_as_accumulators_do(count: int, divisor: int) -> None:
    """Every accumulator that counts reach, one by one."""
    rng = np.random.default_rng(count)
    rows = 12
    constant = rng.integers(-9, 10, rows)
    thresholds = np.sort(rng.integers(-30, 31, (rows, count)), axis=1)
    folded = fold_thresholds(thresholds, constant, divisor)
    assert (folded.relative[:, 0] == 0).all()
    for counted in range(-20, 21):
        accumulator = counted * divisor + constant
        total = counted + folded.bias
        assert ((total[:, None] >= folded.relative) == (accumulator[:, None] >= thresholds)).all()
        assert (folded.accumulators(total, np.arange(rows)) == accumulator).all()


def test_sums_that_go_on_start_from_the_constant() -> None:
    folded = fold_thresholds(None, np.array([3, -4]))
    assert folded.bias.tolist() == [3, -4]
    assert folded.accumulators(np.array([10, 11]), np.array([1, 0])).tolist() == [10, 11]


@pytest.mark.parametrize("divisor", [1, 2])
def test_width_holds_every_total(divisor: int) -> None:
    rng = np.random.default_rng(divisor)
    for _ in range(50):
        low = rng.integers(-40, 1, 3) * divisor
        high = low + rng.integers(0, 60, 3) * divisor
        thresholds = np.stack([rng.integers(lo, hi + 2, 2) for lo, hi in zip(low, high, strict=True)])
        thresholds.sort(axis=1)
        totals = [
            (value - first) // divisor
            for lo, hi, (first, _) in zip(low, high, thresholds, strict=True)
            for value in (lo, hi)
        ]
        width = total_width(low, high, thresholds, divisor)
        fits = [-(1 << (w - 1)) <= min(totals) and max(totals) < 1 << (w - 1) for w in (width, width - 1) if w]
        assert fits in ([True, False], [True])


def test_width_of_plain_sums() -> None:
    assert total_width(np.array([0]), np.array([0]), None) == 2
    assert total_width(np.array([-(1 << 31), 0]), np.array([0, (1 << 31) - 1]), None) == 32


def test_cycles_and_latency() -> None:
    assert MAX_PARALLEL_THRESHOLDS == 3
    assert [threshold_cycles(n) for n in (1, 2, 3, 4, 7, 8, 255)] == [1, 1, 1, 3, 3, 4, 8]
    assert [threshold_latency(n) for n in (1, 2, 3, 4, 7, 8, 255)] == [0, 1, 1, 4, 4, 5, 9]
