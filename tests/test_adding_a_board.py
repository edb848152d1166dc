"""The board file of docs/adding-a-board.md works as the page says: it is found, fits its platform, and compiles."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import bnnhw
from bnnhw.toolchain import boards
from tests.boards.test_boards import agrees_with_its_platform
from tests.test_docs import ROOT

TEXT = (ROOT / "docs" / "adding-a-board.md").read_text()
FILE = re.search(r"^`(\w+\.py)`:\n\n```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_the_file_compiles(tmp_path: Path) -> None:
    assert FILE
    path = tmp_path / FILE[1]
    path.write_text(FILE[2])
    agrees_with_its_platform(boards.find_board(str(path)))
    design = bnnhw.compile("digits-binary", board=str(path), folder=tmp_path / "work", fps=1000)
    assert (design.plan.board, design.plan.part) == ("my-board", "ice40-up5k")
    assert "module accelerator(" in (tmp_path / "work" / "accelerator.v").read_text()
    assert boards.find_board("my-board").bitstream == "my-board.bin"


def test_every_field_is_explained() -> None:
    rows = re.findall(r"^\| (`.+?) \|", TEXT, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert explained == {field.name for field in fields(boards.Board)}
