"""Runs a cocotb bench on a wrapper in Icarus Verilog, which compiles at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bnnhw.design import Design
from bnnhw.generate.rtlil import rtlil
from bnnhw.generate.wrappers import wrapper
from bnnhw.toolchain.verilog import portable_verilog


def run(design: Design, bus: str, bench: str, variable: str, job: Any, folder: Path) -> None:
    """Runs the `bench` beside this file with `job` in the file that `variable` names; leaves by SystemExit if it fails."""
    from cocotb_tools.runner import get_runner

    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    source, told = folder / "net.v", folder / "job.json"
    source.write_text(portable_verilog(rtlil(wrapper(bus, design.plan, design.network), "net"), "net"))
    told.write_text(json.dumps(job))
    runner = get_runner("icarus")
    runner.build(
        sources=[source],
        hdl_toplevel="net",
        build_dir=folder / "built",
        build_args=["-g2001"],
        timescale=("1ns", "1ps"),
    )
    runner.test(
        hdl_toplevel="net",
        test_module=f"tests.generate.wrappers.{bench}",
        build_dir=folder / "built",
        test_dir=folder,
        results_xml=str(folder / "results.xml"),
        extra_env={variable: str(told), "PYTHONWARNINGS": "default"},
    )
