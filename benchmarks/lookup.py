"""Lookup-table networks, each on the board that it was trained for.

Compiled, simulated, compared and routed as all designs are (`python -m benchmarks designs`), whose results these are
among; from them comes the table of docs/lookup-tables.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from benchmarks.commands import add_again, add_only
from benchmarks.designs import measure_all
from benchmarks.entries import LOOKUP, Entry, entries
from benchmarks.figures import Figures, load, of
from benchmarks.measure import Results
from benchmarks.pages import markdown, put
from bnnhw.parts import PARTS

PAGE = "docs/lookup-tables.md"


def known() -> list[Entry]:
    """Those of the networks that are shipped."""
    return [entry for entry in entries() if entry.model in LOOKUP]


def table(rows: Iterable[Figures]) -> str:
    """Area, clock and rate, the host link included; the accuracy is that of the whole test set."""
    header = (
        "model", "board", "accuracy", "LUT4", "as estimated", "block RAM", "MHz", "images/s", "latency", "mismatches",
    )  # fmt: skip
    lines = [
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
            f"{f['mismatches']} of {f['samples']:,}",
        ]
        for f in rows
        if "refused" not in f
    ]
    return markdown(header, lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "entries")


def run(options: argparse.Namespace) -> int:
    chosen = [entry for entry in known() if options.only in entry.name]
    failed = measure_all(chosen, 1, Results(again=options.again))
    rows = [of(result) for result in load(known()).values()]
    if rows:
        put(PAGE, "lookup", table(rows))
    return 1 if failed or any(f.get("mismatches") for f in rows) else 0
