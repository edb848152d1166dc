"""Compiled simulators: what is kept between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnnhw.verify.simulator import Bench

VERILOG = """module accelerator(input clk, input rst, input i__valid, output reg o__valid);
  always @(posedge clk) o__valid <= i__valid;
endmodule
"""


@pytest.mark.sim
def test_the_library_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNNHW_CACHE", str(tmp_path))
    logs = []
    for comment in ("// one\n", "// two\n"):
        before = set(tmp_path.glob("simulators/*/build.log"))
        Bench(VERILOG + comment, "accelerator")
        (log,) = set(tmp_path.glob("simulators/*/build.log")) - before
        logs.append(log.read_text())
        # Of 150 MB, the program.
        assert {path.name for path in log.parent.iterdir()} == {"accelerator", "build.log"}
    assert ["-c -o verilated.o" in log for log in logs] == [True, False]
    assert all("Vtop.cpp" in log for log in logs)
