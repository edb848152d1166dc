"""Lookup-table networks, each on the board that it was trained for.

Compiled, simulated, compared and routed as all designs are (`python -m benchmarks designs`), whose results these are
among; then the reference is held against onnxruntime on the whole test set, which goes to ``benchmarks/lookup.json``.
From both comes the table of docs/lookup-tables.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

import bnnhw
from benchmarks.commands import add_again, add_only
from benchmarks.designs import measure_all
from benchmarks.entries import LOOKUP, Entry, entries
from benchmarks.figures import Figures, load, of
from benchmarks.measure import Results, test_set
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw import reference
from bnnhw.parts import PARTS
from models.lookup.executor import LookupExecutor

PAGE = "docs/lookup-tables.md"
JUDGED = ROOT / "benchmarks" / "lookup.json"


def known() -> list[Entry]:
    """Those of the networks that are shipped."""
    return [entry for entry in entries() if entry.model in LOOKUP]


def judge(entry: Entry) -> Row:
    """Its reference against onnxruntime: ``samples`` of the whole test set, ``differ`` of the class scores and of the
    classes, and the ``accuracy``."""
    design = bnnhw.compile(entry.source, board=entry.board)
    test = test_set(entry)
    executor = LookupExecutor(Path(design.file))
    expected, found = executor.outputs(test.x), reference.run(design.graph, test.x)
    classes = expected.argmax(axis=1)
    differ = np.count_nonzero(found["outputs"] != expected) + np.count_nonzero(found["prediction"] != classes)
    right = float((found["prediction"] == test.y).mean())
    return {
        "model": entry.model,
        "samples": len(test.y),
        "differ": int(differ),
        "accuracy": right,
        "judge": executor.measured_with,
    }


def table(rows: Iterable[Figures], judged: Mapping[str, Row]) -> str:
    """Area, clock and rate, the host link included; the accuracy is that of the whole test set."""
    header = (
        "model", "board", "accuracy", "LUT4", "as estimated", "block RAM", "MHz", "images/s", "latency",
        "mismatches: reference against onnxruntime", "Verilog, netlist against the reference",
    )  # fmt: skip
    lines = []
    for f in rows:
        if "refused" in f:
            continue
        said = judged.get(f["model"])
        lines.append(
            [
                f["model"],
                f["board"],
                f"{f['accuracy']:.2%}",
                f"{f['lut4']:,} ({f['lut4'] / PARTS[f['part']].lut4:.0%})",
                f"{f['lut4_estimated'] / f['lut4'] - 1:+.0%}",
                f"{f['block_ram']} of {PARTS[f['part']].block_ram}",
                f"{f['clock_mhz']:.2f}",
                f"{f['inferences_per_second']:,.0f}",
                f"{1000 * f['latency_cycles'] / f['clock_mhz']:,.0f} ns",
                "-" if said is None else f"{said['differ']} of {said['samples']:,}",
                f"{f['mismatches']} of {f['samples']:,}",
            ]
        )
    return markdown(header, lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "entries")


def run(options: argparse.Namespace) -> int:
    chosen = [entry for entry in known() if options.only in entry.name]
    judged = Rows(JUDGED, ["model"], [(name,) for name in LOOKUP])
    for entry in chosen:
        if options.again or (entry.model,) not in judged:
            judged.add(judge(entry))
    failed = measure_all(chosen, 1, Results(again=options.again))
    rows = [of(result) for result in load(known()).values()]
    if rows:
        put(PAGE, "lookup", table(rows, {row["model"]: row for row in judged.all}))
    wrong = any(f.get("mismatches") for f in rows) or any(row["differ"] for row in judged.all)
    return 1 if failed or wrong else 0
