"""Cuts in integers, and which integers lie within float32's error of them."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.ir.nodes import Arithmetic, BipolarQuant, Dequant, Node
from bnnhw.passes.levels import spaced
from bnnhw.passes.thresholds import find

SIGNS = spaced(np.array([-1, 1], np.float32))


def steps(noise: float, factor: float = 1.0) -> tuple[Node, ...]:
    return (
        Dequant(name="", inputs=(), output="", scale=np.array(1.0), noise=np.array(noise)),
        Arithmetic(name="", inputs=(), output="", operation="mul", operand=np.array(factor, np.float32)),
        BipolarQuant(name="", inputs=(), output="", scale=np.array(1, np.float32)),
    )


@pytest.mark.parametrize(
    ("noise", "first", "past"), [(0.0, 0, 0), (0.4, 0, 1), (1.0, -1, 1), (2.5, -2, 3), (99.0, -10, 11)]
)
def test_doubtful_are_all_integers_within_the_noise(noise: float, first: int, past: int) -> None:
    cuts = find(steps(noise), (np.array([-10]), np.array([10])), SIGNS)
    assert cuts.thresholds.tolist() == [[0]]
    assert cuts.doubtful.tolist() == [[[first, past]]]


def test_doubtful_integers_are_negated_where_the_chain_falls() -> None:
    cuts = find(steps(2.5, -1.0), (np.array([-10]), np.array([4])), SIGNS)
    assert cuts.negate.tolist() == [True] and cuts.thresholds.tolist() == [[0]]
    assert cuts.doubtful.tolist() == [[[-2, 3]]]
