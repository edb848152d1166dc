"""What a command says when it is interrupted, mistyped, or fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw.cli import legible
from bnnhw.shipped import shipped_models
from tests.cli.conftest import CLI
from tests.onnx_models import Net

MODEL = "digits-binary"


def test_interrupt_ends_in_one_line(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bnnhw, "models", interrupted)
    outcome = cli("models")
    assert (outcome.status, outcome.out, outcome.err) == (130, "", "bnnhw: interrupted\n")


def test_reader_that_leaves_early() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bnnhw", "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert errors == ""


def test_error_is_legible() -> None:
    assert legible("one\nline \x1b[2J") == "one\nline ?[2J"
    assert len(legible("x" * 5000)) == 300
    assert legible("\n".join("abc" for _ in range(50))).splitlines()[-1] == "  ... and 30 more; `bnnhw check` lists all"


def test_a_defect_asks_for_a_report_and_is_no_mismatch(
    cli: CLI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def defect(**_: object) -> None:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr(bnnhw, "models", defect)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcome = cli("models")
    (file,) = tmp_path.iterdir()
    assert (outcome.status, outcome.out) == (3, "")
    assert outcome.err == (
        "bnnhw: defect: ZeroDivisionError: a b: this is a fault of bnnhw itself: please report it, with the file "
        f"{file}\n"
    )
    assert "Traceback (most recent call last):" in file.read_text() and "in defect" in file.read_text()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert "in defect" in cli("models").err


@pytest.mark.parametrize("error", [MemoryError, OSError(28, "No space left on device")])
def test_the_machine_is_no_defect(refused: CLI, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(bnnhw, "models", fail)
    refused("models")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["compil", MODEL], ", did you mean compile? (see bnnhw --help)"),
        (["--jsn", "models"], " (see bnnhw --help)"),
        (["--verison"], ", did you mean --version? (see bnnhw --help)"),
        (["check", MODEL, "--input-format", "unit4"], ", did you mean uint4?"),
        (
            ["infer", MODEL, "--level", "refrence", "--inputs", "x", "-o", "y"],
            "--level refrence: no such level, did you mean reference?",
        ),
        (["compile", MODEL, "--bord", "icebreaker", "-o", "w"], ", did you mean --board? (see bnnhw compile --help)"),
        (
            ["compare", MODEL, "--sampels=3"],
            "unrecognized arguments: --sampels=3, did you mean --samples? (see bnnhw compare --help)",
        ),
        (["models", "--jason"], "unrecognized arguments: --jason, did you mean --json? (see bnnhw models --help)"),
        (["models", "--quite-another"], "unrecognized arguments: --quite-another (see bnnhw models --help)"),
        (["models", "more"], "unrecognized arguments: more (see bnnhw models --help)"),
        (["check", "digits-binray"], ", did you mean digits-binary?"),
        (
            ["compile", MODEL, "--board", "icebraker", "-o", "w"],
            "unknown board 'icebraker', did you mean icebreaker? (see: bnnhw boards;",
        ),
        (["compare", MODEL, "--levels", "RTL"], "--levels RTL: no such level, did you mean rtl? there are source, "),
        (
            ["simulate", MODEL, "--simulator", "verilatr"],
            "--simulator verilatr: no such simulator, did you mean verilator? there are verilator, icarus",
        ),
    ],
)
def test_the_nearest_word_is_a_hint(refused: CLI, words: list[str], hint: str) -> None:
    assert hint in refused(*words).err


def test_names_show_where_the_terminal_lacks_their_letters(tmp_path: Path) -> None:
    model = Path(shutil.copy(shipped_models()[MODEL].file, tmp_path / "módèle.onnx"))
    for words in (("check", model), ("check", model, "--json"), ("check", tmp_path / "größe.onnx")):
        done = subprocess.run(
            [sys.executable, "-m", "bnnhw", *words],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == (2 if "größe" in str(words[1]) else 0), done.stderr
        assert b"Traceback" not in done.stderr
    assert b"gr\\xf6\\xdfe.onnx: no such file" in done.stderr


def test_numbers_that_overflow_are_refused_without_a_word_of_numpy(tmp_path: Path) -> None:
    net = Net((1, 4))
    scaled = net.node(
        "Mul", net.node("Mul", net.quant("x"), net.constant(np.float32(3e38))), net.constant(np.float32(3e38))
    )
    net.node("MatMul", net.bipolar(scaled), net.bipolar(net.weights(4, 2)))
    done = subprocess.run(
        [sys.executable, "-m", "bnnhw", "check", net.save(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "Warning" not in done.stderr
    assert done.returncode in (0, 2)
