"""Verilog and a C++ harness of ours become a program: for what runs too long for a bench of cocotb."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bnnhw.errors import ToolError
from bnnhw.verify import verilator


def executable(
    verilog: str, top: str, harness: Path, *, beside: Sequence[str] = (), defines: Sequence[str] = ()
) -> Path:
    """A program that simulates `verilog`; kept in the cache, as `Bench` keeps its own.

    Parameters
    ----------
    verilog
        The source, module `top`.
    harness
        The C++ file that has `main`. It includes ``V<top>.h``.
    beside
        Names of the files beside it that it includes.
    defines
        Macros that it is compiled with.

    Raises
    ------
    ToolError
        If Verilator or a C++ compiler is missing, or refuses the source.
    """
    sources = [harness, *(harness.with_name(name) for name in beside)]
    texts = [source.read_text() for source in sources]
    key = verilator.digest(verilog, top, *texts, defines, Path(__file__).read_text(), verilator.versions())
    target = verilator.simulators() / key
    if not target.is_dir():
        with verilator.workshop(target, optimisation=verilator.LONG_RUNS) as workshop:
            scratch, log = workshop.folder, workshop.folder / "build.log"
            (scratch / f"{top}.v").write_text(verilog)
            for source in sources:
                shutil.copy(source, scratch)
            translate = ["verilator", "--cc", "--exe", "-Mdir", ".", "--top-module", top, "--prefix", f"V{top}"]
            translate += [word for name in defines for word in ("-CFLAGS", f"-D{name}")]
            make = ["make", "-j", str(os.cpu_count() or 1), "-f", f"V{top}.mk"]  # its options are in the environment
            for command in ([*translate, "-o", top, *verilator.OPTIONS, f"{top}.v", harness.name], make):
                with log.open("ab") as output:
                    environment = {**os.environ, **workshop.environment}
                    done = subprocess.run(
                        command, cwd=scratch, env=environment, stdout=output, stderr=output, check=False
                    )
                if done.returncode != 0:
                    found = verilator.reason(log, f"exit status {done.returncode}")
                    raise ToolError(f"{command[0]} cannot compile the simulation of {top}: {found}")
        verilator.keep_only(target, top, "build.log")
    return target / top
