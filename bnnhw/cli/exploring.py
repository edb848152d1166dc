"""``explore``: many designs side by side, and those of them that no other one beats."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.terminal import Cell, counter, percent, table, write
from bnnhw.errors import ToolError
from bnnhw.progress import shown

FASTEST, FREE = "max", "free"


def add_commands(commands: options.Commands) -> None:
    parser = options.add_command(
        commands, "explore", explore, "plans or builds models for boards at several rates, and shows the best designs"
    )
    parser.add_argument("models", metavar="MODEL", nargs="+", help=options.MODEL)
    options.add_reading(parser)
    parser.add_argument("--board", nargs="+", default=[], metavar="B", help="boards: names, or paths of their files")
    parser.add_argument("--part", nargs="+", default=[], metavar="P", help="FPGAs without a board, to plan for")
    parser.add_argument(
        "--fps",
        nargs="+",
        type=rate,
        default=[None],
        metavar="N",
        help=f"inferences per second to reach with the fewest LUTs, or {FASTEST} for as many as fit (default)",
    )
    parser.add_argument(
        "--folding",
        nargs="+",
        type=folding,
        default=[None],
        metavar="FILE",
        help=f"files that fix layers, in FINN's spelling or that of a plan.json, or {FREE} for none (default)",
    )
    parser.add_argument(
        "--clock-mhz", type=options.positive, metavar="F", help="clock assumed for --fps, and the fastest of a build"
    )
    parser.add_argument("--build", action="store_true", help="make bitstreams: areas and clocks are then measured")
    parser.add_argument(
        "--seeds",
        type=options.at_least_one,
        default=1,
        metavar="N",
        help="routes per design (default: %(default)s)",
    )
    parser.add_argument(
        "--accuracy",
        type=Path,
        metavar="X.npz",
        help="file with `inputs` (N, ...) and `labels` (N,) for all accuracies (default: those of shipped models)",
    )
    options.add_output(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs", type=options.at_least_one, metavar="N", help="designs at a time (default: one per processor)"
    )
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that makes the designs instead")


def rate(text: str) -> float | None:
    """Inferences per second; None for the fastest."""
    if text == FASTEST:
        return None
    try:
        return options.positive(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"must be a number above 0 or {FASTEST}, not {text!r}") from None


def folding(text: str) -> Path | None:
    """A folding file; None for a folding that the plan finds."""
    return None if text == FREE else Path(text)


def explore(arguments: argparse.Namespace) -> int:
    jobs = arguments.jobs or (None if arguments.scheduler else os.cpu_count() or 1)
    tell = counter("points")
    reached = (0, 0)

    def count(done: int, of: int) -> None:
        nonlocal reached
        reached = done, of
        tell(done, of)

    try:
        with shown("exploring"):
            rows = explored(arguments, jobs, count)
    except KeyboardInterrupt:
        done, of = reached
        print(f"{done} of {of} are kept in {arguments.output}: the same command goes on from there", file=sys.stderr)
        raise
    write(arguments.json, {"rows": rows}, f"{rows_text(rows)}\n\nwritten to {arguments.output}; see results.html")
    failed = [row for row in rows if row["outcome"] == "failed"]
    if failed:
        first = failed[0]
        raise ToolError(
            f"{len(failed)} of {len(rows)} points failed and are tried again the next time, first {first['model']} on "
            f"{first['board'] or first['part']}: {first['reason']}"
        )
    return 0


def explored(
    arguments: argparse.Namespace, jobs: int | None, count: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    """The rows of what the arguments ask for."""
    return bnnhw.explore(
        arguments.models,
        boards=arguments.board,
        parts=arguments.part,
        fps=arguments.fps,
        foldings=arguments.folding,
        clock_mhz=arguments.clock_mhz,
        build=arguments.build,
        seeds=arguments.seeds,
        accuracy=arguments.accuracy,
        folder=arguments.output,
        jobs=jobs,
        scheduler=arguments.scheduler,
        input_format=arguments.input_format,
        output_tensor=arguments.output_tensor,
        count=count,
    )


def rows_text(rows: Sequence[dict[str, Any]]) -> str:
    """The designs that no other one beats, and what became of the others."""
    header = (
        "board", "model", "fps asked", "accuracy", "LUT4", "block RAM", "MHz", "cycles", "inferences/s", "latency, us",
    )  # fmt: skip
    best = [row for row in rows if row["pareto"]]
    lines: list[tuple[Cell, ...]] = [
        (
            row["board"] or row["part"],
            row["model"],
            row["fps"],
            percent(row["accuracy"]),
            row["lut4"],
            row["block_ram"],
            row["clock_mhz"],
            row["cycles_per_inference"],
            f"{row['inferences_per_second']:,.0f}",
            row["latency_us"],
        )
        for row in best
    ]
    counts = {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in ("planned", "built", "refused")}
    said = ", ".join(f"{number:,} {outcome}" for outcome, number in counts.items() if number)
    text = f"{len(rows):,} points: {said or 'no design'}; no other design for the same target beats these {len(best):,}"
    return f"{text}:\n\n{table(header, lines)}" if best else text
