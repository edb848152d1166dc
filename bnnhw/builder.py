"""From a design to its bitstream and report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bnnhw.design import Design
from bnnhw.encoders import encoder_costs
from bnnhw.progress import Progress
from bnnhw.shipped import known_accuracy
from bnnhw.toolchain import build_bitstream, find_board
from bnnhw.verify.simulation import simulated_cycles


def build_design(
    design: Design,
    folder: Path,
    *,
    clock_mhz: float | None,
    seed: int = 1,
    seeds: int = 1,
    jobs: int | None,
    baud: int | None = None,
    progress: Progress,
) -> dict[str, Any]:
    """Simulates a few frames of `design`, and makes the bitstream and report.json in `folder`; see `bnnhw.build`.

    Raises
    ------
    BnnhwError
        As `build_bitstream`; if the simulator fails.
    """
    cycles, simulated = simulated_cycles(design, progress)
    return build_bitstream(
        design.plan,
        design.network,
        folder,
        board=find_board(design.plan.board),
        cycles=cycles,
        simulated=simulated,
        model_file=design.file,
        accuracy=known_accuracy(design.file),
        encoder=None if design.source is None else encoder_costs(design.source, design.network),
        clock_mhz=clock_mhz,
        seed=seed,
        seeds=seeds,
        jobs=jobs,
        baud=baud,
        progress=progress,
    )
