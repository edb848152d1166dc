"""The board file of docs/adding-a-board.md works as the page says: it is found, fits its platform, and compiles."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import bnnhw
from bnnhw.toolchain import boards
from tests.boards.test_boards import test_board_agrees_with_its_platform as agrees_with_its_platform
from tests.test_docs import ROOT

TEXT = (ROOT / "docs" / "adding-a-board.md").read_text()
FILE = re.search(r"^`(boards/\w+\.py)`:\n\n```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of boards, with the page's file beside the others."""
    assert FILE
    copy = tmp_path / "boards"
    shutil.copytree(ROOT / "boards", copy)
    (tmp_path / FILE[1]).write_text(FILE[2])
    monkeypatch.setattr(boards, "folder", lambda name: tmp_path / name)
    boards.all_boards.cache_clear()
    yield copy
    boards.all_boards.cache_clear()


def test_the_file_compiles(folder: Path, tmp_path: Path) -> None:
    agrees_with_its_platform("icesugar")
    assert "icesugar" in [board["name"] for board in bnnhw.boards()]
    design = bnnhw.compile("digits-binary", board="icesugar", folder=tmp_path / "work", fps=1000)
    assert (design.plan.board, design.plan.part) == ("icesugar", "ice40-up5k")
    assert "module accelerator(" in (tmp_path / "work" / "accelerator.v").read_text()
    assert boards.find_board("icesugar").bitstream == "icesugar.bin"


def test_every_field_is_explained() -> None:
    rows = re.findall(r"^\| (`.+?) \|", TEXT, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert explained == {field.name for field in fields(boards.Board)}
