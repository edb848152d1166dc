"""What the host link carries, at both of its rates.

The driver runs 10,000 inferences on simulated boards and counts wrong answers. A board's time is its clock cycles,
which go on while this computer thinks: the rate is at least the one that is shown. Writes ``benchmarks/link.json`` row
by row, so that an interrupted run goes on where it stopped, and a table of docs/link.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from benchmarks.commands import add_again, add_only
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw.compiler import make_design
from bnnhw.host import Driver
from bnnhw.line import BASE_BAUD
from bnnhw.toolchain import find_board
from bnnhw.verify.simulated_board import SimulatedBoard
from campaigns.faults import samples_of

RESULTS = ROOT / "benchmarks" / "link.json"
PAGE = "docs/link.md"
MODEL, FPS, INFERENCES = "digits-binary", 60_000, 10_000
BOARDS = ("icebreaker", "ulx3s-85f")


def measure(name: str, baud: int) -> Row:
    """What the driver reaches on a simulated board with a line of at most `baud`."""
    board = find_board(name)
    design = make_design(MODEL, board=name, fps=FPS)
    samples = samples_of(design).take(INFERENCES, seed=1)
    with SimulatedBoard(design, baud=baud) as port:
        driver = Driver(port, timeout=600.0)
        identity = driver.identify()
        results = driver.infer(samples.codes)
        cycles = port.close()
    right = (results.integers == samples.integers).all(axis=1) & (results.labels == samples.labels)
    return {
        "board": name,
        "baud": driver.traffic.baud,
        "clock_mhz": board.link_mhz,
        "block": identity.block,
        "inferences": len(results.labels),
        "wrong": int((~right | results.errors).sum()),
        "retries": driver.traffic.retries,
        "per_second": INFERENCES / (cycles / (board.link_mhz * 1e6)),
        "limit": identity.frames_per_second(driver.traffic.baud),
    }


def results() -> Rows:
    """What is known."""
    keys = ((name, baud) for name in BOARDS for baud in (BASE_BAUD, find_board(name).fast_baud()))
    return Rows(RESULTS, ("board", "baud"), keys)


def table(rows: Sequence[Row]) -> str:
    """What was reached beside what the line can carry."""
    shown = ("inferences", "wrong", "sent again", "inferences/s", "the line's limit")
    header = (f"{MODEL} on", "link's clock", "baud", "frames a block", *shown)
    lines = [
        [
            row["board"],
            f"{row['clock_mhz']:g} MHz",
            f"{row['baud']:,}",
            f"{row['block']}",
            f"{row['inferences']:,}",
            f"{row['wrong']:,}",
            f"{row['retries']:,}",
            f"{row['per_second']:,.0f}",
            f"{row['limit']:,.0f}",
        ]
        for row in rows
    ]
    return markdown(header, lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "boards")


def run(options: argparse.Namespace) -> int:
    rows = results()
    bauds = {name: (BASE_BAUD, find_board(name).fast_baud()) for name in BOARDS if options.only in name}
    cases = [(name, baud) for name, both in bauds.items() for baud in both]
    rows.fill(((case, partial(measure, *case)) for case in cases), again=options.again)
    if rows.complete(PAGE):
        put(PAGE, "rates", table(rows.all))
    return 1 if any(row["wrong"] for row in rows.all) else 0
