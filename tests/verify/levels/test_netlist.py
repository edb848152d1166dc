"""Accelerators after synthesis, in the cells of their part."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw.cache import cache_folder
from bnnhw.compiler import make_design
from bnnhw.errors import InputError
from bnnhw.inputs import inputs_for
from bnnhw.verify import compare, netlist

pytestmark = [pytest.mark.sim, pytest.mark.synth]

BOARDS = ("icebreaker", "ulx3s-85f")


@pytest.mark.parametrize("board", BOARDS)
def test_small_design(board: str) -> None:
    design = make_design("digits-binary", board=board, fps=20_000)
    values = inputs_for(design.graph, None, 5)
    found = compare(design, values.values, levels=["rtl", "netlist"])
    assert found.mismatches == 0
    rtl, cells = found.levels["rtl"], found.levels["netlist"]
    # The same cycles: synthesis changes no register.
    assert (cells.cycles, cells.facts) == (rtl.cycles, rtl.facts)
    text = netlist.netlist(design.plan, design.network)
    assert {"icebreaker": "SB_RAM40_4K", "ulx3s-85f": "DP16KD"}[board] in text.split("module accelerator")[1]


@pytest.mark.parametrize("board", BOARDS)
def test_unknown_bits_stay_out(board: str) -> None:
    """Icarus knows X: what is left open in a netlist, such as the ends of carry chains, reaches no answer."""
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    design = make_design("digits-binary", board=board, fps=20_000)
    values = inputs_for(design.graph, None, 1).values
    assert compare(design, values, levels=["netlist"], simulator="icarus").mismatches == 0


def test_a_wrong_netlist_is_told_from_wrong_verilog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design = make_design("digits-binary", board="icebreaker", fps=20_000)
    values = inputs_for(design.graph, None, 4).values
    right = netlist.netlist(design.plan, design.network)
    head, body = right.split("module accelerator", 1)
    # A block RAM with another content, somewhere.
    at = body.index(".INIT_0(256'h") + len(".INIT_0(256'h")
    wrong = f"{head}module accelerator{body[:at]}{int(body[at : at + 64], 16) ^ (1 << 256) - 1:064x}{body[at + 64 :]}"
    monkeypatch.setattr("bnnhw.verify.levels.netlist.netlist", lambda plan, network: wrong)
    found = compare(design, values, levels=["netlist"], folder=tmp_path)
    assert found.mismatches > 0
    first = found.levels["netlist"].first_difference
    assert first is not None
    assert "netlist differs from rtl" in first["note"]
    assert (tmp_path / "compare-netlist.vcd").is_file()
    assert first["cycle"] > 0


def test_synthesis_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    design = make_design("digits-binary", board="icebreaker", fps=20_000)
    first = netlist.netlist(design.plan, design.network)
    monkeypatch.setattr(netlist, "synthesise", None)
    assert netlist.netlist(design.plan, design.network) == first
    assert list(cache_folder("netlists").glob("*.v"))


def test_tensors_are_not_to_be_seen() -> None:
    values = np.zeros((1, 64), np.float32)
    with pytest.raises(InputError, match="level netlist shows only its outputs"):
        bnnhw.infer("digits-binary", values, level="netlist", all_tensors=True, board="icebreaker")


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", ["digits-binary", "digits-ternary", "mnist-binary", "mnist-ternary"])
def test_shipped_models(name: str, board: str) -> None:
    design = make_design(name, board=board)
    values = inputs_for(design.graph, None, 100).values
    assert compare(design, values, levels=["netlist"]).mismatches == 0
