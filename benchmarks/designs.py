"""Area, clock, cycles and mismatches of every model on every board, with a plot of them.

Each entry is compiled, simulated, compared bit by bit and routed; its numbers go to ``benchmarks/results/``, one JSON
file each, so that an interrupted run goes on where it stopped. From all of these files come the tables of README.md,
docs/results.md and docs/speed.md, the plot docs/roofline.svg, and ``benchmarks/results.json``; what changed since the
last commit is printed. Area, clock and cycles are the same at every run with the same versions and seeds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from benchmarks import clocks, figures, roofline, tables
from benchmarks.commands import add_again, add_only
from benchmarks.entries import Entry, entries
from benchmarks.measure import Measurement, Results
from bnnhw.errors import BnnhwError
from bnnhw.exploration.running import run as run_tasks
from bnnhw.exploration.tasks import digest
from bnnhw.files import write_text


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="designs at a time (default: %(default)s)")
    add_again(parser)
    add_only(parser, "entries")
    parser.add_argument("--tables-only", action="store_true", help="measure nothing")
    parser.add_argument("--list", action="store_true", help="tell the entries and whether they are measured, no more")


def run(options: argparse.Namespace) -> int:
    known = entries()
    chosen = [entry for entry in known if options.only in entry.name]
    if options.list:
        for entry in chosen:
            print(f"{entry.name}: {'to do' if Results().get(Measurement(entry)) is None else 'measured'}")
        return 0
    failed = []
    if not options.tables_only:
        failed = measure_all(chosen, options.jobs, Results(again=options.again))
    designs = figures.measured()
    for name, figure, before, after in figures.changes(figures.committed(), designs):
        print(f"changed: {name}: {figure}: {before} -> {after}")
    figures.save(designs)
    tables.write(designs)
    write_text(roofline.PLOT, roofline.plot(designs))
    clocks.write()
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or any(f.get("mismatches") for f in designs.values()) else 0


def measure_all(chosen: list[Entry], jobs: int, results: Results) -> list[str]:
    """Measures on this machine, each entry in a process of its own; gives the names of those that failed."""
    routes = max(1, (os.cpu_count() or 1) // jobs)
    tasks = []
    for entry in chosen:
        if entry.present:
            tasks.append(Measurement(entry, routes))
        else:
            print(f"{entry.name}: skipped, no file {entry.source}: set BNNHW_SHARED_DATA to the folder of such models")
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=fresh, max_tasks_per_child=1) as executor:
        answers = run_tasks(tasks, executor, store=results)
    failed = []
    for task in tasks:
        if isinstance(error := answers[digest(task)], BnnhwError):
            print(f"{task.name}: FAILED: {error}")
            failed.append(task.name)
    return failed
