"""A folder that was compiled again, and files of another design in it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bnnhw
from bnnhw import artifacts, host
from bnnhw.design import load_design
from bnnhw.errors import InputError
from bnnhw.progress import silent
from bnnhw.shipped import find_model, shipped_models
from bnnhw.toolchain.report import SCHEMA, built_bitstream
from tests.cli.conftest import CLI, cli, refused

__all__ = ["cli", "refused"]

ONE, OTHER = "digits-binary", "digits-ternary"
BUILT = {
    "icebreaker.bin",
    "report.json",
    "report.html",
    "yosys.log",
    "nextpnr.log",
    "nextpnr.json",
    "compare.json",
    "compare-rtl.vcd",
}
COMPILED = {"graph.json", "tensors.npz", "plan.json", "estimate.json", "accelerator.v"}


@pytest.fixture(scope="module")
def designs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of each model, as if one had been built."""
    root = tmp_path_factory.mktemp("designs")
    for model in (ONE, OTHER):
        design = bnnhw.compile(model, board="icebreaker", folder=root / model)
        for name in BUILT:
            (root / model / name).write_text(f"{name} of {model}")
        report: dict[str, Any] = {"schema": SCHEMA, "board": "icebreaker", "digest": design.plan.digest}
        sha256 = hashlib.sha256((root / model / "icebreaker.bin").read_bytes()).hexdigest()
        (root / model / "report.json").write_text(
            json.dumps({**report, "bitstream": "icebreaker.bin", "sha256": sha256})
        )
        comparison = {"schema": artifacts.COMPARISON_SCHEMA, "digest": design.plan.digest}
        (root / model / "compare.json").write_text(json.dumps(comparison))
    return root


