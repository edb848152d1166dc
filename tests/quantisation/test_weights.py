"""Quantised weights against the formulas of their papers, and against scales of least error found by trying many."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.quantisation.weights import quantise

ROWS = np.random.default_rng(3).normal(0, [[1.0], [0.02], [5.0]], (3, 40))


def test_binary_weights_are_signs_and_their_mean_size() -> None:
    made = quantise(ROWS, "binary")
    assert (made.integers == np.where(ROWS >= 0, 1, -1)).all()
    np.testing.assert_allclose(made.scale, np.abs(ROWS).mean(axis=1), rtol=1e-6)
    best = [
        min(np.linspace(0, 3 * s, 3001), key=lambda a: ((r - a * np.sign(r)) ** 2).sum())
        for r, s in zip(ROWS, made.scale, strict=True)
    ]
    np.testing.assert_allclose(made.scale, best, rtol=2e-3)


def test_zero_is_positive_in_binary_weights() -> None:
    assert quantise(np.array([[0.0, -1.0, 2.0]]), "binary").integers.tolist() == [[1, -1, 1]]


def test_a_binary_layer_with_an_output_of_zeros_becomes_ternary() -> None:
    made = quantise(np.array([[0.0, 0.0], [1.0, -1.0]]), "binary")
    assert made.format == "ternary"
    assert made.values.tolist() == [[0, 0], [1, -1]]
    assert (made.scale > 0).all()


def test_ternary_weights_are_those_of_twn() -> None:
    row = np.array([[1.0, -0.9, 0.5, -0.1, 0.02, 0.48]])
    made = quantise(row, "ternary")  # the mean size is 0.5, the threshold 0.35
    assert made.integers.tolist() == [[1, -1, 1, 0, 0, 1]]
    np.testing.assert_allclose(made.scale, [(1.0 + 0.9 + 0.5 + 0.48) / 4], rtol=1e-6)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_symmetric_weights_have_the_least_error(bits: int) -> None:
    made = quantise(ROWS, f"int{bits}")
    most = 2 ** (bits - 1) - 1
    assert np.abs(made.integers).max() <= most
    for row, integers, scale in zip(ROWS, made.integers, made.scale, strict=True):
        tried = np.abs(row).max() / most * np.linspace(0.1, 1.2, 2201)
        errors = [((row - s * np.clip(np.rint(row / s), -most, most)) ** 2).sum() for s in tried]
        assert ((row - integers * float(scale)) ** 2).sum() <= 1.05 * min(errors)


def test_a_scale_that_clips_nothing_is_never_better() -> None:
    made = quantise(ROWS, "int8")
    whole = np.abs(ROWS).max(axis=1, keepdims=True) / 127
    plain = np.rint(ROWS / whole) * whole
    assert (((ROWS - made.values) ** 2).sum(axis=1) <= 1.00001 * ((ROWS - plain) ** 2).sum(axis=1)).all()


def test_the_error_is_that_of_what_is_written() -> None:
    made = quantise(ROWS, "int4")
    error = np.sqrt(((ROWS - made.values) ** 2).sum() / (ROWS**2).sum())
    assert made.error == pytest.approx(error, rel=1e-5)


def test_weights_on_the_grid_stay() -> None:
    integers = np.random.default_rng(1).integers(-7, 8, (4, 30))
    integers[:, 0] = 7
    made = quantise(integers * 0.25, "int4")
    assert (made.integers == integers).all()
    assert (made.scale == 0.25).all()
    assert made.error == 0


@pytest.mark.parametrize("format_", ["ternary", "int4"])
def test_zeros_have_a_scale(format_: str) -> None:
    made = quantise(np.zeros((2, 5)), format_)
    assert (made.scale == 1).all()
    assert not made.values.any()
    assert made.error == 0
