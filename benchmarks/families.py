"""What each published family's idea costs in hardware, side by side.

The networks of ``models/families`` are explored three times: for equal speed on an iCEBreaker and on a ULX3S, with as
few LUTs as that takes, and for equal area, as fast as an iCEBreaker allows. All are planned first, which takes minutes,
and then routed with seed 1, which takes hours; until then a row is that of the plan. What is routed is simulated as
well, before and after synthesis, and held against the reference. Rows go to ``benchmarks/families.json`` as they are
known, so that an interrupted run goes on where it stopped; a row of another model file is measured again. Writes the
tables and the plot of docs/families.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bnnhw
from benchmarks.commands import add_again, add_only
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw.charts import front, scatter
from bnnhw.errors import BnnhwError
from bnnhw.exploration.executors import processes
from bnnhw.exploration.grid import find_targets
from bnnhw.exploration.models import ModelFile
from bnnhw.exploration.points import BUILT, REFUSED, Effort, Point
from bnnhw.exploration.running import run as run_tasks
from bnnhw.exploration.tasks import Answer
from bnnhw.files import write_text
from bnnhw.shipped import ShippedModel, family_models

RESULTS = ROOT / "benchmarks" / "families.json"
PAGE = "docs/families.md"
PLOT = ROOT / "docs" / "families.svg"
LOWEST = 80  # percent: less accurate ones would make the plot's other points hard to tell apart
FIGURES = ("lut4", "block_ram", "clock_mhz", "inferences_per_second", "weight_bits")
# What a routed design is held against, and with how many of the samples that lie beside its model.
LEVELS, SAMPLES = ("rtl", "netlist"), 3


@dataclass(frozen=True)
class Case:
    """What the networks are made for.

    Parameters
    ----------
    fps
        Inferences per second with the fewest LUTs; None for as many as the board allows.
    """

    name: str
    board: str
    fps: float | None

    def point(self, family: str, *, build: bool) -> Compared:
        """The design of one network."""
        (target,) = find_targets([self.board], [])
        return Compared(Point(ModelFile.find(family, None, None), target, self.fps, effort=Effort(build)))


@dataclass(frozen=True)
class Compared:
    """A point whose design, where it is built, is simulated too.

    Its answer has the ``samples`` at each of `LEVELS` and their ``mismatches`` besides.
    """

    point: Point

    @property
    def name(self) -> str:
        return self.point.name

    @property
    def key(self) -> Mapping[str, Any]:
        return {**self.point.key, "levels": LEVELS, "samples": SAMPLES}

    def answer(self) -> Answer:
        found = self.point.answer()
        if found["outcome"] != BUILT:
            return found
        compared = bnnhw.compare(self.point.design(), levels=LEVELS, samples=SAMPLES)
        undecided = [level for level in LEVELS if level in compared["undecided"]]
        assert not undecided, f"{self.name}: float32 decides every sample at {undecided}"
        return found | {"samples": SAMPLES, "mismatches": compared["mismatches"]}


SMALL = Case("speed of iCEBreaker", "icebreaker", 5_000)
LARGE = Case("speed of ULX3S", "ulx3s-85f", 100_000)
WHOLE = Case("area of iCEBreaker", "icebreaker", None)
CASES = (SMALL, LARGE, WHOLE)


class Kept:
    """The rows as what an exploration keeps.

    Parameters
    ----------
    again
        Whether rows that are there are measured again.
    """

    def __init__(self, rows: Rows, *, again: bool = False) -> None:
        self._rows, self._again = rows, again

    def get(self, task: Compared) -> Answer | None:
        key = key_of(task.point)
        if self._again or key not in self._rows:
            return None
        row = self._rows[key]
        final = "refused" in row or row["routed"] or not task.point.effort.build
        return row if final and row["file"] == stamp(task.point.model) else None

    def add(self, task: Compared, answer: Answer) -> None:
        row = row_of(task.point, answer)
        print(row, flush=True)
        self._rows.add(row)


def key_of(point: Point) -> tuple[str, str]:
    """Of its row."""
    (case,) = (case for case in CASES if (case.board, case.fps) == (point.target.board, point.fps))
    return point.model.name, case.name


def row_of(point: Point, answer: Answer) -> Row:
    """One design; or why there is none, and whether that is the fault of the file."""
    family, case = key_of(point)
    row: Row = {"family": family, "point": case, "file": stamp(point.model), "fps": point.fps}
    if answer["outcome"] == REFUSED:
        return row | {"maps": bnnhw.check(family)["maps"], "refused": answer["reason"]}
    figures = {"routed": answer["outcome"] == BUILT, "cycles": answer["cycles_per_inference"]}
    if answer["outcome"] == BUILT:
        figures |= {"samples": answer["samples"], "mismatches": answer["mismatches"]}
    return row | {"maps": True, **figures, **{name: answer[name] for name in FIGURES}}


def stamp(model: ModelFile) -> str:
    """What tells the model's file from an earlier one."""
    return model.sha256[:16]


def results() -> Rows:
    """What is known of the families that there are."""
    wanted = ((name, case.name) for name in family_models() for case in CASES)
    return Rows(RESULTS, ("family", "point"), wanted)


def ideas_table(models: Sequence[ShippedModel]) -> str:
    """What each family is."""
    lines = [[m.facts["title"], m.facts["idea"], m.facts["paper"], m.facts["dialect"]] for m in models]
    return markdown(["family", "idea", "paper", "its file"], lines)


