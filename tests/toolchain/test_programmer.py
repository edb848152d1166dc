"""Loading a bitstream: the programmer's command line, and what happens without one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bnnhw.errors import InputError, ToolError
from bnnhw.toolchain import find_board, program


def built(folder: Path, board: str = "icebreaker", schema: int = 3) -> Path:
    content = {"schema": schema, "board": board, "digest": "0" * 16, "sha256": hashlib.sha256(b"bits").hexdigest()}
    (folder / "report.json").write_text(json.dumps(content))
    (folder / f"{board}.bin").write_bytes(b"bits")
    return folder


def with_weights(folder: Path, board: str = "icebreaker") -> Path:
    built(folder, board)
    report = json.loads((folder / "report.json").read_text())
    report["weights"] = {"file": "weights.bin", "sha256": hashlib.sha256(b"image").hexdigest()}
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "weights.bin").write_bytes(b"image")
    return folder


def programmer(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: int = 0) -> Path:
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/arguments\nexit {status}\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder / "arguments"


def test_the_programmer_gets_the_bitstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = programmer(tmp_path, monkeypatch, "iceprog")
    program(built(tmp_path))
    assert arguments.read_text().split() == [str(tmp_path / "icebreaker.bin")]


def test_a_variable_names_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = programmer(tmp_path, monkeypatch, "mine")
    monkeypatch.setenv("ICEPROG", str(tmp_path / "mine"))
    program(built(tmp_path))
    assert arguments.exists()


def test_without_a_programmer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match="iceprog, which loads bitstreams into board icebreaker, is missing: install"):
        program(built(tmp_path))


def test_a_programmer_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programmer(tmp_path, monkeypatch, "iceprog", status=3)
    with pytest.raises(ToolError, match="iceprog failed with exit status 3: is board icebreaker connected"):
        program(built(tmp_path))


def test_without_a_bitstream(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="report.json: cannot be read"):
        program(tmp_path)
    built(tmp_path).joinpath("icebreaker.bin").unlink()
    with pytest.raises(InputError, match="icebreaker.bin: missing: build again"):
        program(tmp_path)
    built(tmp_path, schema=99)
    with pytest.raises(InputError, match="not a report of this version"):
        program(tmp_path)


def test_weights_go_into_the_flash_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = programmer(tmp_path, monkeypatch, "iceprog")
    program(with_weights(tmp_path))
    assert arguments.read_text().splitlines() == [
        f"-o 128k {tmp_path / 'weights.bin'}",
        str(tmp_path / "icebreaker.bin"),
    ]
    flash = find_board("icebreaker").flash
    assert flash is not None and flash.address == 128 * 1024


def test_weights_of_a_board_whose_flash_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = programmer(tmp_path, monkeypatch, "icesprog")
    program(with_weights(tmp_path, "icesugar"))
    assert arguments.read_text().splitlines() == [str(tmp_path / "icesugar.bin")]


def test_weights_that_are_missing_or_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = programmer(tmp_path, monkeypatch, "iceprog")
    path = with_weights(tmp_path) / "weights.bin"
    path.write_bytes(b"other")
    with pytest.raises(InputError, match="weights.bin: not the weights that report.json describes: build again"):
        program(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="weights.bin: missing: build again"):
        program(tmp_path)
    assert not arguments.exists()
