"""What each published family's idea costs in hardware, side by side.

The networks of ``models/families`` are planned three times: for equal speed on an iCEBreaker and on a ULX3S, with as
few LUTs as that takes, and for equal area, as fast as an iCEBreaker allows. Designs at equal speed that take few LUTs
are routed as well, with seed 1. Rows go to ``benchmarks/families.json`` as they are known, so that an interrupted run
goes on where it stopped; a row of another model file is measured again. Writes the tables and the plot of
docs/families.md.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bnnhw
from benchmarks.commands import add_again, add_only
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw.charts import front, scatter
from bnnhw.errors import ModelError, PlanError
from bnnhw.files import write_text
from bnnhw.shipped import ShippedModel, family_models

RESULTS = ROOT / "benchmarks" / "families.json"
PAGE = "docs/families.md"
PLOT = ROOT / "docs" / "families.svg"
SEED = 1
LOWEST = 80  # percent: less accurate ones would make the plot's other points hard to tell apart


@dataclass(frozen=True)
class Point:
    """What the networks are planned for.

    Parameters
    ----------
    fps
        Inferences per second with the fewest LUTs; None for as many as the board allows.
    routed
        Designs are routed whose estimate is at most so many LUTs; 0 for none.
    """

    name: str
    board: str
    fps: float | None
    routed: int = 0


SMALL = Point("speed of iCEBreaker", "icebreaker", 5_000, routed=2_000)
LARGE = Point("speed of ULX3S", "ulx3s-85f", 100_000)
WHOLE = Point("area of iCEBreaker", "icebreaker", None)
POINTS = (SMALL, LARGE, WHOLE)


def measure(model: ShippedModel, point: Point) -> Row:
    """One design: estimated, and routed where it is small; or why there is none."""
    row: Row = {"family": model.name, "point": point.name, "file": stamp(model), "fps": point.fps}
    try:
        design = bnnhw.compile(model.name, board=point.board, fps=point.fps)
    except (ModelError, PlanError) as error:
        maps = not isinstance(error, ModelError)
        return row | {"maps": maps, "refused": " ".join(str(error).split())}
    figures: Mapping[str, Any] = design.estimate
    routed = figures["utilization"]["lut4"]["used"] <= point.routed
    if routed:
        with tempfile.TemporaryDirectory() as folder:
            figures = bnnhw.build(design, folder=folder, seed=SEED)
    return row | {
        "maps": True,
        "routed": routed,
        "lut4": figures["utilization"]["lut4"]["used"],
        "block_ram": figures["utilization"]["block_ram"]["used"],
        "clock_mhz": figures["clock_mhz"],
        "cycles": figures["cycles_per_inference"],
        "inferences_per_second": figures["inferences_per_second"],
        "weight_bits": sum(layer["weight_bits"] for layer in bnnhw.check(model.name)["layers"]),
    }


def stamp(model: ShippedModel) -> str:
    """What tells the model's file from an earlier one."""
    return hashlib.sha256(model.file.read_bytes()).hexdigest()[:16]


def results() -> Rows:
    """What is known of the families that there are."""
    wanted = ((name, point.name) for name in family_models() for point in POINTS)
    return Rows(RESULTS, ("family", "point"), wanted)


def ideas_table(models: Sequence[ShippedModel]) -> str:
    """What each family is."""
    lines = [[m.facts["title"], m.facts["idea"], m.facts["paper"], m.facts["dialect"]] for m in models]
    return markdown(["family", "idea", "paper", "its file"], lines)


def speed_table(models: Sequence[ShippedModel], rows: Rows) -> str:
    """Area at equal speed on both boards, smallest first."""
    header = ["family", "accuracy", "weight bits"]
    for point in (SMALL, LARGE):
        header += [f"{point.board}: LUT4", "block RAM", "cycles", "inferences/s"]

    def order(model: ShippedModel) -> tuple[float, str]:
        return rows[model.name, LARGE.name].get("lut4", float("inf")), model.name

    lines = []
    for model in sorted(models, key=order):
        cells = [_title(model), f"{model.facts['accuracy']:.1%}", _weight_bits(rows, model)]
        for point in (SMALL, LARGE):
            cells += _cells(rows[model.name, point.name])
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
    add_again(parser)
    add_only(parser, "families and designs")


def run(options: argparse.Namespace) -> int:
    rows, models = results(), family_models()
    for name, model in models.items():
        for point in POINTS:
            key = (name, point.name)
            known = key in rows and rows[key]["file"] == stamp(model) and not options.again
            if known or options.only not in f"{name} {point.name}":
                continue
            row = measure(model, point)
            print(row, flush=True)
            rows.add(row)
    if not rows.complete(PAGE):
        return 0
    found = tables(models, rows)
    put(PAGE, "ideas", found["ideas"])
    put(PAGE, "equal_speed", found["equal_speed"])
    put(PAGE, "equal_area", found["equal_area"])
    put(PAGE, "left_out", found["left_out"])
    write_text(PLOT, plot(list(models.values()), rows))
    return 0
