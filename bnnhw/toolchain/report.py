"""report.json: what a build made, how fast it is, and all that is needed to make it again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from bnnhw.artifacts import IMAGE, PLAN, REPORT, sha256
from bnnhw.dataflow import Cycles, Network, Plan, load_plan
from bnnhw.errors import InputError
from bnnhw.reading import read_json
from bnnhw.toolchain import flow, tools
from bnnhw.toolchain.boards import Board, find_board
from bnnhw.toolchain.critical_path import critical_path
from bnnhw.toolchain.link_limit import lift
from bnnhw.toolchain.owners import area_by_layer

SCHEMA = 3


def make_report(
    plan: Plan,
    network: Network,
    board: Board,
    folder: Path,
    *,
    cycles: Cycles,
    simulated: bool,
    clock_mhz: float,
    timing: flow.Timing,
    seed: int,
    reached_mhz: Mapping[int, float | None],
    baud: int,
    link_frames_per_second: float,
    model_file: Path | None,
    accuracy: tuple[float, int] | None,
    encoder: str | None,
    options: Mapping[str, Any],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The report of the bitstream in `folder`.

    Parameters
    ----------
    cycles
        Latency and interval of the accelerator.
    simulated
        Whether they were measured, or are those of the cycle model.
    clock_mhz
        What the accelerator runs at.
    timing
        What timing allows.
    seed, reached_mhz
        The seed whose route was taken, and what timing allows with each that was tried.
    baud
        The fastest rate of the host link.
    link_frames_per_second
        What the host link can carry.
    model_file
        What the plan was made of, where that is known.
    accuracy
        The share of right classes, and of how many samples, where they are known.
    encoder
        Where a lookup-table network's bits are made, and what that and the other way cost.
    options
        What the user asked for.
    seconds
        Wall time of each step.
    """
    part = board.device
    family = part.family
    limit = {"logic": part.logic_macs_per_cycle, "memory_bandwidth": part.bandwidth_macs_per_cycle}
    macs_per_cycle = plan.macs / cycles.interval
    per_second = clock_mhz * 1e6 / cycles.interval
    versions = {"bnnhw": package_version("bnnhw"), "python": platform.python_version()}
    versions |= {name: package_version(name) for name in ("amaranth", "amaranth-boards", "numpy", "onnx")}
    versions |= {tool.name: tools.version(tool) for tool in tools.of_family(family)}
    return {
        "schema": SCHEMA,
        "board": board.name,
        "board_title": board.title,
        "part": board.part,
        "model": plan.model,
        "digest": plan.digest,
        "model_file": None if model_file is None else {"name": model_file.name, "sha256": digest_of(model_file)},
        "accuracy": None if accuracy is None else accuracy[0],
        "accuracy_samples": None if accuracy is None else accuracy[1],
        "encoder": encoder,
        "layers": [{"name": layer.name, **layer.folding} for layer in plan.layers],
        "bitstream": board.bitstream,
        "sha256": sha256(folder / board.bitstream),
        "weights": _image(folder, board) if plan.loads else None,
        "clock_mhz": clock_mhz,
        "fmax_mhz": timing.accel_mhz,
        "seed": seed,
        "fmax_mhz_by_seed": {str(tried): mhz for tried, mhz in reached_mhz.items()},
        "link": {
            "clock_mhz": board.link_mhz,
            "fmax_mhz": timing.link_mhz,
            "baud": baud,
            "lift": lift(board, baud=baud, link_per_second=link_frames_per_second, per_second=per_second),
        },
        "utilization": flow.utilization(board, folder),
        "area": area_by_layer(plan, network, folder),
        "critical_path": critical_path(plan, network, folder),
        "cycles_per_inference": cycles.interval,
        "latency_cycles": cycles.latency,
        "cycles_from": "simulation" if simulated else "cycle model",
        "inferences_per_second": per_second,
        "link_inferences_per_second": link_frames_per_second,
        "macs_per_inference": plan.macs,
        "macs_per_cycle": macs_per_cycle,
        "limit": limit,
        "efficiency": macs_per_cycle / min(limit.values()),
        "options": {**options, "synthesis": flow.synthesis(part)},
        "tools": versions,
        "seconds": {step: round(value, 3) for step, value in seconds.items()},
    }


def _image(folder: Path, board: Board) -> dict[str, Any]:
    """What is loaded at power-up: its file, and where in the flash it goes."""
    flash = board.flash
    return {
        "file": IMAGE,
        "sha256": sha256(folder / IMAGE),
        "bytes": (folder / IMAGE).stat().st_size,
        "flash_address": None if flash is None else flash.address,
    }


def digest_of(path: Path) -> str:
    """SHA-256 of a model file; of a folder, of the names and contents of the files in it, sorted by name.

    Raises
    ------
    InputError
        If one of them cannot be read.
    """
    content = hashlib.sha256()
    try:
        if path.is_dir():
            for file in sorted(file for file in path.iterdir() if file.is_file()):
                content.update(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n".encode())
        else:
            content.update(path.read_bytes())
    except OSError as error:
        raise InputError(f"{error.filename or path}: cannot be read: {error.strerror or error}") from None
    return content.hexdigest()


def package_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # a checkout on the path
        return "not installed"


def read_report(folder: Path) -> dict[str, Any]:
    """Reads the report.json in `folder`.

    Raises
    ------
    InputError
        If there is none, or it is of another version.
    """
    path = folder / REPORT
    report = read_json(path, remedy="give a folder that `bnnhw build` wrote", links=False)
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise InputError(f"{path}: not a report of this version of bnnhw: build again")
    return report


def built_bitstream(folder: Path) -> tuple[Board, Path]:
    """The board that `build` made a bitstream for in `folder`, and the bitstream.

    Raises
    ------
    InputError
        If there is none, or it is not the one that was built, or of another design than the plan that lies beside it.
    """
    report = read_report(folder)
    if (folder / PLAN).exists():
        plan = load_plan(folder / PLAN)
        if (plan.digest, plan.board) != (report.get("digest"), report.get("board")):
            raise InputError(f"{folder}: compiled again after its bitstream was built: build again")
    board = find_board(str(report.get("board")))
    bitstream = folder / board.bitstream
    if not bitstream.is_file():
        raise InputError(f"{bitstream}: missing: build again")
    if sha256(bitstream) != report.get("sha256"):
        raise InputError(f"{bitstream}: not the bitstream that {REPORT} describes: build again")
    return board, bitstream


def built_image(folder: Path) -> Path | None:
    """The image of memories that `build` made for the bitstream in `folder`; None where there are none to load.

    Raises
    ------
    InputError
        If it is missing, or not the one that was built.
    """
    weights = read_report(folder).get("weights")
    if not isinstance(weights, dict):
        return None
    path = folder / IMAGE
    if not path.is_file():
        raise InputError(f"{path}: missing: build again")
    if sha256(path) != weights.get("sha256"):
        raise InputError(f"{path}: not the weights that {REPORT} describes: build again")
    return path
