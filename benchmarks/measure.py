"""Measures entries: each is compiled, compared bit by bit in simulation, and routed."""

from __future__ import annotations

import json
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import Any

import bnnhw
from benchmarks.entries import Entry
from benchmarks.pages import ROOT
from bnnhw.dataflow.area import features_of
from bnnhw.dataflow.pipeline import pipeline
from bnnhw.dataflow.traffic import weight_bits_read
from bnnhw.errors import PlanError
from bnnhw.files import write_text
from bnnhw.inputs import inputs_for

RESULTS = ROOT / "benchmarks" / "results"

Result = dict[str, Any]


def measure(entry: Entry, routes_at_once: int) -> Result:
    """Compiles, compares and builds one design.

    Parameters
    ----------
    routes_at_once
        How many seeds may be routed at the same time.

    Returns
    -------
    dict
        ``model``, ``board``, ``suffix``, ``options``; then ``refused``, why there can be no such design, or all that
        was measured.
    """
    known = {"model": entry.title, "board": entry.board, "suffix": entry.suffix, "options": entry.options}
    try:
        return known | _measured(entry, routes_at_once)
    except PlanError as error:
        return known | {"refused": str(error)}


def _measured(entry: Entry, routes_at_once: int) -> Result:
    compile_options = dict(entry.compile)
    if "folding" in compile_options:
        compile_options["folding"] = ROOT / compile_options["folding"]
    design = bnnhw.compile(entry.source, board=entry.board, **compile_options)
    comparison = bnnhw.compare(design, samples=entry.samples)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        report = bnnhw.build(design, folder=folder, jobs=routes_at_once, **entry.build)
        seconds = time.monotonic() - started
    chosen = inputs_for(design.graph, None, entry.samples)
    return {
        "part": design.plan.part,
        "inputs": "the model's golden file" if chosen.labels is not None else chosen.source,
        "samples": comparison["levels"]["rtl"]["samples"],
        "mismatches": comparison["mismatches"],
        "weight_bits_read": weight_bits_read(design.plan),
        "layers": [layer.entry() for layer in design.plan.layers],
        "features": features_of(stage.unit for stage in pipeline(design.plan, design.network)),
        "estimate": design.estimate,
        "report": report,
        "build_seconds": round(seconds, 1),
    }


def measured_by(
    entries: Iterable[Entry],
    executor: Executor,
    *,
    folder: Path = RESULTS,
    routes_at_once: int = 1,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Measures `entries` on any executor, and writes a file for each into `folder` as it is done.

    Workers only compute; files are written here, so that they may be on other machines.

    Returns
    -------
    list of str
        The names of those that failed, which leave no file.
    """
    waiting = {executor.submit(measure, entry, routes_at_once): entry for entry in entries}
    failed = []
    for done in as_completed(waiting):
        entry = waiting[done]
        error = done.exception()
        if error is not None:
            say(f"{entry.name}: FAILED: " + "".join(traceback.format_exception(error)))
            failed.append(entry.name)
            continue
        result = done.result()
        write_text(folder / f"{entry.name}.json", json.dumps(result, indent=1) + "\n")
        say(f"{entry.name}: {result['refused'] if 'refused' in result else str(result['mismatches']) + ' mismatches'}")
    return failed


def is_measured(entry: Entry, folder: Path = RESULTS) -> bool:
    """Whether `folder` has a result of this very entry: one with other options counts for nothing."""
    path = folder / f"{entry.name}.json"
    return path.is_file() and json.loads(path.read_text())["options"] == json.loads(json.dumps(entry.options))
