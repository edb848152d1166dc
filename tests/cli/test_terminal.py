"""Tables, JSON and progress."""

from __future__ import annotations

import io
import sys

import pytest

from bnnhw.cli import terminal


def test_table_aligns_numbers_to_the_right() -> None:
    text = terminal.table(("name", "luts", "MHz"), [("a", 5, 1.5), ("long name", 12345, None)])
    assert text.splitlines() == [
        "name         luts   MHz",
        "a               5  1.50",
        "long name  12,345     -",
    ]


def test_empty_table_is_its_header() -> None:
    assert terminal.table(("a", "b"), []) == "a  b"


def test_facts_align_values() -> None:
    assert terminal.facts({"a": 1, "long": "x"}) == "a     1\nlong  x"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress("routing"):
        pass
    assert capsys.readouterr().err == ""
    seen = Terminal()
    monkeypatch.setattr(sys, "stderr", seen)
    with terminal.progress("routing"):
        pass
    assert seen.getvalue() == "routing ...\rrouting: 0.0 s\n"


def test_progress_ends_its_line_before_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Terminal()
    monkeypatch.setattr(sys, "stderr", seen)
    with pytest.raises(ValueError, match="inside"), terminal.progress("routing"):
        raise ValueError("inside")
    assert seen.getvalue() == "routing ...\n"
