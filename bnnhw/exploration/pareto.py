"""Which of some designs no other one beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """A column, and whether more of it is better."""

    column: str
    title: str
    more: bool

    def merit(self, row: Row) -> float:
        """The larger, the better."""
        return float(row[self.column]) if self.more else -float(row[self.column])


ACCURACY = Goal("accuracy", "accuracy", more=True)
LUTS = Goal("lut4", "LUT4", more=False)
SPEED = Goal("inferences_per_second", "inferences per second", more=True)
LATENCY = Goal("latency_us", "latency, µs", more=False)
GOALS = (ACCURACY, LUTS, SPEED, LATENCY)


def front(rows: Sequence[Row], goals: Sequence[Goal]) -> list[Row]:
    """The rows for which no other is at least as good in all of `goals` and better in one, in their order.

    A goal whose column is None in a row is left out wherever that row is held against another: an accuracy that nobody
    knows neither wins nor loses.
    """
    return [row for row in rows if not any(_beats(other, row, goals) for other in rows)]


def _beats(one: Row, other: Row, goals: Sequence[Goal]) -> bool:
    known = [goal for goal in goals if one[goal.column] is not None and other[goal.column] is not None]
    merits = [(goal.merit(one), goal.merit(other)) for goal in known]
    return all(a >= b for a, b in merits) and any(a > b for a, b in merits)
