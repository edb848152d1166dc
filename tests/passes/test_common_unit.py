"""Multiples of one unit stand for scales as nearly as float32 adds, and sums of them fit 32 bits."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.errors import ModelError
from bnnhw.passes.common_unit import MAX_SUM, common_unit
from bnnhw.passes.rounding import ROUNDING


def worst(scales: np.ndarray, largest: np.ndarray, unit: float, multiples: np.ndarray) -> float:
    return float(np.abs(multiples * unit - scales) @ largest)


@pytest.mark.parametrize("scales", [[0.5, 0.25, -2.0], [0.75, 0.5, 1.25], [3.0, 0.0, 1.5]])
def test_what_float32_adds_exactly_has_exact_multiples(scales: list[float]) -> None:
    unit, multiples = common_unit(np.array(scales), np.full(3, 100.0), 0.0)
    np.testing.assert_array_equal(multiples * unit, scales)
    assert np.gcd.reduce(multiples) == 1


@pytest.mark.parametrize("count", [2, 3, 9])
@pytest.mark.parametrize("seed", range(5))
def test_any_scales_have_multiples_within_the_noise(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scales = np.float32(rng.uniform(0.01, 1, count) * rng.choice([-1, 1], count)).astype(np.float64)
    largest = rng.integers(1, 200, count).astype(np.float64)
    total = float(np.abs(scales) @ largest)
    noise = 4 * ROUNDING * total
    unit, multiples = common_unit(scales, largest, noise)
    assert worst(scales, largest, unit, multiples) <= noise
    assert np.abs(multiples) @ largest <= MAX_SUM
    coarser, _ = common_unit(scales, largest, 1000 * noise)
    assert coarser > unit


def test_small_ratios_have_small_multiples() -> None:
    third = float(np.float32(1 / 3))
    _, multiples = common_unit(np.array([third, 1.0, -2 * third]), np.full(3, 10.0), ROUNDING)
    assert multiples.tolist() == [1, 3, -2]


def test_a_tensor_of_many_bits_keeps_its_scale_exact() -> None:
    scales, largest = np.array([1e-5, 0.37]), np.array([2.0**24, 3.0])
    unit, multiples = common_unit(scales, largest, 1e-5)
    assert abs(multiples[0] * unit - 1e-5) < 1e-20 and np.abs(multiples) @ largest <= MAX_SUM


def test_what_32_bits_cannot_hold_is_as_fine_as_they_allow_or_refused() -> None:
    scales, largest = np.array([0.7, 0.3]), np.array([2.0**27, 2.0**9])
    _, multiples = common_unit(scales, largest, 0.0)
    assert np.abs(multiples) @ largest <= MAX_SUM
    with pytest.raises(ModelError, match="more than 32 bits"):
        common_unit(np.array([0.7, 0.33]), np.array([2.0**27, 2.0**27]), 0.0)


def test_nothing_but_zeros() -> None:
    unit, multiples = common_unit(np.zeros(2), np.ones(2), 0.0)
    assert unit == 1 and not multiples.any()


def test_the_scale_of_few_bits_stays_exact() -> None:
    """Where the other part is 0, float32 adds exactly, and a tie is one."""
    scales = np.array([0.25, 2.72448587])
    unit, multiples = common_unit(scales, np.array([10.0, 3.0]), 1.1e-6)
    assert unit * multiples[0] == 0.25
    assert (np.abs(unit * multiples - scales) @ [10, 3]) <= 1.1e-6
    assert multiples.max() < 1 << 17
