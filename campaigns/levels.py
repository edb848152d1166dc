"""Compares models at every level that their board has, and writes what was found.

    python -m campaigns.levels [--only TEXT] [--again]

Each model is planned for an iCE40 and for an ECP5 board. The bitstream level, on iCE40, needs a bitstream, so the
design is built first; and Debian's fpga-icestorm. Rows go to ``campaigns/levels.json`` one by one, so that an
interrupted run goes on where it stopped, and the table to docs/trust.md. The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bnnhw
from benchmarks import figures, tables
from benchmarks.entries import TFC_1W1A, Entry
from bnnhw.errors import PlanError
from bnnhw.files import write_text
from bnnhw.toolchain import find_board
from bnnhw.verify.levels import LEVELS

BOARDS = ("icebreaker", "ulx3s-85f")
# Samples of a level that has no fewer of its own, as it is slow.
SAMPLES = 100
Row = dict[str, Any]


def models() -> list[str]:
    """Shipped models of digits and MNIST, and a published one."""
    return [*(m["name"] for m in bnnhw.models() if m["name"].startswith(("digits", "mnist"))), TFC_1W1A]


def levels(entry: Entry, folder: Path) -> Iterator[Row]:
    """A row of each level."""
    design = bnnhw.compile(entry.source, board=entry.board, folder=folder)
    ice40 = find_board(entry.board).device.family == "ice40"
    if ice40:
        bnnhw.build(folder, folder=folder)
    for name, kind in LEVELS.items():
        if name == "bitstream" and not ice40:
            continue
        # Of the bitstream, the folder's.
        work = folder if name == "bitstream" else design
        found = bnnhw.compare(work, levels=[name], samples=min(SAMPLES, kind.samples or SAMPLES))
        level = found["levels"][name]
        yield {
            "model": entry.title,
            "board": entry.board,
            "level": name,
            "inputs": Path(found["inputs"]).name,
            "mismatches": found["mismatches"],
            **{key: level[key] for key in ("samples", "values", "seconds")},
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m campaigns.levels", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="models and boards whose name holds this text")
    parser.add_argument("--again", action="store_true", help="those that are known, too")
    options = parser.parse_args()
    entries = [Entry(model, board) for model in models() for board in BOARDS]
    known: dict[tuple[str, str], list[Row]] = {}
    for row in json.loads(tables.LEVELS.read_text()) if tables.LEVELS.is_file() else []:
        known.setdefault((row["model"], row["board"]), []).append(row)
    for entry in entries:
        key = entry.title, entry.board
        if not entry.present or options.only not in entry.name or (key in known and not options.again):
            continue
        fresh = []
        with tempfile.TemporaryDirectory(prefix="bnnhw-levels-") as folder:
            try:
                for row in levels(entry, Path(folder)):
                    print(f"{entry.name} {row['level']}: {row['mismatches']} of {row['samples']} differ", flush=True)
                    fresh.append(row)
            except PlanError as error:
                print(f"{entry.name}: left out: {error}", flush=True)
                continue
        known[key] = fresh
        rows = [row for each in entries for row in known.get((each.title, each.board), [])]
        write_text(tables.LEVELS, json.dumps(rows, indent=1) + "\n")
        tables.write(figures.measured())
    return 1 if any(row["mismatches"] for rows in known.values() for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
