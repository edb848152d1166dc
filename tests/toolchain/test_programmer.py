"""Loading a bitstream: the programmer's command line, and what happens without one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bnnhw.errors import InputError, ToolError
from bnnhw.toolchain import program


def built(folder: Path, board: str = "icebreaker", schema: int = 3) -> Path:
    content = {"schema": schema, "board": board, "digest": "0" * 16, "sha256": hashlib.sha256(b"bits").hexdigest()}
    (folder / "report.json").write_text(json.dumps(content))
    (folder / f"{board}.bin").write_bytes(b"bits")
    return folder


def programmer(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: int = 0) -> Path:
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" > {folder}/arguments\nexit {status}\n')
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
