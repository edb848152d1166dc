"""The clock that plans reckon with before a route tells the true one.

`clock_table.json` has, for each speed of part, a clock that designs with a layer of some kind reach, on the safe side;
``python -m benchmarks clocks`` writes it from routed designs and units. A design is as slow as its slowest kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from bnnhw.dataflow.layers import LayerPlan
from bnnhw.dataflow.layers.bounds import USUAL
from bnnhw.parts import Part

TABLE = Path(__file__).with_name("clock_table.json")


def reckoned_mhz(part: Part, layers: Iterable[LayerPlan]) -> float:
    """A clock that a design of `layers` reaches on `part`, in MHz."""
    kinds = frozenset[str]().union(*(layer.bounds for layer in layers))
    return min(clocks()[part.speed][kind] for kind in kinds or {USUAL})


def usual_mhz(part: Part) -> float:
    """A clock that nearly any design reaches on `part`, in MHz."""
    return clocks()[part.speed][USUAL]


@cache
def clocks() -> dict[str, dict[str, float]]:
    """MHz, by the speed of a part and what a design holds."""
    table: dict[str, dict[str, float]] = json.loads(TABLE.read_text())
    return table