@pytest.fixture
def folder(designs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(designs / ONE, tmp_path / "work"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_compiling_again_keeps_what_is_of_the_same_design(folder: Path, designs: Path) -> None:
    (folder / "mine.txt").write_text("kept")
    bnnhw.compile(ONE, board="icebreaker", folder=folder)
    assert names(folder) == COMPILED | BUILT | {"mine.txt"}
    board, bitstream = built_bitstream(folder)
    assert (board.name, bitstream) == ("icebreaker", folder / "icebreaker.bin")


@pytest.mark.parametrize("options", [{"model": OTHER}, {"model": ONE, "fps": 1000}])
def test_compiling_again_removes_what_is_of_another_design(folder: Path, options: dict[str, Any]) -> None:
    (folder / "mine.txt").write_text("kept")
    bnnhw.compile(**options, board="icebreaker", folder=folder)
    assert names(folder) == COMPILED | {"mine.txt"}
    assert load_design(folder).verilog


def test_damaged_reports_go_and_no_file_elsewhere_does(folder: Path) -> None:
    outside = folder.parent / "outside.bin"
    outside.write_text("kept")
    (folder / "report.json").write_text(json.dumps({"digest": "0" * 16, "bitstream": "../outside.bin"}))
    (folder / "compare.json").write_text("{")
    bnnhw.compile(ONE, board="icebreaker", folder=folder)
    assert names(folder) == COMPILED | {"icebreaker.bin"}
    assert outside.read_text() == "kept"


def test_compile_says_what_it_removed(folder: Path, cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def progress(step: str) -> Any:
        said.append(step)
        return silent(step)

    bnnhw.compile(OTHER, board="icebreaker", folder=folder, progress=progress)
    assert said[-1].startswith(
        f"removed from {folder}, as of another design: compare.json, compare-rtl.vcd, report.json"
    )


def test_a_bitstream_of_another_design_is_not_loaded(folder: Path, designs: Path, refused: CLI) -> None:
    for name in COMPILED:
        shutil.copy(designs / OTHER / name, folder)
    assert "compiled again after its bitstream was built: build again" in refused("program", folder).err
    assert "compiled again after the bitstream was built: build again" in refused("report", folder).err
    message = "compiled again after its bitstream was built: build again"
    assert message in refused("compare", folder, "--levels", "bitstream", "--samples", "1").err


def test_a_bitstream_that_is_not_the_one_of_the_report_is_not_loaded(folder: Path, designs: Path, refused: CLI) -> None:
    shutil.copy(designs / OTHER / "icebreaker.bin", folder)
    message = "icebreaker.bin: not the bitstream that report.json describes: build again"
    assert message in refused("program", folder).err
    assert message in refused("compare", folder, "--levels", "bitstream", "--samples", "1").err


def test_a_bitstream_without_its_plan_is_tied_to_its_report(folder: Path) -> None:
    (folder / "plan.json").unlink()
    assert built_bitstream(folder)[1].name == "icebreaker.bin"


@pytest.mark.parametrize("name", ["plan.json", "graph.json", "tensors.npz"])
@pytest.mark.parametrize("command", ["infer", "serve", "run", "simulate", "compare", "build"])
def test_no_command_takes_a_design_apart(
    folder: Path, designs: Path, refused: CLI, tmp_path: Path, name: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def port(name: str, baud: int) -> None:
        raise AssertionError("no board is asked")

    monkeypatch.setattr(host, "open_port", port)
    shutil.copy(designs / OTHER / name, folder)
    np.savez(tmp_path / "x.npz", inputs=np.zeros((1, 64), np.float32))
    options: dict[str, tuple[object, ...]] = {
        "infer": ("--inputs", tmp_path / "x.npz", "-o", tmp_path / "o.npz"),
        "run": ("--port", "any"),
        "build": ("-o", folder),
    }
    assert "again" in refused(command, folder, *options.get(command, ())).err


@pytest.mark.parametrize("command", ["simulate", "compare"])
def test_verilog_of_another_design_is_not_simulated(folder: Path, designs: Path, refused: CLI, command: str) -> None:
    shutil.copy(designs / OTHER / "accelerator.v", folder)
    assert refused(command, folder, "--samples", "1").err.endswith(
        "accelerator.v: of another design than plan.json: compile again\n"
    )
    (folder / "accelerator.v").write_text("module accelerator (); endmodule\n")
    assert (
        "accelerator.v: its first line is not that of schema 1: compile again"
        in refused(command, folder, "--samples", "1").err
    )


def test_every_file_tells_its_design(designs: Path) -> None:
    digest = load_design(designs / ONE).plan.digest
    for name in ("plan.json", "estimate.json", "report.json", "compare.json"):
        content = json.loads((designs / ONE / name).read_text())
        assert content["digest"] == digest and content["schema"] >= 1
    assert (designs / ONE / "accelerator.v").read_text().startswith(f"// bnnhw design {digest}, schema 1\n")


def test_a_folder_that_cannot_be_written_does_not_hide_the_comparison(
    folder: Path, cli: CLI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise InputError(f"{path}: cannot be written: Read-only file system")

    monkeypatch.setattr("bnnhw.verify.comparison.write_text", full)
    outcome = cli("compare", folder, "--levels", "reference", "--samples", "2")
    assert outcome.status == 0
    assert outcome.out.endswith("no mismatch\n")
    (warning,) = (line for line in outcome.err.splitlines() if line.startswith("bnnhw: "))
    assert warning == f"bnnhw: warning: {folder / 'compare.json'}: cannot be written: Read-only file system"
    assert cli("compare", folder, "--levels", "reference", "--samples", "2", "--json").json["mismatches"] == 0


def test_only_a_design_gets_a_comparison(tmp_path: Path, cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the same name as a shipped model is none, nor is one of a model's parameters."""
    (tmp_path / ONE).mkdir()
    monkeypatch.chdir(tmp_path)
    assert cli("compare", ONE, "--levels", "reference", "--samples", "2").status == 0
    assert names(tmp_path / ONE) == set()


def test_a_file_with_the_name_of_a_shipped_model_is_not_that_model(tmp_path: Path) -> None:
    file = Path(shutil.copy(shipped_models()[OTHER].file, tmp_path / f"{ONE}.onnx"))
    assert find_model(file) == (f"{ONE}.onnx", file)
    found = bnnhw.compare(file, board="icebreaker", levels=["reference"], samples=5)
    assert found["mismatches"] == 0 and "golden" not in found["inputs"]
