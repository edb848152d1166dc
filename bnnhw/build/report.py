"""report.json: what a build made, how fast it is, and all that is needed to make it again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from bnnhw.build import flow, tools
from bnnhw.build.boards import Board
from bnnhw.dataflow import Cycles, Plan
from bnnhw.errors import InputError

REPORT = "report.json"
SCHEMA = 2


def make_report(
    plan: Plan,
    board: Board,
    folder: Path,
    *,
    cycles: Cycles,
    clock_mhz: float,
    timing: flow.Timing,
    seed: int,
    reached_mhz: Mapping[int, float | None],
    link_frames_per_second: float,
    options: Mapping[str, Any],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The report of the bitstream in `folder`.

    Parameters
    ----------
    cycles
        Latency and interval of the accelerator, as measured.
    clock_mhz
        What the accelerator runs at.
    timing
        What timing allows.
    seed, reached_mhz
        The seed whose route was taken, and what timing allows with each that was tried.
    link_frames_per_second
        What the host link can carry.
    options
        What the user asked for.
    seconds
        Wall time of each step.
    """
    part = board.device
    family = part.family
    limit = {"logic": part.logic_macs_per_cycle, "memory_bandwidth": part.bandwidth_macs_per_cycle}
    macs_per_cycle = plan.macs / cycles.interval
    versions = {"python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in ("amaranth", "amaranth-boards")}
    versions |= {tool.name: tools.version(tool) for tool in tools.of_family(family)}
    return {
        "schema": SCHEMA,
        "board": board.name,
        "part": board.part,
        "model": plan.model,
        "digest": plan.digest,
        "bitstream": board.bitstream,
        "sha256": hashlib.sha256((folder / board.bitstream).read_bytes()).hexdigest(),
        "clock_mhz": clock_mhz,
        "fmax_mhz": timing.accel_mhz,
        "seed": seed,
        "fmax_mhz_by_seed": {str(tried): mhz for tried, mhz in reached_mhz.items()},
        "link": {"clock_mhz": board.clock_mhz, "fmax_mhz": timing.link_mhz, "baud": board.baud},
        "utilization": flow.utilization(board, folder),
        "cycles_per_inference": cycles.interval,
        "latency_cycles": cycles.latency,
        "inferences_per_second": clock_mhz * 1e6 / cycles.interval,
        "link_inferences_per_second": link_frames_per_second,
        "macs_per_inference": plan.macs,
        "macs_per_cycle": macs_per_cycle,
        "limit": limit,
        "efficiency": macs_per_cycle / min(limit.values()),
        "options": {**options, "synthesis": flow.synthesis(part)},
        "tools": versions,
        "seconds": {step: round(value, 3) for step, value in seconds.items()},
    }


def read_report(folder: Path) -> dict[str, Any]:
    """Reads the report.json in `folder`.

    Raises
    ------
    InputError
        If there is none, or it is of another version.
    """
    path = folder / REPORT
    try:
        report = flow.read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}: give a folder that `bnnhw build` wrote") from None
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise InputError(f"{path}: not a report of this version of bnnhw: build again")
    return report
