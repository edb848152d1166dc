"""Rows of an exploration, and the files that hold them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bnnhw import artifacts
from bnnhw.errors import BnnhwError
from bnnhw.exploration.pareto import GOALS, front
from bnnhw.exploration.points import FAILED, Point, in_a_line
from bnnhw.exploration.tasks import Answer
from bnnhw.files import write_text

SCHEMA = 1
CSV, JSON, PAGE = "results.csv", "results.json", "results.html"
# The folder of the answers, beside them.
KEPT = "points"

Row = dict[str, Any]

# Of results.csv. What differs from run to run, as times do, is not among them.
COLUMNS = (
    "model", "board", "part", "fps", "folding", "outcome", "pareto", "accuracy", "lut4", "lut4_available", "block_ram",
    "block_ram_available", "clock_mhz", "cycles_per_inference", "latency_cycles", "inferences_per_second", "latency_us",
    "macs_per_inference", "weight_bits", "fmax_mhz", "link_inferences_per_second", "seed", "digest",
    "bitstream_sha256", "reason",
)  # fmt: skip
VARYING = ("seconds",)


def make_rows(
    points: Sequence[Point], answers: Sequence[Answer | BnnhwError], accuracies: Mapping[str, float | None]
) -> list[Row]:
    """A row for each point, in their order.

    Parameters
    ----------
    accuracies
        By the names of models.

    Returns
    -------
    list of dict
        Each with all of `COLUMNS` and `VARYING`; None for what a row does not have. ``pareto`` says that no other
        design for the same target is as good in accuracy, LUTs, inferences per second and latency, and better in one;
        of rows of the same design, it says so of the first.
    """
    rows = []
    for point, answer in zip(points, answers, strict=True):
        found = {"outcome": FAILED, "reason": in_a_line(answer)} if isinstance(answer, BnnhwError) else answer
        known = point.asked | {"accuracy": accuracies[point.model.name]} | found
        rows.append({column: known.get(column) for column in (*COLUMNS, *VARYING)})
    for target in dict.fromkeys(target_of(row) for row in rows):
        same = [row for row in rows if target_of(row) == target and has_figures(row)]
        designs = {row["digest"]: row for row in reversed(same)}
        best = {id(row) for row in front(list(designs.values()), GOALS)}
        for row in same:
            row["pareto"] = id(row) in best
    return rows


def target_of(row: Mapping[str, Any]) -> str:
    """The board, or the part, that a row's design is for."""
    return str(row["board"] or row["part"])


def has_figures(row: Mapping[str, Any]) -> bool:
    """Whether there is a design."""
    return row["lut4"] is not None


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV: the same for the same designs, wherever and however often they were measured."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def save(rows: Sequence[Row], page: str, folder: Path) -> None:
    """Writes the three files into `folder`.

    Raises
    ------
    InputError
        If the folder or the disk refuses.
    """
    write_text(folder / CSV, to_csv(rows))
    write_text(folder / JSON, artifacts.to_json({"schema": SCHEMA, "rows": rows}))
    write_text(folder / PAGE, page)
