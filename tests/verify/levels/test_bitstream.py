"""Bitstreams turned back into Verilog."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw.errors import InputError, ToolError
from bnnhw.toolchain import find_board
from bnnhw.verify import unpacked
from tests.toolchain.test_programmer import built

MODEL = "digits-binary"
VALUES = np.zeros((1, 64), np.float32)


def test_needs_the_folder_of_a_build(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="level bitstream needs the folder of a build"):
        bnnhw.compare(MODEL, levels=["bitstream"], board="icebreaker", samples=1)
    with pytest.raises(InputError, match="no bitstream: run `bnnhw build`"):
        unpacked.unpacked(find_board("icebreaker"), tmp_path)


def test_only_ice40(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="level bitstream is for iCE40, and board ulx3s-85f has ecp5-85f"):
        unpacked.unpacked(find_board("ulx3s-85f"), tmp_path)


def test_without_icebox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match="icebox_vlog is missing: apt install fpga-icestorm"):
        unpacked.unpacked(find_board("icebreaker"), tmp_path)


def test_models_of_what_is_used() -> None:
    head = "module board (input rx, output tx, input clk);\nwire n1, rx, n2;\nwire tx;\n"
    text = head + "SB_PLL40_2_PAD #(.DIVR(4'b0000)) PLL (\n  .PACKAGEPIN(n5814),\n  .PLLOUTGLOBALA(n8)\n);\n"
    found = unpacked.with_models(text, find_board("icebreaker"))
    assert ".PACKAGEPIN(clk)" in found
    assert "(input rx, output tx, input clk);\nwire n1, n2;\n\nSB_PLL40_2_PAD" in found
    assert found.count("module SB_PLL40_2_PAD (") == 1
    assert "wire clk = PACKAGEPIN;" in found
    assert "module SB_RAM40_4K" in found


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.synth
@pytest.mark.parametrize("board", ["icebreaker", "ice40-hx8k-b-evn"])
def test_digits(board: str, tmp_path: Path) -> None:
    if shutil.which("icebox_vlog") is None:
        pytest.skip("icebox_vlog is not installed (Debian's package fpga-icestorm)")
    bnnhw.build(MODEL, board=board, folder=tmp_path)
    result = bnnhw.compare(tmp_path, levels=["bitstream"], samples=3)
    assert result["mismatches"] == 0
    assert result["levels"]["bitstream"]["samples"] == 3
