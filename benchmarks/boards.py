"""A bitstream of digits-binary for every board.

Planned for a rate that all of them should reach, so that a build takes minutes and shows what differs between boards:
part, package, pins, clock and PLL. A board whose part is too small is listed with the planner's words. Writes
``benchmarks/boards.json`` row by row, so that an interrupted run goes on where it stopped, and the table of
docs/boards.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import bnnhw
from benchmarks.commands import add_again, add_only
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw.errors import PlanError
from bnnhw.toolchain import Board, all_boards

RESULTS = ROOT / "benchmarks" / "boards.json"
PAGE = "docs/boards.md"
MODEL, FPS = "digits-binary", 3000.0


def measure(board: Board) -> Row:
    """What the report of a build says, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            design = bnnhw.compile(MODEL, board=board.name, fps=FPS)
            report = bnnhw.build(design, folder=Path(folder))
        except PlanError as error:
            return {"board": board.name, "refused": str(error).split(": ", 1)[-1]}
    used = report["utilization"]
    return {
        "board": board.name,
        "lut4": used["lut4"],
        "block_ram": used["block_ram"],
        "clock_mhz": report["clock_mhz"],
        "cycles": report["cycles_per_inference"],
    }


def results() -> Rows:
    """What is known."""
    return Rows(RESULTS, ("board",), ((board.name,) for board in all_boards()))


def table(rows: Sequence[Row]) -> str:
    """The boards with what their design takes."""
    boards = {board.name: board for board in all_boards()}
    header = ["board", "part", "oscillator", "host link", "programmer", f"{MODEL}: LUT4", "block RAM", "MHz", "cycles"]
    lines = []
    for row in rows:
        board = boards[row["board"]]
        names = ", ".join(f"`{name}`" for name in (board.name, *board.aliases))
        line = [names, board.part, f"{board.clock_mhz:g} MHz", board.host_link, board.programmer[0]]
        if "refused" in row:
            line += [f"refused: {row['refused']}", "-", "-", "-"]
        else:
            lut4, block_ram = (f"{row[key]['used']:,} of {row[key]['available']:,}" for key in ("lut4", "block_ram"))
            line += [lut4, block_ram, f"{row['clock_mhz']:.2f}", f"{row['cycles']:,g}"]
        lines.append(line)
    return markdown(header, lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "boards")


def run(options: argparse.Namespace) -> int:
    rows = results()
    chosen = [board for board in all_boards() if options.only in board.name]
    rows.fill((((board.name,), partial(measure, board)) for board in chosen), again=options.again)
    if rows.complete(PAGE):
        put(PAGE, "boards", table(rows.all))
    return 0
