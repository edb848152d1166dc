"""The benchmark's harness, without its hours: what it measures again, what it writes, and what it says has changed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compile, constants, figures, gap, lookup, measure, quantize, roofline, simulation, tables, units
from benchmarks.entries import BOARDS, LOOKUP, Entry, entries
from benchmarks.pages import ROOT, tables_of
from bnnhw.dataflow.area import unit_cost
from bnnhw.errors import PlanError, ToolError
from bnnhw.exploration.running import run
from bnnhw.exploration.tasks import digest
from bnnhw.shipped import shipped_models
from bnnhw.toolchain.boards import find_board
from bnnhw.units.add_streams import Weighing
from models.datasets import digits

KNOWN = figures.measured()


def test_every_shipped_model_is_on_every_board() -> None:
    found = entries()
    plain = {(entry.model, entry.board) for entry in found if not entry.suffix}
    assert plain >= {(model, board) for model in shipped_models() if model not in LOOKUP for board in BOARDS}
    assert plain >= set(LOOKUP.items()) and set(LOOKUP) <= set(shipped_models())
    assert len({entry.name for entry in found}) == len(found)
    assert all(entry.suffix for entry in found if entry.compile or entry.build)


def test_published_models_may_be_missing() -> None:
    assert not Entry("models/none.onnx", "icebreaker").present
    assert Entry("digits-binary", "icebreaker").present
    assert Entry("models/x/net.onnx.gz", "icebreaker", "best").name == "net_icebreaker_best"


def test_results_belong_to_entries() -> None:
    """A file that no entry names would never be measured again."""
    names = {entry.name for entry in entries()}
    assert {path.stem for path in measure.RESULTS.glob("*.json")} <= names


def test_run_writes_refusals_and_goes_on_after_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(entry: Entry, routes_at_once: int) -> dict[str, Any]:
        if entry.suffix == "large":
            raise PlanError("too large")
        if entry.suffix == "broken":
            raise ToolError("no yosys")
        return {"mismatches": 0, "routes": routes_at_once}

    monkeypatch.setattr(measure, "_measured", measured)
    entries = [Entry("digits-binary", "icebreaker", suffix, build={"seeds": 2}) for suffix in ("", "large", "broken")]
    todo, said = [measure.Measurement(entry, 3) for entry in entries], list[str]()
    results = measure.Results(tmp_path, say=said.append)
    with ThreadPoolExecutor(2) as executor:
        found = run(todo, executor, store=results)
    assert isinstance(found[digest(todo[2])], ToolError)
    assert {path.stem for path in tmp_path.iterdir()} == {"digits-binary_icebreaker", "digits-binary_icebreaker_large"}
    assert json.loads((tmp_path / "digits-binary_icebreaker.json").read_text())["routes"] == 3
    assert json.loads((tmp_path / "digits-binary_icebreaker_large.json").read_text())["refused"] == "too large"
    assert sorted(said) == ["digits-binary_icebreaker: 0 mismatches", "digits-binary_icebreaker_large: too large"]
    assert [results.get(task) is not None for task in todo] == [True, True, False]
    assert results.get(measure.Measurement(replace(entries[0], build={"seeds": 3}))) is None
    assert measure.Results(tmp_path, again=True).get(todo[0]) is None


def test_an_entry_is_really_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but the two verbs that take long."""
    compared = {"levels": {"rtl": {"samples": 7}}, "mismatches": 0}
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(measure.bnnhw, "compare", lambda design, **options: (asked.append(options), compared)[1])
    some = next(iter(figures.load(entries()).values()))
    monkeypatch.setattr(measure.bnnhw, "build", lambda design, **options: {**some["report"], "asked": options["jobs"]})
    result = measure.measure(Entry("digits-binary", "icebreaker", compile={"fps": 1000}), 2)
    assert (result["samples"], result["mismatches"], result["report"]["asked"]) == (7, 0, 2)
    assert result["options"] == {"compile": {"fps": 1000}, "build": {}}
    macs = sum(layer["mw"] * layer["mh"] for layer in result["layers"])
    assert 0 < result["weight_bits_read"] < 2 * macs
    assert json.loads(json.dumps(result))["estimate"]["board"] == "icebreaker"
    assert figures.of(result)["lut4"] == some["report"]["utilization"]["lut4"]["used"]
    levels = ("reference", "rtl", "netlist")
    measure.measure(Entry("digits-lut", "icebreaker", samples=50, levels=levels, tested=True), 1)
    assert asked[0] == {"inputs": None, "samples": 100, "levels": ("reference", "rtl")}
    assert (asked[1]["samples"], asked[1]["levels"]) == (50, levels)
    assert (asked[1]["inputs"] == digits(Path()).test.x[:50]).all()


