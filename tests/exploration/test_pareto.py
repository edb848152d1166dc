"""Designs that no other one beats."""

from __future__ import annotations

import random

import pytest

from bnnhw.exploration.pareto import ACCURACY, GOALS, LUTS, SPEED, front

pytestmark = pytest.mark.unit


def row(accuracy: float | None, lut4: int, speed: float = 1.0, latency: float = 1.0) -> dict[str, float | None]:
    return {"accuracy": accuracy, "lut4": lut4, "inferences_per_second": speed, "latency_us": latency}


def test_of_two_goals() -> None:
    small, good, beaten, same = row(0.9, 100), row(0.95, 200), row(0.9, 200), row(0.9, 100)
    assert front([beaten, good, small, same], (ACCURACY, LUTS)) == [good, small, same]


def test_an_unknown_accuracy_neither_wins_nor_loses() -> None:
    unknown, known = row(None, 100), row(0.9, 100)
    assert front([unknown, known], (ACCURACY, LUTS)) == [unknown, known]
    assert front([row(None, 99), known], (ACCURACY, LUTS)) == [row(None, 99)]


def test_it_is_what_its_definition_says() -> None:
    random.seed(1)
    rows = [row(*(random.randint(1, 5) for _ in range(4))) for _ in range(60)]
    best = front(rows, GOALS)
    merits = [[goal.merit(one) for goal in GOALS] for one in best]
    for one in rows:
        own = [goal.merit(one) for goal in GOALS]
        as_good = [other for other in merits if all(a >= b for a, b in zip(other, own, strict=True))]
        assert as_good, "each row is in the front, or one of the front is as good in everything"
        assert (one in best) == all(other == own for other in as_good)


def test_one_goal_has_its_best_alone() -> None:
    assert front([row(0.9, 1, 5), row(0.9, 1, 7)], (SPEED,)) == [row(0.9, 1, 7)]
