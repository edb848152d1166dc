"""``bnnhw explore``."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import bnnhw
from bnnhw.errors import ToolError
from bnnhw.exploration import points
from tests.cli.conftest import CLI
from tests.exploration.boards import board_of_ours

pytestmark = pytest.mark.end2end

MODEL = "digits-binary"


def test_on_two_processes(cli: CLI, tmp_path: Path) -> None:
    words = [MODEL, "digits-ternary", "--board", "icebreaker", "--part", "ecp5-12f", "--fps", "1000", "1e9"]
    done = cli("explore", *words, "--jobs", 2, "-o", tmp_path / "out")
    assert done.status == 0 and done.err.startswith("exploring ... ")
    assert "8 points: 4 planned, 4 refused; no other design for the same target beats these 4:" in done.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "points", "results.csv", "results.html", "results.json"
    ]  # fmt: skip
    again = cli("explore", *words, "--jobs", 1, "-o", tmp_path / "other", "--json")
    assert len(again.json["rows"]) == 8
    for name in ("results.csv", "results.html"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_words_for_what_needs_no_value(cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def explored(models: list[str], **options: Any) -> list[dict[str, Any]]:
        asked.update(options)
        return []

    monkeypatch.setattr(bnnhw, "explore", explored)
    done = cli("explore", MODEL, "--board", "b", "--fps", "max", "5", "--folding", "free", "f.json", "-o", tmp_path)
    assert done.status == 0 and "0 points: no design" in done.out
    assert asked["fps"] == [None, 5.0] and asked["foldings"] == [None, Path("f.json")]
    assert asked["jobs"] == os.cpu_count() and asked["scheduler"] is None
    cli("explore", MODEL, "--board", "b", "--scheduler", "tcp://x:1", "-o", tmp_path)
    assert asked["jobs"] is None and asked["scheduler"] == "tcp://x:1" and asked["fps"] == [None]


def test_points_that_fail_are_told(cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(point: points.Point) -> Any:
        raise ToolError("yosys is missing")

    monkeypatch.setattr(points.Point, "answer", fails)
    explored = bnnhw.explore
    monkeypatch.setattr(bnnhw, "explore", lambda models, **options: explored(models, **{**options, "jobs": None}))
    done = cli("explore", MODEL, "--board", "icebreaker", "--fps", 1000, 2000, "-o", tmp_path / "out")
    assert done.status == 2 and "2 points: no design" in done.out
    assert "bnnhw: error: 2 of 2 points failed and are tried again the next time, first digits-bin" in done.err
    with (tmp_path / "out" / "results.csv").open() as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["failed", "failed"]
    assert not (tmp_path / "out" / "points").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fps", "0", "--board", "icebreaker"], "must be a number above 0"),
        (["--fps", "fast", "--board", "icebreaker"], "or max"),
        (["--jobs", "2", "--scheduler", "x", "--board", "icebreaker"], "not allowed with"),
        ([], "one of --board and --part is required"),
        (["--scheduler", "tcp://nowhere.invalid:1", "--board", "icebreaker"], "--scheduler tcp://nowhere.invalid:1"),
    ],
)
def test_wrong_options(refused: CLI, tmp_path: Path, words: list[str], said: str) -> None:
    assert said in refused("explore", MODEL, *words, "-o", tmp_path / "out").err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_at_a_known_point(tmp_path: Path, number: signal.Signals) -> None:
    """The last point waits, until it is told to go on, in reading its board's file."""
    begun, go_on = tmp_path / "begun", tmp_path / "go on"
    waits = f"""
import multiprocessing, pathlib, time
if multiprocessing.parent_process() is not None:
    pathlib.Path({str(begun)!r}).touch()
    while not pathlib.Path({str(go_on)!r}).exists():
        time.sleep(0.05)
"""
    board = board_of_ours(tmp_path, waits)
    words = ["explore", MODEL, "--board", "icebreaker", "ulx3s-85f", str(board), "--fps", "1000", "--jobs", "1", "-o"]
    command = [sys.executable, "-m", "bnnhw", *words, str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (begun.exists() and len(list((tmp_path / "out" / "points").glob("*.json"))) == 2):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == 128 + number
    wanted = f"2 of 3 are kept in {tmp_path / 'out'}: the same command goes on from there\nbnnhw: interrupted\n"
    assert said.endswith(wanted)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "points").iterdir()}
    assert len(kept) == 2 and not (tmp_path / "out" / "results.csv").exists()
    go_on.touch()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert len(list((tmp_path / "out" / "points").iterdir())) == 3
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "nothing is measured twice"
    bnnhw.explore([MODEL], boards=["icebreaker", "ulx3s-85f", str(board)], fps=[1000], folder=tmp_path / "whole")
    assert (tmp_path / "out" / "results.csv").read_bytes() == (tmp_path / "whole" / "results.csv").read_bytes()
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    assert [row["board"] for row in rows] == ["icebreaker", "ulx3s-85f", str(board)]
