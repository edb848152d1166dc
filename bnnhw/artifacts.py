"""The files of a design folder, and the tie of each one to its design.

A design has a digest. ``plan.json``, ``estimate.json``, ``compare.json`` and ``report.json`` hold it; the first line of
``accelerator.v`` does; ``graph.json`` and ``tensors.npz`` are what it is computed from; ``report.json`` has the SHA-256
of the bitstream and of ``weights.bin``. So a file that lies in the folder of another design is noticed, and never used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bnnhw.errors import InputError
from bnnhw.files import cannot_write
from bnnhw.reading import read_json

PLAN, ESTIMATE, VERILOG = "plan.json", "estimate.json", "accelerator.v"
COMPARISON, REPORT, PAGE = "compare.json", "report.json", "report.html"
IMAGE = "weights.bin"  # see `bnnhw.memory_image`
SYNTHESIS_LOG, ROUTE_LOG, ROUTE_REPORT = "yosys.log", "nextpnr.log", "nextpnr.json"

VERILOG_SCHEMA, COMPARISON_SCHEMA = 1, 2
_STAMP = re.compile(r"// bnnhw design ([0-9a-f]{16}), schema (\d+)\n")
# What a report may call a bitstream: a name in its own folder.
_BITSTREAM = re.compile(r"[\w.-]+\.(bin|bit)")


def is_design(folder: Path) -> bool:
    """Whether `folder` is one that `compile` or `build` wrote."""
    return (folder / PLAN).is_file()


def waveform_name(level: str) -> str:
    """Of the first difference at a level of a comparison."""
    return f"compare-{level}.vcd"


def stamped(verilog: str, digest: str) -> str:
    """`verilog` with the line that says which design it is of."""
    return f"// bnnhw design {digest}, schema {VERILOG_SCHEMA}\n{verilog}"


def check_stamp(verilog: str, digest: str, path: Path) -> None:
    """Refuses Verilog of another design.

    Raises
    ------
    InputError
        Naming the file `path`.
    """
    stamp = _STAMP.match(verilog)
    if stamp is None or int(stamp[2]) != VERILOG_SCHEMA:
        raise InputError(f"{path}: its first line is not that of schema {VERILOG_SCHEMA}: compile again")
    if stamp[1] != digest:
        raise InputError(f"{path}: of another design than {PLAN}: compile again")


def read_of(path: Path, digest: str, *, schema: int, remedy: str) -> dict[str, Any]:
    """The JSON object in `path`, which must be of the design `digest`.

    Parameters
    ----------
    remedy
        What the user is told to do where it is not.

    Raises
    ------
    InputError
        If it cannot be read, is of another schema or of another design.
    """
    data = read_json(path, remedy=remedy, links=False)
    if not isinstance(data, dict) or data.get("schema") != schema:
        raise InputError(f"{path}: not of schema {schema}, which this bnnhw reads: {remedy}")
    if data.get("digest") != digest:
        raise InputError(f"{path}: of another design than {PLAN}: {remedy}")
    return data


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def of_others(folder: Path, digest: str) -> list[str]:
    """Names of the files in `folder` that `compare`, `build` and `report` left there of a design that is not `digest`,
    or that are damaged."""
    found: list[str] = []
    if (folder / COMPARISON).exists() and _read(folder / COMPARISON).get("digest") != digest:
        found += [COMPARISON, *sorted(path.name for path in folder.glob(waveform_name("*")))]
    if (folder / REPORT).exists():
        report = _read(folder / REPORT)
        if report.get("digest") != digest:
            found += [REPORT, PAGE, IMAGE, SYNTHESIS_LOG, ROUTE_LOG, ROUTE_REPORT, *_bitstream_of(report)]
    return [name for name in found if (folder / name).is_file()]


def remove(folder: Path, names: list[str]) -> None:
    """Removes files.

    Raises
    ------
    InputError
        If the folder refuses.
    """
    for name in names:
        try:
            (folder / name).unlink()
        except OSError as error:
            raise InputError(cannot_write(folder / name, error)) from None


def _bitstream_of(report: dict[str, Any]) -> Iterator[str]:
    name = report.get("bitstream")
    if isinstance(name, str) and _BITSTREAM.fullmatch(name):
        yield name


def _read(path: Path) -> dict[str, Any]:
    """What `path` holds, or nothing where it is damaged."""
    try:
        data = read_json(path, remedy="")
    except InputError:
        return {}
    return data if isinstance(data, dict) else {}


def to_json(content: dict[str, Any]) -> str:
    """As these files are written."""
    return json.dumps(content, indent=2) + "\n"
