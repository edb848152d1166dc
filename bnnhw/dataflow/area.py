"""Area of a plan before synthesis: block RAMs by counting, LUTs by a linear model.

The model's terms follow what the gateware builds (lanes, accumulator bits, registers, multiplexers, table columns), and
each unit says how much it has of each (`bnnhw.units`); its coefficients are fitted per family to routed designs by
``python -m benchmarks calibrate``, which writes `cost_table.json`. A LUT here is a logic cell of iCE40 (a LUT with its
flip-flop and carry) or a TRELLIS_COMB of ECP5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache, lru_cache
from math import prod
from pathlib import Path
from typing import NamedTuple

from bnnhw.dataflow.network import Network
from bnnhw.parts import Part
from bnnhw.units import Features, Unit
from bnnhw.units.memories import block_rams, power_of_two

# Bits of a beat that what is known of a board has about.
BOARD_BITS = 64
TABLE = Path(__file__).with_name("cost_table.json")


class Cost(NamedTuple):
    """LUTs, block RAMs and single-port RAMs."""

    luts: float
    block_ram: int
    spram: int


@lru_cache(maxsize=1 << 17)  # the search for a plan asks for the same few again and again
def unit_cost(part: Part, unit: Unit) -> Cost:
    """What one unit takes of `part`."""
    return Cost(luts(part, unit.features()), unit.block_rams(part), unit.spram())


def cost(part: Part, units: Iterable[Unit]) -> Cost:
    """What some units take of `part`."""
    total, used, single = 0.0, 0, 0
    for unit in units:
        some, count, others = unit_cost(part, unit)
        total += some
        used += count
        single += others
    return Cost(total, used, single)


def multipliers(part: Part, units: Iterable[Unit]) -> int:
    """Hard multipliers that some units take of `part`."""
    return sum(unit.multipliers(part) for unit in units)


def luts(part: Part, features: Features) -> float:
    """LUTs that the model gives to `features`."""
    weights = coefficients(part.family)
    return sum(weights[name] * value for name, value in features.items())


def features_of(units: Iterable[Unit]) -> Features:
    """All features of some units, summed up."""
    total: Features = {}
    for unit in units:
        for name, value in unit.features().items():
            total[name] = total.get(name, 0.0) + value
    return total


def link_bytes(part: Part) -> int:
    """What the host link has at least for frames that wait: the bytes of one block RAM."""
    return 1 << (part.block_ram_bits // 8).bit_length() - 1


def link_luts(part: Part, bits: int) -> float:
    """LUTs of the host link and the clock around an accelerator that takes `bits` at a time."""
    known = coefficients(part.family)
    return known["board"] + known["frame_bit"] * max(0, bits - BOARD_BITS)


def loader_luts(part: Part) -> float:
    """LUTs of what loads memories after the configuration: from the flash, from the link, and the check of both."""
    return coefficients(part.family)["loader"]


def link_block_rams(part: Part, network: Network) -> int:
    """Block RAMs of the host link, which holds frames in `link_bytes`, or two of them where that is too little."""
    frame = power_of_two(-(-prod(network.i_shape) * network.i_dtype.bits // 8))
    return block_rams(part, 8, max(link_bytes(part), 2 * frame))


@cache
def coefficients(family: str) -> dict[str, float]:
    """LUTs per unit of each feature; ``board`` is the link and the clock around an accelerator, ``frame_bit`` what the
    link takes for each bit of a wide beat, ``loader`` what loads memories where there are some to load."""
    table: dict[str, dict[str, float]] = json.loads(TABLE.read_text())
    return table[family]
