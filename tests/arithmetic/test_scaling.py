"""Lines under staircases: exact where there is one, and how far off where there is none."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest

from bnnhw.arithmetic.scaling import MAX_FACTOR_BITS, Staircase, lines, staircase


def given(found, row, x):
    """What line `row` gives, in Python's integers."""
    total = x * int(found.factors[row]) + int(found.biases[row])
    quotient = total >> found.shift
    return quotient - 1 if found.even and quotient & 1 and total == quotient << found.shift else quotient


def stairs(slope, offset, first, last, low, high, rounding):
    """The staircase of a rounded line, from each of its integers."""
    codes = [min(high, max(low, rounding(x * slope + offset))) for x in range(first, last + 1)]
    cuts = [x for x, before, code in zip(range(first + 1, last + 1), codes, codes[1:], strict=False)
            for _ in range(code - before)]  # fmt: skip
    return codes, staircase(np.array(cuts, np.int64), first, last, low, high, codes[0])


@pytest.mark.parametrize("seed", range(12))
def test_lines_are_exact_for_every_integer(seed):
    rng = np.random.default_rng(seed)
    rows, wanted = [], []
    for _ in range(3):
        slope = Fraction(int(rng.integers(1, 1 << 20)), int(rng.integers(1 << 14, 1 << 22)))
        offset = Fraction(int(rng.integers(-(1 << 20), 1 << 20)), 1 << 12)
        codes, row = stairs(slope, offset, -700, 800, -60, 500, floor if seed % 2 else ceil)
        rows.append(row)
        wanted.append(codes)
    found = lines(rows)
    assert not found.excess.any()
    assert np.abs(found.factors).max() < 1 << (MAX_FACTOR_BITS - 1)
    for k, (row, codes) in enumerate(zip(rows, wanted, strict=True)):
        assert [min(row.high, max(row.low, given(found, k, x))) for x in range(-700, 801)] == codes


def test_halves_to_even_where_they_occur():
    codes, row = stairs(Fraction(1, 4), Fraction(0), -50, 50, -9, 9, round)  # Python's rounds halves to even
    assert lines([row]).excess.any()
    found = lines([row], even=True)
    assert found.even and not found.excess.any()
    assert [min(9, max(-9, given(found, 0, x))) for x in range(-50, 51)] == codes
    # A third never lies on a half: nothing has to be rounded to even.
    _, row = stairs(Fraction(1, 3), Fraction(0), -50, 50, -9, 9, round)
    assert not lines([row], even=True).even


def test_one_step_takes_a_small_factor():
    """From 0 to 41 at 1, and cut off there: any factor that is large enough does."""
    row = staircase(np.full(41, 1), -1, 1, 0, 41, 0)
    found = lines([row])
    assert not found.excess.any()
    assert [min(41, max(0, given(found, 0, x))) for x in (-1, 0, 1)] == [0, 0, 41]
    assert found.factors[0] < 4 * 41 << found.shift


def test_the_shift_is_the_smallest():
    _, row = stairs(Fraction(5, 8), Fraction(1, 8), -40, 40, -100, 100, floor)
    found = lines([row])
    assert found.shift <= 3 and not found.excess.any()


def test_what_is_no_line():
    """How far the best one misses: here by half a step at least."""
    row = Staircase(*(np.array(v, np.int64) for v in ([0, 10, 11], [9, 10, 30], [0, 1, 2])), 0, 3)
    found = lines([row])
    assert 0.4 < found.excess[0] < 2


def test_steep_steps_leave_room_for_their_factor():
    row = Staircase(*(np.array(v, np.int64) for v in ([-1, 0, 1], [-1, 0, 1], [-255, 18, 255])), -255, 255)
    found = lines([row])
    assert not found.excess.any()
    assert [min(255, max(-255, given(found, 0, x))) for x in (-1, 0, 1)] == [-255, 18, 255]


def test_constant():
    row = staircase(np.array([], np.int64), -5, 5, 3, 3, 3)
    found = lines([row])
    assert not found.excess.any()
