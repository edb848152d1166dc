"""The clocks that plans reckon with, from routed designs and units: writes the table of `bnnhw.dataflow.clocks`.

Of a kind of design, the slowest that was routed counts (``benchmarks/results``, ``python -m benchmarks designs``). Of
what no design held, a unit alone counts (``benchmarks/units.json``), less what a full part costs it. What was never
routed on parts of some speed is reckoned from those where it was. The table of docs/speed.md says which is which.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass, fields
from typing import Any

from benchmarks import units
from benchmarks.measure import RESULTS
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Rows
from bnnhw.dataflow.clocks import TABLE
from bnnhw.dataflow.layers.bounds import ADDED_SCALES, BOUNDS, MANY_PLANES, MANY_THRESHOLDS, SCALES, USUAL
from bnnhw.dataflow.plan import LAYER_PLANS
from bnnhw.files import write_text
from bnnhw.parts import PARTS
from bnnhw.toolchain.boards import find_board

PAGE = "docs/speed.md"
SPEEDS = tuple(dict.fromkeys(part.speed for part in PARTS.values()))
# The unit that is what a kind of design is made of, and the part of `benchmarks.units` of each speed.
UNITS = {
    MANY_PLANES: "PE uint8 x int8",
    MANY_THRESHOLDS: "255 thresholds of 4 channels",
    SCALES: "scale unit of the same codes",
    ADDED_SCALES: "scale unit of adders",
}
ALONE = {"ice40-up": "up5k", "ice40-hx": "hx8k", "ecp5": "ecp5-85f"}
# Of its clock alone in a part, what a unit keeps in a full one.
KEPT = 0.8
# Parts that no design was routed for, those that they are like, and a board with one. By a unit that is routed on both,
# it is known how much slower they are.
SLOWER = {"ice40-lp": ("ice40-hx", "tinyfpga-bx")}
COMPARED = "8 PE bipolar x bipolar and their weights"
SLOWER_RESULTS = ROOT / "benchmarks" / "clocks.json"


@dataclass(frozen=True)
class Clock:
    """A clock in MHz, and what it comes from."""

    mhz: float
    source: str


def designs() -> dict[tuple[str, str], Clock]:
    """The slowest design of each speed of parts and each kind."""
    found: dict[tuple[str, str], Clock] = {}
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        if "refused" in result:
            continue
        mhz = result["report"]["clock_mhz"]
        for kind in frozenset[str]().union(*(bounds_of(entry) for entry in result["layers"])):
            key = PARTS[result["part"]].speed, kind
            if key not in found or mhz < found[key].mhz:
                found[key] = Clock(mhz, f"{result['model']} on {result['board']}")
    return found


def bounds_of(entry: dict[str, Any]) -> frozenset[str]:
    """What of a layer may bound the clock. An older result may lack a field or have another: none that matters here."""
    plan = LAYER_PLANS[entry["kind"]]
    return plan(**{field.name: entry.get(field.name, 1) for field in fields(plan)}).bounds


def table() -> dict[str, dict[str, Clock]]:
    """Of each speed of parts, the clock of each kind."""
    known = designs()
    alone = units.results()
    for speed, part in ALONE.items():
        for kind, name in UNITS.items():
            if (name, part) in alone:
                clock = Clock(KEPT * alone[name, part]["fmax_mhz"], f"{name}, {KEPT:.0%}")
                known[speed, kind] = min((clock, known.get((speed, kind), clock)), key=lambda some: some.mhz)
    found: dict[str, dict[str, Clock]] = {}
    for speed in SPEEDS:
        like, board = SLOWER.get(speed, (speed, None))
        share = compared(board) / alone[COMPARED, ALONE[like]]["fmax_mhz"] if board else 1.0
        usual = known[like, USUAL]
        found[speed] = {}
        for kind in BOUNDS:
            # A kind that was routed elsewhere is as much slower than the usual one here.
            ratios = [known[s, kind].mhz / known[s, USUAL].mhz for s in SPEEDS if (s, kind) in known]
            reckoned = Clock(usual.mhz * min(1.0, *ratios), "other parts")
            clock = known.get((like, kind), reckoned)
            found[speed][kind] = clock if share == 1 else Clock(share * clock.mhz, f"{like}, {share:.0%}")
    return found


def compared(board: str) -> float:
    """The clock of a unit alone on a board, in MHz."""
    rows = Rows(SLOWER_RESULTS, ("unit", "board"))
    if (COMPARED, board) not in rows:
        _, make = units.UNITS[COMPARED]
        _, mhz = units.routed(make(find_board(board).device.family), board)
        rows.add({"unit": COMPARED, "board": board, "fmax_mhz": mhz, "seed": units.SEED})
    return float(rows[COMPARED, board]["fmax_mhz"])


def add_options(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(options: argparse.Namespace) -> int:
    found = table()
    rounded = {s: {k: float(math.floor(c.mhz)) for k, c in clocks.items()} for s, clocks in found.items()}
    write_text(TABLE, json.dumps(rounded, indent=1) + "\n")
    rows = [
        [kind, *(f"{rounded[speed][kind]:.0f} ({found[speed][kind].source})" for speed in SPEEDS)] for kind in BOUNDS
    ]
    put(PAGE, "clocks", markdown(["what a design holds", *SPEEDS], rows))
    return 0
