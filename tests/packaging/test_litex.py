"""The module for LiteX: a design in LiteX around it passes the package's own bench."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.designs import folded
from tests.packaging.test_package import packaged

BUSES = ("stream", "axi-stream", "wishbone")
SCRIPT = Path(__file__).with_name("litex_design.py")

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("bus", BUSES)
def test_a_design_in_litex_passes_the_bench(bus: str, tmp_path: Path) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    packaged(folded, bus, tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", SCRIPT, tmp_path, "net", bus], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    bench = tmp_path / "net_tb.v"
    text = bench.read_text()
    assert text.count("  net dut (") == 1
    bench.write_text(text.replace("  net dut (", "  around dut ("))
    subprocess.run(["iverilog", "-g2001", "-o", "bench.vvp", "net_tb.v", "around.v", "net.v"], cwd=tmp_path, check=True)
    ran = subprocess.run(["vvp", "-N", "bench.vvp"], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0 and "PASS" in ran.stdout, ran.stdout


def test_the_file_can_be_imported_without_litex(tmp_path: Path) -> None:
    packaged(folded, "wishbone", tmp_path)
    code = (
        "import sys; sys.modules.update(litex=None, migen=None)\n"
        "from net_litex import Accelerator\n"
        "print(Accelerator.ELEMENTS, Accelerator.LANES, Accelerator.INTEGERS)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["17", "7", "9"]
