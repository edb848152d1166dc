"""The benchmark of explorations: the page says what was measured."""

from __future__ import annotations

import json

import pytest

from benchmarks import explore
from benchmarks.pages import ROOT, tables_of


@pytest.mark.unit
def test_the_page_holds_what_was_measured() -> None:
    found = json.loads(explore.RESULTS.read_text())
    assert tables_of(ROOT / explore.PAGE) == explore.tables(found)
    assert explore.PLOT.read_text() == explore.picture(found["rows"])
    asked = [(row["model"], row["board"], row["fps"]) for row in found["rows"]]
    wanted = [(model, board, rate) for model in explore.MODELS for board in explore.BOARDS for rate in explore.RATES]
    assert asked == wanted
