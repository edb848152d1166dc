"""A difference planted into the Verilog of a design is found where it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw import reference
from bnnhw.cli import main
from bnnhw.design import load_design
from bnnhw.inputs import inputs_for

pytestmark = pytest.mark.sim

MODEL = "digits-binary"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("design") / "work"
    bnnhw.compile(MODEL, board="icebreaker", fps=20_000, folder=path)
    return path


def flip_weight(folder: Path, layer: str, word: int, bit: int) -> None:
    """Flips one bit of a weight memory in accelerator.v."""
    path = folder / "accelerator.v"
    text = path.read_text()
    start = re.search(rf"^module \\accelerator\.{layer}_mvu_\d+\.weights ", text, re.MULTILINE)
    assert start is not None
    entry = re.compile(rf"memory\[{word}\] = (\d+)'h([0-9a-f]+);")
    found = entry.search(text, start.start())
    assert found is not None
    flipped = f"memory[{word}] = {found[1]}'h{int(found[2], 16) ^ 1 << bit:x};"
    path.write_text(text[: found.start()] + flipped + text[found.end() :])


def test_a_planted_weight_bit_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second layer, third word of neuron 5 (of one row and nine lanes at a time)."""
    whole = (folder / "accelerator.v").read_text()
    plan = load_design(folder).plan.layers[1]
    channel = 5 * plan.pe
    flip_weight(folder, "node_linear_1", 5 * plan.sf + 2, 3)
    try:
        assert main(["compare", str(folder), "--levels", "reference,rtl", "--samples", "40"]) == 1
    finally:
        (folder / "accelerator.v").write_text(whole)
    said = capsys.readouterr().out
    result = json.loads((folder / "compare.json").read_text())
    assert result["levels"]["reference"]["first_difference"] is None
    first = result["levels"]["rtl"]["first_difference"]
    assert f"rtl: layer node_linear_1, acc1, sample 0, element [{channel}], channel {channel}, cycle " in said
    assert (first["layer"], first["tensor"], first["channel"]) == ("node_linear_1", "acc1", channel)
    # A stored bit may stand for the difference of two weights (`bnnhw.gateware.arithmetic.popcount.coded`), so two products change.
    assert abs(first["found"] - first["expected"]) in (2, 4)
    assert first["sample"] == 0
    design = load_design(folder)
    right = reference.trace(design.graph, inputs_for(design.graph, None, 1).values)["acc1"]
    assert first["expected"] == right[0, channel]
    waves = Path(first["waveform"])
    assert waves.parent == folder
    assert f"b{first['cycle']:b} n" in waves.read_text()


def test_a_difference_behind_the_layers(folder: Path) -> None:
    """The lowest bit of every integer is wrong at the output: all layers agree, and the report says so."""
    whole = (folder / "accelerator.v").read_text()
    start = whole.index("module \\accelerator.label_select ")
    at = whole.index("held <= ", start) + len("held <= ")
    broken = f"{whole[:at]}14'h1 ^ {whole[at:]}"
    (folder / "accelerator.v").write_text(broken)
    try:
        result = bnnhw.compare(folder, levels=["rtl"], samples=3)
    finally:
        (folder / "accelerator.v").write_text(whole)
    first = result["levels"]["rtl"]["first_difference"]
    assert "all layers agree" in first["note"]
    assert (first["tensor"], first["sample"], first["element"]) == ("integers", 0, [0])
    assert first["found"] == first["expected"] ^ 1


def test_trace(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "trace.npz"
    assert bnnhw.compare(folder, samples=4, trace=out)["mismatches"] == 0
    arrays = np.load(out)
    names = {name.removeprefix("rtl.") for name in arrays if name.startswith("rtl.")}
    assert names == {"act0", "acc0", "act1", "acc1", "act2", "acc2", "outputs", "integers", "prediction"}
    for name in names:
        np.testing.assert_array_equal(arrays[f"rtl.{name}"], arrays[f"reference.{name}"], err_msg=name)


def test_verilog_of_the_folder_is_simulated(folder: Path) -> None:
    """Not what the plan would give."""
    text = (folder / "accelerator.v").read_text()
    assert load_design(folder).verilog == text
    (folder / "accelerator.v").write_text(text + "// changed\n")
    try:
        assert load_design(folder).verilog.endswith("// changed\n")
    finally:
        (folder / "accelerator.v").write_text(text)
