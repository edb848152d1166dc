"""The benchmark of families: what is measured again, what a design is, and that the page says what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import families
from benchmarks.pages import ROOT, tables_of
from benchmarks.rows import Rows
from bnnhw.errors import ModelError, PlanError
from bnnhw.shipped import family_models

MODELS = family_models()
MODEL = MODELS["families/bnn"]


def test_the_page_holds_what_was_measured() -> None:
    rows = families.results()
    assert not rows.missing
    assert all(row["file"] == families.stamp(MODELS[row["family"]]) for row in rows.all)
    assert tables_of(ROOT / families.PAGE) == families.tables(MODELS, rows)
    assert families.PLOT.read_text() == families.plot(list(MODELS.values()), rows)


def test_small_designs_are_routed(monkeypatch: pytest.MonkeyPatch) -> None:
    built = {"utilization": {"lut4": {"used": 1}, "block_ram": {"used": 2}}, "clock_mhz": 27.0}
    built |= {"cycles_per_inference": 100, "inferences_per_second": 270_000.0}
    monkeypatch.setattr(families.bnnhw, "build", lambda design, folder, seed: built)
    row = families.measure(MODEL, families.SMALL)
    assert row["routed"] and (row["lut4"], row["cycles"]) == (1, 100)
    planned = families.measure(MODEL, families.LARGE)
    assert not planned["routed"] and planned["inferences_per_second"] >= 100_000
    assert planned["weight_bits"] == row["weight_bits"] == 16 * 9 + 16 * 144 + 64 * 10


@pytest.mark.parametrize("error, maps", [(PlanError("too  large"), True), (ModelError("no integers"), False)])
def test_a_refusal_says_whether_the_file_maps(error: Exception, maps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(families.bnnhw, "compile", refuse)
    row = families.measure(MODEL, families.WHOLE)
    assert row["maps"] is maps and row["refused"] in ("too large", "no integers")


def test_tables_of_what_maps_and_what_does_not(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = Rows(path, ("family", "point"))
    fits = {"maps": True, "routed": True, "lut4": 1500, "block_ram": 3, "cycles": 600.0, "inferences_per_second": 1e5}
    for point in families.POINTS:
        rows.add({"family": "families/bnn", "point": point.name, "weight_bits": 3088, **fits})
        rows.add({"family": "families/twn", "point": point.name, "maps": False, "refused": "floats"})
        rows.add({"family": "families/larq", "point": point.name, "maps": True, "refused": "too large"})
    models = {name: MODELS[name] for name in ("families/bnn", "families/larq", "families/twn")}
    found = families.tables(models, rows)
    assert found["ideas"].count("\n") == 5
    speed = found["equal_speed"].splitlines()[2:]
    assert "`families/bnn`" in speed[0] and "**1,500** | 3 | 600 | 100,000" in speed[0]
    assert "`families/larq`" in speed[1] and speed[1].endswith("| - | - | - | - |") and not speed[2]
    assert speed[3].endswith(f"these: BNN ({100 * MODEL.facts['accuracy']:.1f} %, 1,500 LUTs).")
    assert "Too large for it: Larq." in found["equal_area"] and "larq" not in found["equal_area"]
    assert found["left_out"].startswith("* TWN") and found["left_out"].endswith("floats\n")
    assert json.loads(path.read_text())
