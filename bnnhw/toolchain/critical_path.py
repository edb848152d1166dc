"""The path that limits the accelerator's clock, from the router's report: between which units, and what takes long."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from bnnhw.artifacts import ROUTE_REPORT
from bnnhw.dataflow import Network, Plan, Stage, pipeline
from bnnhw.dataflow.layers import INPUT
from bnnhw.toolchain.flow import clock_name, read_json
from bnnhw.toolchain.owners import ACCELERATOR, BOARD, unit_of


def critical_path(plan: Plan, network: Network, folder: Path) -> dict[str, Any] | None:
    """The slowest path between two registers of the accelerator, of the route in `folder`.

    Returns
    -------
    dict or None
        ``ns``, of which ``logic_ns`` in cells and ``wire_ns`` between them; the number of ``cells`` that it goes
        through; ``units``, those that it goes through in its order; and the same in ``words``. None where the router
        reports no path of this clock.
    """
    paths = {
        _clock(path["from"]): path["path"]
        for path in read_json(folder / ROUTE_REPORT)["critical_paths"]
        if path["from"] == path["to"]
    }
    steps = paths.get("accel_clk") or paths.get("clk")
    if steps is None:
        return None
    stages = {stage.name: stage for stage in pipeline(plan, network)}
    wire = sum(step["delay"] for step in steps if step["type"] == "routing")
    total = sum(step["delay"] for step in steps)
    # A step within a cell has it at both ends.
    cells = [cell for cell, _ in groupby(end["cell"] for step in steps for end in (step["from"], step["to"]))]
    named = [place for cell in cells if (place := _place(cell, stages)) is not None]
    units = [place for place, _ in groupby(named)] or [ACCELERATOR]
    path = {
        "ns": round(total, 3),
        "logic_ns": round(total - wire, 3),
        "wire_ns": round(wire, 3),
        "cells": len(cells),
        "units": units,
    }
    return {**path, "words": _words(path, units, stages, plan)}


def _clock(edge: str) -> str:
    """The clock of ``posedge accel_clk``, as the net of the clock domain is called."""
    return clock_name(edge.split()[-1])


def _place(cell: str, stages: Mapping[str, Stage]) -> str | None:
    """The unit that a cell is part of, outside the accelerator the module; None where its name does not tell."""
    unit = unit_of(cell, stages)
    if unit != BOARD:
        return unit
    first, *rest = cell.split(".")
    return f"{first}.{rest[0]}" if len(rest) > 1 else first


def _words(path: Mapping[str, Any], units: Sequence[str], stages: Mapping[str, Stage], plan: Plan) -> str:
    first, last = (_called(unit, stages, plan) for unit in (units[0], units[-1]))
    where = f"within the {first}" if len(units) == 1 else f"from the {first} to the {last}"
    return (
        f"{where}: {path['ns']:.2f} ns, {path['logic_ns']:.2f} ns in {path['cells']} cells and "
        f"{path['wire_ns']:.2f} ns on wires"
    )


def _called(unit: str, stages: Mapping[str, Stage], plan: Plan) -> str:
    """A unit in words: what it is, and of which layer."""
    if unit not in stages:
        first, _, part = unit.partition(".")
        return f"{part or 'logic'} of the {'host link' if first == 'link' else first}"
    stage = stages[unit]
    kind = re.sub(r"(?<!^)(?=[A-Z])", " ", type(stage.unit).__name__).lower()
    return kind if stage.layer == INPUT else f"{kind} of {plan.layers[stage.layer].name}"
