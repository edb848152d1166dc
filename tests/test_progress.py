"""Steps on a terminal and in a log."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest

from bnnhw import progress

# What waits here waits for a thread, and fails where that never comes.
pytestmark = pytest.mark.timeout(60)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    seen = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=seen))
    monkeypatch.setenv("COLUMNS", "60")
    return seen


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    seen = io.StringIO()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=seen))
    return seen


def test_a_step_ends_its_line_with_its_time(terminal: Terminal) -> None:
    with progress.shown("routing"):
        pass
    assert re.fullmatch(r"routing \.\.\.\rrouting \.\.\. \d+\.\d s\n", terminal.getvalue())


def test_how_far_it_is_shows_with_the_next_tick(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TICK", 0.001)
    with progress.shown("routing") as tell:
        tell("5 of 10")
        while "5 of 10" not in terminal.getvalue():
            pass
        progress.told("6 of 10, " + 80 * "x")
        while "6 of 10" not in terminal.getvalue():
            pass
    lines = terminal.getvalue().rstrip("\n").split("\r")
    assert any(re.fullmatch(r"routing \.\.\. \d+ s, 5 of 10 *", line) for line in lines)
    assert max(map(len, lines)) == 59 and all(line.endswith(" ...") for line in lines if "6 of 10" in line)
    # What was longer is written over.
    assert re.fullmatch(r"routing \.\.\. \d+\.\d s {10,}", lines[-1])


def test_a_step_within_a_step_is_how_far_that_one_is(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TICK", 0.001)
    with progress.shown("outer"), progress.shown("inner"):
        while "s, inner" not in terminal.getvalue():
            pass
    assert terminal.getvalue().count("\n") == 1


def test_an_error_ends_the_line(terminal: Terminal) -> None:
    with pytest.raises(ValueError, match="inside"), progress.shown("routing"):
        raise ValueError("inside")
    assert terminal.getvalue() == "routing ...\n"
    progress.told("nobody listens")


def test_a_log_has_a_line_for_each_step_that_ends_well(log: io.StringIO) -> None:
    with progress.shown("placing") as tell:
        tell("not in logs")
    with pytest.raises(ValueError, match="inside"), progress.shown("routing"):
        raise ValueError("inside")
    assert re.fullmatch(r"placing \.\.\. \d+\.\d s\n", log.getvalue())


def test_a_log_is_told_of_a_long_step_before_it_ends(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.001)
    with progress.shown("routing"):
        while not log.getvalue():
            pass
        assert log.getvalue() == "routing ..."
    assert re.fullmatch(r"routing \.\.\. \d+\.\d s\n", log.getvalue())


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.silent("routing") as tell:
        tell("5 of 10")
    assert capsys.readouterr() == ("", "")
