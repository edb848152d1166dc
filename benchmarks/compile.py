"""How long `bnnhw compile` takes from the shell, and how much memory.

The best of three runs each, as other work on the machine makes them longer. Writes ``benchmarks/compile.json`` and a
table of docs/speed.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.commands import add_again, add_only
from benchmarks.entries import CNV_1W2A, TFC_1W1A, Entry
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows

FILE = ROOT / "benchmarks" / "compile.json"
PAGE = "docs/speed.md"
RUNS = 3
CASES = (
    Entry("digits-binary", "icebreaker"),
    Entry(TFC_1W1A, "icebreaker"),
    Entry(TFC_1W1A, "ulx3s-85f"),
    Entry("mnist-cnn", "icebreaker"),
    Entry("mnist-cnn", "ulx3s-85f"),
    Entry(CNV_1W2A, "ulx3s-85f", compile={"fps": 5100, "clock-mhz": 60}),
)


def timed(command: list[str]) -> dict[str, float]:
    """Seconds of wall clock and of processors, and megabytes, of a command and all that it runs."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status:
        sys.exit(f"{' '.join(command)} failed")
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "megabytes": round(usage.ru_maxrss / 1024),
    }


def measure(entry: Entry) -> Row:
    """The best of some runs, and the size of the Verilog."""
    options = [word for key, value in entry.compile.items() for word in (f"--{key}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        words = ["compile", entry.source, "--board", entry.board, *options, "-o", folder]
        found = [timed([sys.executable, "-m", "bnnhw", *words]) for _ in range(RUNS)]
        size = (Path(folder) / "accelerator.v").stat().st_size
    row = {key: min(run[key] for run in found) for key in found[0]}
    return {"model": entry.title, "board": entry.board, "options": " ".join(options), **row, "verilog_kb": size // 1000}


def results() -> Rows:
    """What is known."""
    return Rows(FILE, ("model", "board"), ((case.title, case.board) for case in CASES))


def table(rows: Sequence[Row]) -> str:
    """Seconds and megabytes of each case."""
    header = ("model", "board", "options", "seconds", "of processors", "memory, MB", "Verilog, kB")
    lines = [
        [
            row["model"],
            row["board"],
            row["options"] or "-",
            f"{row['seconds']:.1f}",
            f"{row['processor_seconds']:.1f}",
            f"{row['megabytes']:,}",
            f"{row['verilog_kb']:,}",
        ]
        for row in rows
    ]
    return markdown(header, lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "models and boards")


def run(options: argparse.Namespace) -> int:
    rows = results()
    chosen = [case for case in CASES if case.present and options.only in case.name]
    rows.fill((((case.title, case.board), partial(measure, case)) for case in chosen), again=options.again)
    put(PAGE, "compile", table(rows.all))
    return 0
