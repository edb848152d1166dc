"""Tables, JSON and progress."""

from __future__ import annotations

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


def test_counted_things_tell_the_step_how_far_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(terminal, "told", told.append)
    count = terminal.counter("inferences")
    count(100, 2000)
    count(2000, 2000)
    assert told[0] == "100 of 2,000, 0 inferences per second" and told[1].startswith("2,000 of 2,000, ")
