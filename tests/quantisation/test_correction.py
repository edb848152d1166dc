"""Corrections against least squares, and what they do for a network of coarse weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from bnnhw.quantisation.correction import MAX_FACTOR, fitted
from tests.quantisation.test_network import assert_means_what_the_executor_says, lenet, quantised
from tests.random_files.executor import Executor


def test_factor_and_addend_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(1, 2, (50, 4))
    aim = rows * [0.5, 1, 2, 1.5] + [0, 1, -1, 2] + rng.normal(0, 0.1, (50, 4))
    factor, addend = fitted(rows, aim, scale=True)
    for k in range(4):
        np.testing.assert_allclose([factor[k], addend[k]], np.polyfit(rows[:, k], aim[:, k], 1), rtol=1e-5)


def test_an_addend_alone_is_the_difference_of_means() -> None:
    rows, aim = np.array([[1.0], [3.0]]), np.array([[2.0], [8.0]])
    factor, addend = fitted(rows, aim, scale=False)
    assert (factor.tolist(), addend.tolist()) == ([1], [3])


def test_factors_are_bounded() -> None:
    rows = np.array([[1.0, 0.0, 1.0], [2.0, 0.0, 2.0]])
    factor, _ = fitted(rows, np.array([[0.0, 1.0, 9.0], [100.0, 2.0, 3.0]]), scale=True)
    assert factor.tolist() == [MAX_FACTOR, 1, 1 / MAX_FACTOR]


@pytest.mark.parametrize("fold", [False, True])
def test_corrected_outputs_are_nearer(tmp_path: Path, fold: bool) -> None:
    path, inputs = lenet(tmp_path)
    name = onnx.load(path).graph.output[0].name
    wanted = Executor(onnx.load(path)).run(inputs)[name]
    config = {"batch_norm": "fold" if fold else "keep"}
    errors = []
    for correction in ("none", "bias", "scale"):
        output, found = quantised(path, inputs, weights="ternary", correction=correction, config=config)
        assert any("a correction" in note for note in found["notes"]) == (correction == "none")
        assert_means_what_the_executor_says(output, inputs)
        errors.append(np.square(Executor(onnx.load(output)).run(inputs)[name] - wanted).mean())
    assert errors[2] < errors[1] < errors[0]
