"""docs/adding-a-layer.md names what is there, and lists what tests/test_layers.py asks for."""

from __future__ import annotations

import re

import pytest

from tests.test_docs import ROOT, defined

TEXT = (ROOT / "docs" / "adding-a-layer.md").read_text()
STEPS = re.findall(r"^\| (\d+)\. .+ \| `(.+)` \| `(.+)` \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("file", "name"), [step[1:] for step in STEPS])
def test_a_step_is_there(file: str, name: str) -> None:
    assert name in defined(ROOT / file)
    assert "concat" in (ROOT / file).read_text().lower(), "where the example has its place"


def test_steps_are_counted() -> None:
    numbers = [int(number) for number, _, _ in STEPS]
    second = numbers.index(1, 1)
    assert numbers == [*range(1, second + 1), *range(1, len(numbers) - second + 1)]


def test_it_lists_what_is_asked_for() -> None:
    listed = re.findall(r"^\| `(test_\w+)` \|", TEXT, re.MULTILINE)
    source = (ROOT / "tests" / "test_layers.py").read_text()
    assert listed == re.findall(r"^def (test_\w+)", source, re.MULTILINE)