@pytest.mark.parametrize("name", ["lookup", "choice"])
def test_pages_hold_what_was_measured_of_tables(name: str) -> None:
    assert tables_of(ROOT / lookup.PAGE)[name] == lookup.written()[name]


def test_nothing_differs_in_what_was_measured_of_tables() -> None:
    rows = [*lookup.judgements().all, *lookup.routes().all]
    assert {row["model"] for row in rows} >= {*LOOKUP}
    assert not any(row["differ"] for row in rows)


def test_changes_are_told() -> None:
    name, design = next(iter(KNOWN.items()))
    faster = {**design, "clock_mhz": design["clock_mhz"] * 1.1}
    assert figures.changes({name: design}, {name: design}) == []
    ((who, what, before, after),) = figures.changes({name: design}, {name: faster})
    assert (who, what) == (name, "clock_mhz")
    assert before == f"{design['clock_mhz']:.2f}" and after.endswith("(+10.0%)")
    assert figures.changes({}, {name: design}) == [(name, "entry", "-", "new")]
    assert figures.changes({name: design}, {}) == [(name, "entry", "there", "gone")]
    refused = {key: design[key] for key in ("model", "board", "suffix", "options")} | {"refused": "too large"}
    assert (name, "refused", "-", "too large") in figures.changes({name: design}, {name: refused})


def test_refusals_are_listed_and_fill_no_row() -> None:
    name, design = next(iter(KNOWN.items()))
    refused = {**{key: design[key] for key in ("model", "board", "suffix", "options")}, "refused": "too large for it"}
    text = tables.results_table({name: design, "other": refused})
    assert f"* {design['model']} {design['board']}: too large for it" in text
    assert tables.short_table({"other": refused}).count("\n") == 2


@pytest.mark.parametrize("name", tables.TABLES)
def test_pages_hold_what_was_measured_of_designs(name: str) -> None:
    page, table = tables.TABLES[name]
    assert tables_of(ROOT / page)[name] == table(KNOWN)


@pytest.mark.parametrize("benchmark", [compile, constants, gap, simulation, units], ids=lambda module: module.__name__)
def test_pages_hold_what_was_measured_elsewhere(benchmark: Any) -> None:
    rows = benchmark.results().all
    assert rows
    assert tables_of(ROOT / benchmark.PAGE)[benchmark.__name__.removeprefix("benchmarks.")] == benchmark.table(rows)


@pytest.mark.parametrize("part", units.BOARDS)
@pytest.mark.parametrize(("channels", "name"), [(1, "a coefficient each"), (16, "a coefficient a channel")])
def test_sums_are_planned_with_about_what_they_take(channels: int, name: str, part: str) -> None:
    """Coefficients of any ratio are most of a sum's area."""
    row = units.results()[f"sum of two streams, {name}", part]
    device = find_board(units.BOARDS[part]).device
    unit, _ = units.weighed(channels)
    assert 0.9 * row["lut4"] < unit_cost(device, unit).luts < 1.5 * row["lut4"]
    assert unit_cost(device, replace(unit, weighing=Weighing())).luts < 0.6 * row["lut4"]


def test_machines_and_plot_hold_what_the_results_say() -> None:
    document = json.loads((ROOT / figures.MACHINES).read_text())
    assert document == {"schema": figures.SCHEMA, "designs": json.loads(json.dumps(KNOWN))}
    assert roofline.PLOT.read_text() == roofline.plot(KNOWN)


def test_the_table_of_quantised_networks_is_that_of_its_rows() -> None:
    rows = quantize.results()
    assert not rows.missing
    assert tables_of(ROOT / quantize.PAGE)["quantize"] == quantize.table(rows.all)
    exact = rows[quantize.FLOAT]["accuracy"]
    assert exact - rows["int8", "uint8", "none"]["accuracy"] < 0.002
    assert exact - rows["int4", "uint4", "none"]["accuracy"] < 0.01
