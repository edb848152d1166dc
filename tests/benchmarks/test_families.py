"""The benchmark of families: what is measured again, what a design is, and that the page says what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import families
from benchmarks.pages import ROOT, tables_of
from benchmarks.rows import Rows
from bnnhw.exploration.models import ModelFile
from bnnhw.shipped import family_models

MODELS = family_models()
MODEL = MODELS["families/bnn"]


def test_the_page_holds_what_was_measured() -> None:
    rows = families.results()
    assert not rows.missing
    assert all(row["file"] == families.stamp(ModelFile.find(row["family"], None, None)) for row in rows.all)
    assert tables_of(ROOT / families.PAGE) == families.tables(MODELS, rows)
    assert families.PLOT.read_text() == families.plot(list(MODELS.values()), rows)


def answer(outcome: str, **more: Any) -> dict[str, Any]:
    figures = {"lut4": 1, "block_ram": 2, "clock_mhz": 27.0, "inferences_per_second": 270_000.0, "weight_bits": 3088}
    compared = {"samples": 3, "mismatches": 0} if outcome == "built" else {}
    return {"outcome": outcome, "cycles_per_inference": 100.0, **compared, **figures, **more}


def test_designs_are_planned_and_then_routed(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.json", ("family", "point"))
    kept = families.Kept(rows)
    plan, build = (families.SMALL.point(MODEL.name, build=build) for build in (False, True))
    assert kept.get(plan) is None
    kept.add(plan, answer("planned"))
    assert kept.get(plan) is not None and kept.get(build) is None
    kept.add(build, answer("built", lut4=3))
    assert kept.get(plan) is not None and kept.get(build) is not None
    assert families.Kept(rows, again=True).get(build) is None
    other = replace(build, point=replace(build.point, model=replace(build.point.model, sha256="another file")))
    (row,) = rows.all
    assert row["routed"] and (row["samples"], row["mismatches"]) == (3, 0)
    assert row["routed"] and (row["lut4"], row["cycles"], row["fps"]) == (3, 100, 5_000)
    assert kept.get(other) is None


@pytest.mark.parametrize("maps", [True, False])
def test_a_refusal_is_final_and_says_whether_the_file_maps(
    tmp_path: Path, maps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(families.bnnhw, "check", lambda name: {"maps": maps})
    kept = families.Kept(Rows(tmp_path / "rows.json", ("family", "point")))
    point = families.WHOLE.point(MODEL.name, build=True)
    kept.add(point, {"outcome": "refused", "reason": "too large"})
    row = kept.get(point)
    assert row is not None and row["maps"] is maps and row["refused"] == "too large" and row["fps"] is None


def test_tables_of_what_maps_and_what_does_not(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = Rows(path, ("family", "point"))
    fits = {
        "maps": True,
        "routed": True,
        "mismatches": 0,
        "lut4": 1500,
        "block_ram": 3,
        "cycles": 600.0,
        "inferences_per_second": 1e5,
    }
    for case in families.CASES:
        rows.add({"family": "families/bnn", "point": case.name, "weight_bits": 3088, **fits})
        rows.add({"family": "families/twn", "point": case.name, "maps": False, "refused": "floats"})
        rows.add({"family": "families/larq", "point": case.name, "maps": True, "refused": "too large"})
    models = {name: MODELS[name] for name in ("families/bnn", "families/larq", "families/twn")}
    found = families.tables(models, rows)
    assert found["ideas"].count("\n") == 5
    speed = found["equal_speed"].splitlines()[2:]
    assert "`families/bnn`" in speed[0] and "**1,500** | 3 | 600 | 100,000" in speed[0]
    assert "`families/larq`" in speed[1] and speed[1].endswith("| - | - | - | - |") and not speed[2]
    assert speed[3].endswith(f"these: BNN ({100 * MODEL.facts['accuracy']:.1f} %, 1,500 LUTs).")
    assert "Too large for it: Larq." in found["equal_area"] and "larq" not in found["equal_area"]
    assert found["left_out"].startswith("* TWN") and found["left_out"].endswith("floats\n")
    assert "Of 3 designs on this page, 3 are routed." in found["measured"] and "all were exact" in found["measured"]
    rows.add({"family": "families/bnn", "point": families.LARGE.name, "weight_bits": 3088, **fits, "mismatches": 2})
    assert "wrong are families/bnn for speed of ULX3S" in families.measured(rows)
    assert json.loads(path.read_text())


@pytest.mark.synth
def test_what_is_built_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    point = families.SMALL.point(MODEL.name, build=True)
    monkeypatch.setattr(families.Point, "answer", lambda point: {"outcome": "built", "lut4": 3})
    found = point.answer()
    assert found == {"outcome": "built", "lut4": 3, "samples": families.SAMPLES, "mismatches": 0}
    monkeypatch.setattr(families.Point, "answer", lambda point: {"outcome": "planned"})
    assert point.answer() == {"outcome": "planned"}
