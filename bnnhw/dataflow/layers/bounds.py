"""What of a layer may bound the clock of a design: the kinds that `bnnhw.dataflow.clocks` knows a clock of."""

from __future__ import annotations

from bnnhw.arithmetic.formats import DataType, parse_format
from bnnhw.arithmetic.plane_products import Product
from bnnhw.dataflow.layers.base import MULTIPLIED

# What a design is taken to hold that holds nothing of the kind.
USUAL = "weights in memory"
CONSTANT = "constant weights"
WINDOWS = "windows"
MANY_PLANES = "products of many bits"
MANY_THRESHOLDS = "many thresholds"
SCALES = "scales by multipliers"
ADDED_SCALES = "scales by adders"
BOUNDS = (USUAL, CONSTANT, WINDOWS, MANY_PLANES, MANY_THRESHOLDS, SCALES, ADDED_SCALES)

# Counts of planes that are added up, and codes of thresholds, that are no slower than what is usual.
FEW_PLANES = 8
FEW_CODES = 16


def of_product(x: str, weight: str) -> frozenset[str]:
    """Of the products of two formats."""
    given = parse_format(x)
    few = isinstance(given, DataType) and Product(given, DataType.parse(weight)).terms <= FEW_PLANES
    return frozenset() if few else frozenset({MANY_PLANES})


def of_codes(output: str, memory: str) -> frozenset[str]:
    """Of what gives codes of the format `output`, from thresholds in a `memory` or by a multiplication."""
    if memory in MULTIPLIED:
        return of_scale(MULTIPLIED[memory])
    given = parse_format(output) if output else None
    many = isinstance(given, DataType) and given.max - given.min >= FEW_CODES
    return frozenset({MANY_THRESHOLDS} if many else ())


def of_scale(multiplier: str) -> frozenset[str]:
    """Of a multiplication by the part's multipliers, ``hard``, or by adders."""
    return frozenset({SCALES if multiplier == "hard" else ADDED_SCALES})
