"""Measures how long `bnnhw compile` takes from the shell, and how much memory.

    python -m benchmarks.compile_speed [--only TEXT]

The best of three runs each, as other work on the machine makes them longer. Writes ``benchmarks/compile.json``, and the
table of docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import figures, tables
from benchmarks.entries import CNV_1W2A, TFC_1W1A, Entry
from bnnhw.files import write_text

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


def measure(entry: Entry) -> dict[str, Any]:
    """The best of some runs, and the size of the Verilog."""
    options = [word for key, value in entry.compile.items() for word in (f"--{key}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        words = ["compile", entry.source, "--board", entry.board, *options, "-o", folder]
        found = [timed([sys.executable, "-m", "bnnhw", *words]) for _ in range(RUNS)]
        size = (Path(folder) / "accelerator.v").stat().st_size
    row = {key: min(run[key] for run in found) for key in found[0]}
    return {"model": entry.title, "board": entry.board, "options": " ".join(options), **row, "verilog_kb": size // 1000}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compile_speed", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="models and boards whose name holds this text")
    options = parser.parse_args()
    rows = json.loads(tables.COMPILE.read_text()) if tables.COMPILE.is_file() else []
    known = {(row["model"], row["board"]): row for row in rows}
    for entry in CASES:
        if entry.present and options.only in entry.name:
            known[entry.title, entry.board] = row = measure(entry)
            print(row, flush=True)
            kept = [known[key] for key in ((case.title, case.board) for case in CASES) if key in known]
            write_text(tables.COMPILE, json.dumps(kept, indent=1) + "\n")
    tables.write(figures.measured())


if __name__ == "__main__":
    main()
