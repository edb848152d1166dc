"""Plan -> bitstream, with the accelerator's clock chosen from what timing allows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bnnhw import artifacts
from bnnhw.artifacts import REPORT
from bnnhw.dataflow import Cycles, Network, Plan, check_clock, memory_image
from bnnhw.errors import InputError, PlanError
from bnnhw.files import cannot_write
from bnnhw.line import BASE_BAUD
from bnnhw.progress import Progress, silent
from bnnhw.toolchain import tools
from bnnhw.toolchain.bitstream import Job
from bnnhw.toolchain.boards import Board, all_boards, find_board
from bnnhw.toolchain.page import write_page
from bnnhw.toolchain.programmer import program
from bnnhw.toolchain.report import built_bitstream, make_report

__all__ = ["Board", "all_boards", "build_bitstream", "built_bitstream", "find_board", "program", "write_page"]

MAX_SEED = 2**31 - 1


def build_bitstream(
    plan: Plan,
    network: Network,
    directory: Path,
    *,
    board: Board,
    cycles: Cycles,
    simulated: bool = True,
    model_file: Path | None = None,
    accuracy: tuple[float, int] | None = None,
    encoder: str | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
    seeds: int = 1,
    jobs: int | None = None,
    baud: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Makes the bitstream, the image of what it does not hold, and report.json of `plan` in `directory`: all files or
    none.

    The accelerator runs at the fastest clock that the board's PLL can make and that the timing of the route allows;
    the host link runs at the oscillator's clock.

    Parameters
    ----------
    directory
        Where the files go; made if it does not exist. What is there of a build of another design goes.
    cycles
        Latency and interval of the accelerator.
    simulated
        Whether they were measured, or are those of the cycle model.
    model_file, accuracy
        What the plan was made of, its share of right classes and of how many samples, for the report.
    encoder
        What is said of where a lookup-table network's bits are made, for the report.
    clock_mhz
        Run no faster than this; None for as fast as timing allows.
    seed, seeds
        The first seed of the placer, and how many to try: the fastest route is taken. The same seeds and tools give the
        same bitstream.
    jobs
        How many routes at the same time; None for as many as there are processors.
    baud
        The fast rate of the host link; None for the fastest that the board's bridge and clock allow.
    progress
        Told of each step.

    Returns
    -------
    dict
        What report.json holds: see ``docs/boards.md``.

    Raises
    ------
    PlanError
        If the design does not fit the part or the link, or timing does not allow `clock_mhz`, or no clock at all, or
        there is no such clock.
    ToolError
        If a tool is missing or fails.
    InputError
        If the directory cannot be written, or `seed`, `seeds` or `jobs` is no such thing.
    """
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"--seed must be 0 to {MAX_SEED}, not {seed}")
    if not 1 <= seeds <= MAX_SEED - seed + 1:
        raise InputError(f"--seeds must be 1 to {MAX_SEED - seed + 1}, not {seeds}")
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs must be at least 1, not {jobs}")
    if clock_mhz is not None:
        check_clock(clock_mhz)
    fast_baud = board.fast_baud(baud)
    if plan.part != board.part:
        raise PlanError(f"the plan is for {plan.part}, but board {board.name} has {board.part}: compile for this board")
    for tool in tools.of_family(board.device.family):
        tools.prepare(tool, progress)
    with _workspace(directory) as folder:
        at_once = min(seeds, jobs or os.cpu_count() or 1)
        job = Job(plan, network, board, folder, range(seed, seed + seeds), at_once, fast_baud, progress)
        clock, timing = job.run(clock_mhz)
        image = memory_image(plan, network)
        if image is not None:
            (folder / artifacts.IMAGE).write_bytes(image)
        report = make_report(
            plan,
            network,
            board,
            folder,
            cycles=cycles,
            simulated=simulated,
            clock_mhz=float(clock),
            timing=timing,
            seed=job.seed,
            reached_mhz=job.reached_mhz,
            baud=fast_baud or BASE_BAUD,
            link_frames_per_second=job.link_frames_per_second,
            model_file=model_file,
            accuracy=accuracy,
            encoder=encoder,
            options={"seed": seed, "seeds": seeds, "clock_mhz": clock_mhz, "baud": baud},
            seconds=job.seconds,
        )
        (folder / REPORT).write_text(artifacts.to_json(report))
        products = (
            board.bitstream,
            artifacts.SYNTHESIS_LOG,
            artifacts.ROUTE_LOG,
            artifacts.ROUTE_REPORT,
            *((artifacts.IMAGE,) if image is not None else ()),
            REPORT,
        )
        artifacts.remove(directory, artifacts.of_others(directory, plan.digest))
        _move(folder, directory, products)
    return report


@contextmanager
def _workspace(directory: Path) -> Iterator[Path]:
    """A folder beside `directory`, so that its files can be moved there; gone afterwards."""
    try:
        parent = directory.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=f".{directory.name}."))
    except OSError as error:
        raise InputError(cannot_write(directory, error)) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(source: Path, target: Path, names: tuple[str, ...]) -> None:
    """Moves files; the last one says that all are there, so an older one of its name goes first."""
    try:
        target.mkdir(exist_ok=True)
        (target / names[-1]).unlink(missing_ok=True)
        for name in names:
            os.replace(source / name, target / name)
    except OSError as error:
        raise InputError(cannot_write(target, error)) from None
