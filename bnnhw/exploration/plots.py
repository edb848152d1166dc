"""Designs as points over two goals, with the front that no other design is beyond."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from bnnhw.charts import COLOURS, FAINT, INK, Drawing, ends, marks
from bnnhw.exploration.pareto import ACCURACY, Goal, front

Row = Mapping[str, Any]

WIDTH, HEIGHT = 470, 340
LEFT, RIGHT, UPPER, LOWER = 78, 450, 34, 286
# Marks of an axis that have room beside each other.
MAX_MARKS = 7


@dataclass(frozen=True)
class Axis:
    """Where values lie between two ends of a drawing.

    Parameters
    ----------
    place
        From a value to its coordinate.
    named
        The values that are marked, and what is written there.
    """

    place: Callable[[float], float]
    named: Sequence[tuple[float, str]]


def axis(values: Sequence[float], start: float, end: float, *, percent: bool) -> Axis:
    """Of `values` above 0: logarithmic; of shares: linear, in percent."""
    if percent:
        low, high = floor(100 * min(values)), ceil(100 * max(values))
        low, high = (low, high) if high > low else (low - 1, low + 1)
        step = -(-(high - low) // MAX_MARKS)
        return Axis(
            lambda value: start + (end - start) * (100 * value - low) / (high - low),
            [(k / 100, f"{k} %") for k in range(low, high + 1, step)],
        )
    first, last = ends(values)
    every = marks(first, last)
    if len(every) > MAX_MARKS:
        powers = [mark for mark in every if log10(mark).is_integer()]
        every = powers[:: -(-len(powers) // MAX_MARKS)]
    return Axis(
        lambda value: start + (end - start) * log10(value / first) / log10(last / first),
        [(mark, f"{mark:,.0f}" if mark >= 1 else f"{mark:g}") for mark in every],
    )


def plot(rows: Sequence[Row], across: Goal, down: Goal, colours: Mapping[str, str]) -> str:
    """`rows`, as dots; those of the front over the two goals filled, with a line through them.

    Parameters
    ----------
    colours
        Of each model.

    Returns
    -------
    str
        SVG; "" without a row that has both columns.
    """
    shown = [row for row in rows if row[across.column] is not None and row[down.column] is not None]
    if not shown:
        return ""
    xs, ys = ([float(row[goal.column]) for row in shown] for goal in (across, down))
    x_axis = axis(xs, LEFT, RIGHT, percent=across == ACCURACY)
    y_axis = axis(ys, LOWER, UPPER, percent=down == ACCURACY)
    drawing = Drawing(WIDTH, HEIGHT)
    for value, text in x_axis.named:
        drawing.line([(x_axis.place(value), UPPER), (x_axis.place(value), LOWER)], FAINT)
        drawing.text(x_axis.place(value), LOWER + 18, text, anchor="middle")
    for value, text in y_axis.named:
        drawing.line([(LEFT, y_axis.place(value)), (RIGHT, y_axis.place(value))], FAINT)
        drawing.text(LEFT - 8, y_axis.place(value) + 4, text, anchor="end")
    drawing.text(LEFT, UPPER - 16, titled(down))
    drawing.text((LEFT + RIGHT) / 2, LOWER + 40, titled(across), anchor="middle")
    best = front(shown, (across, down))
    beaten = [row for row in shown if not any(row is one for one in best)]

    def place(row: Row) -> tuple[float, float]:
        return x_axis.place(float(row[across.column])), y_axis.place(float(row[down.column]))

    drawing.line(sorted(map(place, best)), INK, width=1)
    for row in (*beaten, *best):
        hollow = any(row is one for one in beaten)
        drawing.dot(*place(row), colours[row["model"]], hollow=hollow, hint=described(row))
    return drawing.svg()


def titled(goal: Goal) -> str:
    """A goal as an axis names it."""
    return f"{goal.title} ({'more' if goal.more else 'less'} is better)"


def described(row: Row) -> str:
    """A design in a line."""
    asked = [row["model"], row["board"] or row["part"]]
    asked += [f"asked for {row['fps']:,g} per second"] if row["fps"] is not None else []
    asked += [row["folding"]] if row["folding"] else []
    found = [f"{row['lut4']:,} LUT4", f"{row['inferences_per_second']:,.0f} per second", f"{row['latency_us']:,.1f} µs"]
    found += [f"{row['accuracy']:.2%}"] if row["accuracy"] is not None else []
    return f"{', '.join(asked)}: {', '.join(found)}"


def colours_of(models: Iterable[str]) -> dict[str, str]:
    """A colour for each model: the charts' own, and for more of them hues apart from each other."""
    found: dict[str, str] = {}
    for k, model in enumerate(dict.fromkeys(models)):
        if k < len(COLOURS):
            found[model] = COLOURS[k]
        else:
            parts = colorsys.hls_to_rgb(0.618034 * k % 1, 0.42, 0.65)
            found[model] = "#" + "".join(f"{round(255 * part):02x}" for part in parts)
    return found
