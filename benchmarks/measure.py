"""Measures entries: each is compiled, compared bit by bit in simulation, and routed."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bnnhw
from benchmarks.entries import Entry
from benchmarks.pages import ROOT
from bnnhw.dataflow.area import features_of
from bnnhw.dataflow.pipeline import pipeline
from bnnhw.dataflow.traffic import weight_bits_read
from bnnhw.errors import InputError, PlanError
from bnnhw.files import write_text
from bnnhw.inputs import inputs_for
from models.datasets import Split, source_of

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
    given = _test_samples(entry) if entry.tested else None
    comparison = bnnhw.compare(design, inputs=given, samples=entry.samples, levels=entry.levels)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        report = bnnhw.build(design, folder=folder, jobs=routes_at_once, **entry.build)
        seconds = time.monotonic() - started
    return {
        "part": design.plan.part,
        "inputs": "the model's test set" if entry.tested else _origin(design, entry.samples),
        "levels": {name: level["samples"] for name, level in comparison["levels"].items()},
        "samples": comparison["levels"]["rtl"]["samples"],
        "mismatches": comparison["mismatches"],
        "weight_bits_read": weight_bits_read(design.plan),
        "layers": [layer.entry() for layer in design.plan.layers],
        "features": features_of(stage.unit for stage in pipeline(design.plan, design.network)),
        "estimate": design.estimate,
        "report": report,
        "build_seconds": round(seconds, 1),
    }


def _test_samples(entry: Entry) -> NDArray[np.float32]:
    """The first samples of the test set."""
    return test_set(entry).x[: entry.samples]


def test_set(entry: Entry) -> Split:
    """The samples that the model of `entry` was not trained on.

    Raises
    ------
    InputError
        If the data are not at hand.
    """
    source = source_of(entry.model)
    try:
        return source.read(source.folder).test
    except FileNotFoundError as error:
        raise InputError(f"{entry.name}: {error}: its data are needed, see the model's README.md") from None


def _origin(design: bnnhw.Design, samples: int) -> str:
    chosen = inputs_for(design.graph, None, samples)
    return "the model's golden file" if chosen.labels is not None else chosen.source


@dataclass(frozen=True)
class Measurement:
    """An entry as a task, see `bnnhw.exploration`.

    Parameters
    ----------
    routes_at_once
        How many seeds may be routed at the same time.
    """

    entry: Entry
    routes_at_once: int = 1

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def key(self) -> Mapping[str, Any]:
        return {"name": self.entry.name, "options": self.entry.options}

    def answer(self) -> Result:
        return measure(self.entry, self.routes_at_once)


class Results:
    """The folder of results, a file each.

    Parameters
    ----------
    again
        Whether entries whose result is there are measured again.
    """

    def __init__(self, folder: Path = RESULTS, *, again: bool = False, say: Callable[[str], None] = print) -> None:
        self._folder, self._again, self._say = folder, again, say

    def get(self, task: Measurement) -> Result | None:
        """The result of this very entry: one with other options counts for nothing."""
        path = self._path(task)
        if self._again or not path.is_file():
            return None
        found: Result = json.loads(path.read_text())
        return found if found["options"] == json.loads(json.dumps(task.entry.options)) else None

    def add(self, task: Measurement, answer: Result) -> None:
        write_text(self._path(task), json.dumps(answer, indent=1) + "\n")
        self._say(f"{task.name}: {answer.get('refused', str(answer.get('mismatches')) + ' mismatches')}")

    def _path(self, task: Measurement) -> Path:
        return self._folder / f"{task.name}.json"
