"""Four models, three boards, four rates: the example of docs/explore.md, and how long it takes.

On two processes, of which each design takes one. Writes ``benchmarks/explore.json``, the plot and the tables of the
page. Rows do not depend on the machine, seconds do.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import bnnhw
from benchmarks.entries import BOARDS
from benchmarks.pages import ROOT, markdown, put
from bnnhw.exploration.pareto import ACCURACY, LUTS
from bnnhw.exploration.plots import colours_of, plot
from bnnhw.files import write_text

RESULTS = ROOT / "benchmarks" / "explore.json"
PAGE = "docs/explore.md"
PLOT = ROOT / "docs" / "explore.svg"
MODELS = ("mnist-binary", "mnist-ternary", "mnist-sparse", "mnist-cnn")
RATES = (1_000, 10_000, 100_000, None)
JOBS = 2
SHOWN = "ulx3s-85f"

Row = dict[str, Any]


def measure() -> dict[str, Any]:
    """The rows, and the seconds that they took."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rows = bnnhw.explore(MODELS, boards=BOARDS, fps=RATES, folder=folder, jobs=JOBS)
    seconds = time.monotonic() - started
    return {"seconds": round(seconds), "rows": [{k: v for k, v in row.items() if k != "seconds"} for row in rows]}


def front_table(rows: Sequence[Row]) -> str:
    """The designs for one board that no other one beats."""
    header = ["model", "asked", "accuracy", "LUT4", "block RAM", "cycles", "inferences/s", "latency, µs"]
    best = [row for row in rows if row["board"] == SHOWN and row["pareto"]]
    lines = [
        [
            row["model"],
            "the fastest" if row["fps"] is None else f"{row['fps']:,}/s",
            f"{row['accuracy']:.2%}",
            f"{row['lut4']:,}",
            str(row["block_ram"]),
            f"{row['cycles_per_inference']:,g}",
            f"{row['inferences_per_second']:,.0f}",
            f"{row['latency_us']:,.1f}",
        ]
        for row in sorted(best, key=lambda row: (row["lut4"], row["model"]))
    ]
    return markdown(header, lines)


def summary(found: dict[str, Any]) -> str:
    """The whole in a line."""
    rows = found["rows"]
    planned = sum(row["outcome"] == "planned" for row in rows)
    return (
        f"{len(rows)} points in {found['seconds']} seconds on {JOBS} processes of a busy machine: {planned} designs, "
        f"{len(rows) - planned} refused with the reason.\n"
    )


def picture(rows: Sequence[Row]) -> str:
    """Accuracy over LUTs on one board, as the page of an exploration shows it."""
    own = [row for row in rows if row["board"] == SHOWN and row["lut4"] is not None]
    return plot(own, LUTS, ACCURACY, colours_of(MODELS))


def tables(found: dict[str, Any]) -> dict[str, str]:
    """The page's tables by name."""
    return {"explored": summary(found), "front": front_table(found["rows"])}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tables-only", action="store_true", help="measure nothing")


def run(options: argparse.Namespace) -> int:
    if not options.tables_only:
        write_text(RESULTS, json.dumps(measure(), indent=1) + "\n")
    found = json.loads(RESULTS.read_text())
    texts = tables(found)
    put(PAGE, "explored", texts["explored"])
    put(PAGE, "front", texts["front"])
    write_text(PLOT, picture(found["rows"]))
    return 0
