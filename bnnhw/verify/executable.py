"""Verilog and a C++ harness of ours become a program: for what runs too long for a bench of cocotb."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bnnhw.errors import ToolError
from bnnhw.resources import folder
from bnnhw.verify.simulator import (
    VERILATOR_OPTIONS,
    building,
    cache_folder,
    digest,
    environment,
    keep_only,
    lay_out_library,
    library_folder,
    reason,
    versions,
)


def executable(verilog: str, top: str, harness: str) -> Path:
    """A program that simulates `verilog`; kept in the cache, as `Bench` keeps its own.

    Parameters
    ----------
    verilog
        The source, module `top`.
    harness
        Name of the C++ file in ``sim/`` that has `main`. It includes ``V<top>.h``.

    Raises
    ------
    ToolError
        If Verilator or a C++ compiler is missing, or refuses the source.
    """
    variables = environment("verilator")
    source = folder("sim") / harness
    target = cache_folder() / digest(verilog, top, source.read_text(), Path(__file__).read_text(), versions())
    if not target.is_dir():
        with building(target) as scratch:
            lay_out_library(library_folder(waves=False), scratch)
            (scratch / f"{top}.v").write_text(verilog)
            translate = ["verilator", "--cc", "--exe", "-Mdir", ".", "--top-module", top, "--prefix", f"V{top}"]
            make = ["make", "-j", str(os.cpu_count() or 1), "-f", f"V{top}.mk"]  # its options are in the environment
            with (scratch / "build.log").open("wb") as log:
                for command in ([*translate, "-o", top, *VERILATOR_OPTIONS, f"{top}.v", str(source)], make):
                    try:
                        done = subprocess.run(
                            command, cwd=scratch, env={**os.environ, **variables}, stdout=log, stderr=log, check=False
                        )
                    except OSError as error:
                        raise ToolError(f"{command[0]} cannot be run: {error.strerror}: install it") from None
                    if done.returncode != 0:
                        found = reason(scratch / "build.log", f"exit status {done.returncode}")
                        raise ToolError(f"{command[0]} cannot compile the simulation of {top}: {found}")
            keep_only(scratch, top, "build.log")
    return target / top
