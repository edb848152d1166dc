"""Accelerators after synthesis, in the cells of their part."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY
from bnnhw.cache import cache_folder
from bnnhw.compiler import make_design
from bnnhw.dataflow import Network
from bnnhw.design import Design
from bnnhw.errors import InputError
from bnnhw.inputs import inputs_for
from bnnhw.passes import to_integers
from bnnhw.verify import compare, netlist
from campaigns.random_graphs import batch_norm, graph_of, matmul, quant

pytestmark = [pytest.mark.sim, pytest.mark.synth]

BOARDS = ("icebreaker", "ulx3s-85f")


def small(board: str, folder: Path) -> Design:
    """Two layers with their weights in block RAM; `make slow` has the shipped models."""
    rng = np.random.default_rng(1)
    nodes = [quant(2, narrow=True), matmul(rng, 24, 10, TERNARY), *batch_norm(rng, 10), quant(3, 0.5)]
    graph = graph_of([*nodes, matmul(rng, 10, 4, BIPOLAR)], (24,))
    names = [layer.name for layer in Network.of(to_integers(graph)).layers]
    block = {"weight_memory": "block", "threshold_memory": "block"}
    folding = [{"name": names[0], "pe": 2, "simd": 3, **block}, {"name": names[1], "pe": 2, "simd": 2, **block}]
    (folder / "folding.json").write_text(json.dumps({"layers": folding}))
    return make_design(graph, board=board, folding=folder / "folding.json")


@pytest.mark.parametrize("board", BOARDS)
def test_small_design(board: str, tmp_path: Path) -> None:
    design = small(board, tmp_path)
    values = inputs_for(design.graph, None, 20)
    found = compare(design, values.values, levels=["rtl", "netlist"])
    assert found.mismatches == 0
    rtl, cells = found.levels["rtl"], found.levels["netlist"]
    # The same cycles: synthesis changes no register.
    assert (cells.cycles, cells.facts) == (rtl.cycles, rtl.facts)
    text = netlist.netlist(design.plan, design.network)
    assert {"icebreaker": "SB_RAM40_4K", "ulx3s-85f": "DP16KD"}[board] in text.split("module accelerator")[1]


@pytest.mark.parametrize("board", BOARDS)
def test_unknown_bits_stay_out(board: str, tmp_path: Path) -> None:
    """Icarus knows X: what is left open in a netlist, such as the ends of carry chains, reaches no answer."""
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    design = small(board, tmp_path)
    values = inputs_for(design.graph, None, 1).values
    assert compare(design, values, levels=["netlist"], simulator="icarus").mismatches == 0


def test_a_wrong_netlist_is_told_from_wrong_verilog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design = small("icebreaker", tmp_path)
    values = inputs_for(design.graph, None, 40).values
    right = netlist.netlist(design.plan, design.network)
    # All block RAMs with the opposite content.
    opposite = str.maketrans("01", "10")
    wrong = re.sub(r"(?<=\.INIT_.\(256'b)[01x]+", lambda bits: bits[0].translate(opposite), right)
    assert wrong != right
    monkeypatch.setattr("bnnhw.verify.levels.netlist.netlist", lambda plan, network: wrong)
    found = compare(design, values, levels=["netlist"], folder=tmp_path)
    assert found.mismatches > 0
    first = found.levels["netlist"].first_difference
    assert first is not None
    assert "netlist differs from rtl" in first["note"]
    assert (tmp_path / "compare-netlist.vcd").is_file()
    assert first["cycle"] > 0


def test_synthesis_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design = small("icebreaker", tmp_path)
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
