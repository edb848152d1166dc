"""Which unit a cell of the routed netlist belongs to, and what each layer takes of the part.

The netlist is flat, but synthesis names a cell after the net that it drives, and the router keeps these names:
``accelerator.<unit>.<signal>..``. Cells without a unit in their name, such as registers on the stream between two
units and cells that the router adds to carry chains, belong to the unit that feeds them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnnhw.dataflow import Network, Plan, Stage, pipeline
from bnnhw.dataflow.layers import INPUT
from bnnhw.toolchain.flow import CELLS, ROUTED, read_json

ACCELERATOR = "accelerator"
# What is not the accelerator's: host link, clocks, LEDs.
BOARD = "board"
RESOURCES = ("lut4", "ff", "block_ram", "spram", "dsp")
# Of cells: clocks, resets and enables, which say nothing of what a cell is part of.
CONTROL = {"CLK", "SR", "CEN", "LSR", "CE", "WCK", "WRE"}


def unit_of(name: str, units: Mapping[str, object]) -> str | None:
    """The unit that a cell is named after, `BOARD` for those outside the accelerator, None where that is open."""
    first, *rest = re.split(r"[.]", name, maxsplit=2)
    if first == ACCELERATOR:
        return rest[0] if rest and rest[0] in units else None
    return None if name.startswith("$") else BOARD


def owners(cells: Mapping[str, Any], units: Mapping[str, object]) -> dict[str, str]:
    """The owner of every cell: one of the `units`, `ACCELERATOR` for what is between them, or `BOARD`."""
    found = {name: unit_of(name, units) for name in cells}
    feeding, fed = _neighbours(cells)
    unknown = [name for name, owner in found.items() if owner is None]
    while unknown:
        # What feeds a cell says more than what it feeds.
        told = next(filter(None, (_told(unknown, neighbours, found) for neighbours in (feeding, fed))), {})
        if not told:
            break
        found |= told
        unknown = [name for name in unknown if name not in told]
    return {name: owner or (ACCELERATOR if name.startswith(ACCELERATOR) else BOARD) for name, owner in found.items()}


def _neighbours(cells: Mapping[str, Any]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The cells that feed each cell, and those that it feeds, clocks and the like left out."""
    ends = [
        (name, bit, cell["port_directions"][port] == "output")
        for name, cell in cells.items()
        for port, bits in cell["connections"].items()
        if port not in CONTROL
        for bit in bits
        if isinstance(bit, int)
    ]
    driver = {bit: name for name, bit, drives in ends if drives}
    feeding: dict[str, list[str]] = {}
    fed: dict[str, list[str]] = {}
    for name, bit, drives in ends:
        if not drives and bit in driver:
            feeding.setdefault(name, []).append(driver[bit])
            fed.setdefault(driver[bit], []).append(name)
    return feeding, fed


def _told(
    unknown: Iterable[str], neighbours: Mapping[str, Sequence[str]], found: Mapping[str, str | None]
) -> dict[str, str]:
    """The owner that most neighbours of a cell have, where any has one."""
    told = {}
    for name in unknown:
        known = Counter(owner for other in neighbours.get(name, ()) if (owner := found[other]) is not None)
        if known:
            told[name] = known.most_common(1)[0][0]
    return told


def area_by_layer(plan: Plan, network: Network, folder: Path) -> dict[str, Any]:
    """What each layer takes of the part, from the routed netlist in `folder`.

    Returns
    -------
    dict
        ``layers``, in the plan's order, each with its name, its cycles per frame and what it takes of `RESOURCES`;
        ``frames``, what the guard of frames, the select of the label and the like take; ``board``, what the host link,
        the clocks and the LEDs take. In all, what the placer hands out.
    """
    family = plan.device.family
    kinds = {kind: resource for resource, kind in CELLS[family].items()}
    stages = {stage.name: stage for stage in pipeline(plan, network)}
    cells: dict[str, Any] = read_json(folder / ROUTED)["modules"]["top"]["cells"]
    counted: dict[int | str, Counter[str]] = {key: Counter() for key in (BOARD, INPUT, *range(len(plan.layers)))}
    for name, owner in owners(cells, stages).items():
        cell = cells[name]
        place = _place(owner, stages)
        if cell["type"] in kinds:
            counted[place][kinds[cell["type"]]] += 1
        # A logic cell of iCE40 has a flip-flop in it.
        if family == "ice40" and int(cell["parameters"].get("DFF_ENABLE", "0"), 2):
            counted[place]["ff"] += 1

    def taken(place: int | str) -> dict[str, int]:
        return {resource: counted[place][resource] for resource in RESOURCES}

    layers = [{"name": layer.name, "cycles": layer.cycles, **taken(k)} for k, layer in enumerate(plan.layers)]
    return {"layers": layers, "frames": taken(INPUT), "board": taken(BOARD)}


def _place(owner: str, stages: Mapping[str, Stage]) -> int | str:
    """Index of the layer that an owner serves, INPUT for the rest of the accelerator."""
    if owner in stages:
        return stages[owner].layer
    return INPUT if owner == ACCELERATOR else BOARD
