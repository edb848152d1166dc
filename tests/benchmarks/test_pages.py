"""Tables in pages, rows in files, and the commands that write them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import commands
from benchmarks.pages import ROOT, markdown, put, tables_of
from benchmarks.rows import Rows
from campaigns import __main__ as campaigns
from campaigns import faults, levels, mutants

PAGE = "Text.\n\n<!-- table: one -->\nold\n<!-- end of table -->\n\n<!-- table: two -->\n<!-- end of table -->\nEnd.\n"
NAMES = [("benchmarks", name) for name in benchmarks.NAMES] + [("campaigns", name) for name in campaigns.NAMES]


def test_a_table_is_put_in_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.md").write_text(PAGE)
    put("page.md", "one", markdown(["a"], [["1"]]), tmp_path)
    assert (tmp_path / "page.md").read_text() == PAGE.replace("old\n", "| a |\n| --- |\n| 1 |\n")
    assert tables_of(tmp_path / "page.md") == {"one": "| a |\n| --- |\n| 1 |\n", "two": ""}
    assert capsys.readouterr().out == "page.md: table one written\n"
    with pytest.raises(KeyError, match="page.md has no place for the table three"):
        put("page.md", "three", "", tmp_path)


def test_pages_have_a_place_for_every_table() -> None:
    found = {name for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")] for name in tables_of(page)}
    source = "".join(
        path.read_text() for name in ("benchmarks", "campaigns", "proofs") for path in (ROOT / name).glob("*.py")
    )
    written = {*re.findall(r'put\(PAGE, "(\w+)"', source), "results", "short", "limits", "bounds", "seeds"}
    written |= {"ideas", "measured", "equal_speed", "equal_area", "left_out"}  # of families
    assert found == written


def test_rows_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results" / "rows.json"
    wanted = [("a", 1), ("a", 2), ("b", 1)]
    rows = Rows(path, ("name", "size"), wanted)
    assert rows.all == [] and rows.missing == wanted and ("a", 1) not in rows
    for name, size, value in (("b", 1, 3), ("a", 1, 4), ("gone", 1, 5), ("b", 1, 6)):
        rows.add({"name": name, "size": size, "value": value})
    again = Rows(path, ("name", "size"), wanted)
    assert [row["value"] for row in again.all] == [4, 6] == [row["value"] for row in json.loads(path.read_text())]
    assert again["a", 1]["value"] == 4
    assert not again.complete("page.md")
    assert capsys.readouterr().out == "page.md stays as it is: 1 results are missing, first a 2\n"
    again.add({"name": "a", "size": 2, "value": 0})
    assert again.complete("page.md")
    assert [row["value"] for row in Rows(path, ("value",)).all] == [4, 0, 6]


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_every_command_has_its_help(package: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name in ("calibrate", "cifar-cnv"):
        pytest.importorskip("scipy" if name == "calibrate" else "onnx")
    with pytest.raises(SystemExit) as left:
        commands.run(package, {"benchmarks": benchmarks, "campaigns": campaigns}[package].NAMES, [name, "--help"])
    assert left.value.code == 0
    assert f"usage: python -m {package} {name} " in capsys.readouterr().out


@pytest.mark.parametrize("package", ["benchmarks", "campaigns", "proofs"])
def test_packages_run(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", package, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"usage: python -m {package} ")


def test_a_campaign_is_left_out_where_its_table_would_not_be_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(levels, "FILE", tmp_path / "levels.json")
    before = (ROOT / levels.PAGE).read_text()
    assert commands.run("campaigns", campaigns.NAMES, ["levels", "--only", "no such model"]) == 0
    assert "docs/trust.md stays as it is" in capsys.readouterr().out
    assert (ROOT / levels.PAGE).read_text() == before


def test_nobody_commits_what_a_campaign_keeps() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for file in (faults.FILE, levels.FILE, mutants.FILE, ROOT / "proofs" / "results.json"):
        place = f"/{file.relative_to(ROOT)}"
        assert place in ignored or f"{Path(place).parent}/" in ignored