def speed_table(models: Sequence[ShippedModel], rows: Rows) -> str:
    """Area at equal speed on both boards, smallest first."""
    header = ["family", "accuracy", "weight bits"]
    for case in (SMALL, LARGE):
        header += [f"{case.board}: LUT4", "block RAM", "cycles", "inferences/s"]

    def order(model: ShippedModel) -> tuple[float, str]:
        return rows[model.name, LARGE.name].get("lut4", float("inf")), model.name

    lines = []
    for model in sorted(models, key=order):
        cells = [_title(model), f"{model.facts['accuracy']:.1%}", _weight_bits(rows, model)]
        for case in (SMALL, LARGE):
            cells += _cells(rows[model.name, case.name])
        lines.append(cells)
    return markdown(header, lines) + _best(models, rows)


def _best(models: Sequence[ShippedModel], rows: Rows) -> str:
    """The line of the plot in words: equal accuracy is where one reads it from."""
    points = _points(models, rows)
    best = set(front(points))
    chosen = sorted((luts, accuracy, title) for title, luts, accuracy in points if (luts, accuracy) in best)
    names = ", ".join(f"{title} ({accuracy:.1f} %, {luts:,.0f} LUTs)" for luts, accuracy, title in chosen)
    return f"\nOn {LARGE.board}, no smaller design is as accurate as these: {names}.\n"


def area_table(models: Sequence[ShippedModel], rows: Rows) -> str:
    """Speed at equal area, fastest first; without those that do not fit."""
    fitting = [m for m in models if "lut4" in rows[m.name, WHOLE.name]]
    fitting.sort(key=lambda m: rows[m.name, WHOLE.name]["cycles"])
    lines = [
        [_title(m), f"{m.facts['accuracy']:.1%}", _weight_bits(rows, m), *_cells(rows[m.name, WHOLE.name])]
        for m in fitting
    ]
    header = ["family", "accuracy", "weight bits", "LUT4", "block RAM", "cycles", "inferences/s"]
    rest = [m.facts["title"] for m in models if m not in fitting]
    return markdown(header, lines) + (f"\nToo large for it: {', '.join(rest)}.\n" if rest else "")


def measured(rows: Rows) -> str:
    """How many designs of all tables are routed, and whether they give what the reference gives."""
    routed = [row for row in rows.all if row.get("routed")]
    designs = [row for row in rows.all if "lut4" in row]
    differing = [f"{row['family']} for {row['point']}" for row in routed if row["mismatches"]]
    exact = f"wrong are {', '.join(differing)}" if differing else "all were exact"
    return (
        f"Of {len(designs)} designs on this page, {len(routed)} are routed. Each of these was simulated before and "
        f"after synthesis ({' and '.join(LEVELS)}) for {SAMPLES} test images, held against the reference: {exact}.\n"
    )


def left_out(models: Sequence[ShippedModel], rows: Rows) -> str:
    """A line for each family that does not map."""
    lines = []
    for model in models:
        row = rows[model.name, LARGE.name]
        if not row["maps"]:
            lines.append(f"* {model.facts['title']}, {model.facts['accuracy']:.1%}: {row['refused']}\n")
    return "".join(lines) or "None.\n"


def tables(models: Mapping[str, ShippedModel], rows: Rows) -> dict[str, str]:
    """The page's tables by name."""
    every = list(models.values())
    mapped = [model for model in every if rows[model.name, LARGE.name]["maps"]]
    return {
        "ideas": ideas_table(every),
        "measured": measured(rows),
        "equal_speed": speed_table(mapped, rows),
        "equal_area": area_table(mapped, rows),
        "left_out": left_out(every, rows),
    }


def _title(model: ShippedModel) -> str:
    return f"{model.facts['title']} (`{model.name}`)"


def _weight_bits(rows: Rows, model: ShippedModel) -> str:
    return f"{rows[model.name, LARGE.name].get('weight_bits', 0):,}"


def _cells(row: Row) -> list[str]:
    if "lut4" not in row:
        return ["-"] * 4
    luts = f"{row['lut4']:,}"
    return [
        f"**{luts}**" if row["routed"] else luts,
        str(row["block_ram"]),
        f"{round(row['cycles']):,}",
        f"{row['inferences_per_second']:,.0f}",
    ]


def plot(models: Sequence[ShippedModel], rows: Rows) -> str:
    """Accuracy over LUTs at equal speed."""
    assert LARGE.fps is not None
    across = f"LUT4 on {LARGE.board} at {LARGE.fps:,.0f} inferences per second"
    points = [point for point in _points(models, rows) if point[2] >= LOWEST]
    return scatter(points, across=across, down=f"accuracy on the digits, %, of at least {LOWEST} %")


def _points(models: Sequence[ShippedModel], rows: Rows) -> list[tuple[str, float, float]]:
    """Title, LUTs and accuracy in percent of those that fit."""
    found = [(m, rows[m.name, LARGE.name]) for m in models]
    return [(m.facts["title"], float(row["lut4"]), 100 * m.facts["accuracy"]) for m, row in found if "lut4" in row]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="designs at a time (default: %(default)s)")
    add_again(parser)
    add_only(parser, "families and designs")
    parser.add_argument("--plan-only", action="store_true", help="route nothing")


def run(options: argparse.Namespace) -> int:
    rows, models = results(), family_models()
    chosen = [(name, case) for case in CASES for name in models if options.only in f"{name} {case.name}"]
    failed = 0
    with processes(options.jobs) as executor:
        for build in (False,) if options.plan_only else (False, True):
            points = [case.point(name, build=build) for name, case in chosen]
            answers = run_tasks(points, executor, store=Kept(rows, again=options.again))
            errors = [answer for answer in answers.values() if isinstance(answer, BnnhwError)]
            failed += len(errors)
            for error in errors:
                print(f"failed: {error}")
    if not rows.complete(PAGE):
        return 0
    found = tables(models, rows)
    for name, table in found.items():
        put(PAGE, name, table)
    write_text(PLOT, plot(list(models.values()), rows))
    return 1 if failed else 0
