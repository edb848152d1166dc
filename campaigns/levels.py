"""Compares models at every level that their board has.

Each model is planned for an iCE40 and for an ECP5 board. The bitstream level, on iCE40, needs a bitstream, so the
design is built first; and Debian's fpga-icestorm. What is done is kept in ``campaigns/results/levels.json``, which is
not part of the repository, so that an interrupted run goes on where it stopped; the table goes to docs/trust.md. The
exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import bnnhw
from benchmarks.commands import add_again, add_only
from benchmarks.entries import TFC_1W1A, Entry
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw.errors import PlanError
from bnnhw.toolchain import find_board
from bnnhw.verify.levels import LEVELS

FILE = ROOT / "campaigns" / "results" / "levels.json"
PAGE = "docs/trust.md"
BOARDS = ("icebreaker", "ulx3s-85f")
# Samples of a level that has no fewer of its own, as it is slow.
SAMPLES = 100


def entries() -> list[Entry]:
    """Shipped models of digits and MNIST, and a published one, on each board."""
    shipped = [m["name"] for m in bnnhw.models() if m["name"].startswith(("digits", "mnist"))]
    return [Entry(model, board) for model in (*shipped, TFC_1W1A) for board in BOARDS]


def compared(entry: Entry, folder: Path) -> Row:
    """Samples, values and mismatches of each level, or why there is no such design."""
    known = {"model": entry.title, "board": entry.board}
    try:
        design = bnnhw.compile(entry.source, board=entry.board, folder=folder)
    except PlanError as error:
        return {**known, "refused": str(error)}
    ice40 = find_board(entry.board).device.family == "ice40"
    if ice40:
        bnnhw.build(folder, folder=folder)
    levels = {}
    for name, kind in LEVELS.items():
        if name == "bitstream" and not ice40:
            continue
        # Of the bitstream, the folder's.
        work = folder if name == "bitstream" else design
        found = bnnhw.compare(work, levels=[name], samples=min(SAMPLES, kind.samples or SAMPLES))
        level = found["levels"][name]
        levels[name] = {
            "inputs": Path(found["inputs"]).name,
            "mismatches": found["mismatches"],
            **{key: level[key] for key in ("samples", "values", "seconds")},
        }
        print(f"{entry.name} {name}: {found['mismatches']} of {level['samples']} differ", flush=True)
    return {**known, "levels": levels}


def table(rows: Sequence[Row]) -> str:
    """What differs at each level."""
    lines = []
    for row in rows:
        if "levels" in row:
            cells = {name: f"{level['mismatches']} of {level['samples']}" for name, level in row["levels"].items()}
            lines.append([row["model"], row["board"], *(cells.get(name, "-") for name in LEVELS)])
    return markdown(["model", "board", *LEVELS], lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "models and boards")


def run(options: argparse.Namespace) -> int:
    rows = Rows(FILE, ("model", "board"), ((entry.title, entry.board) for entry in entries()))
    for entry in entries():
        known = (entry.title, entry.board) in rows and not options.again
        if known or not entry.present or options.only not in entry.name:
            continue
        with tempfile.TemporaryDirectory(prefix="bnnhw-levels-") as folder:
            row = compared(entry, Path(folder))
        if "refused" in row:
            print(f"{entry.name}: left out: {row['refused']}", flush=True)
        rows.add(row)
    if rows.complete(PAGE):
        put(PAGE, "levels", table(rows.all))
    return 1 if any(level["mismatches"] for row in rows.all for level in row.get("levels", {}).values()) else 0
