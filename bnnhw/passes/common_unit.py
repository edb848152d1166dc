"""Scales of any ratio as whole multiples of one unit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import ModelError
from bnnhw.passes.rounding import ROUNDING, lowest_bit

Array = NDArray[np.float64]

# What sums may reach: 32 bits, signed, less what multiples rounded up may add.
MAX_SUM = 2**31 - 2**12
# What the 32 bits of a sum may leave out, relative to the largest sum.
MAX_ERROR = 2.0**-16
# Parts of a scale that are tried as a unit one by one.
MAX_PARTS = 1 << 14
BLOCK = 1 << 9
# By how much more a multiple may grow to have one of the scales exact.
ANCHORING = 16


def common_unit(scales: Array, largest: Array, noise: float, most: float = MAX_SUM) -> tuple[float, NDArray[np.int64]]:
    """A positive unit, and the multiples of it that stand for `scales` (n,), each of which counts integers of up to
    `largest` (n,).

    Where float32 adds the products exactly, the multiples are exact. Elsewhere they are the smallest ones found whose
    sums are off by no more than `noise`, that of float32, or where those reach beyond `most`, the finest that do not.

    Raises
    ------
    ModelError
        If sums up to `most` are far from exact.
    """
    sizes, largest = np.abs(scales), np.maximum(largest, 1.0)
    if not sizes.any():
        return 1.0, np.zeros(len(scales), np.int64)
    total = float(sizes @ largest)
    grain = float(lowest_bit(sizes).min())
    if total * ROUNDING <= grain and total / grain <= most:
        return _reduced(grain, scales)
    finest = total / (most - float(largest.sum()) / 2)
    allowed = max(noise, ROUNDING * total)
    units = np.array([*_units(sizes, largest, allowed, finest), finest])
    errors = _error(sizes, largest, units)
    near = errors <= allowed
    found = float(units[near].max() if near.any() else units[errors.argmin()])
    if finest < 0 or errors.min() > MAX_ERROR * total:
        shown = ", ".join(f"{scale:g}" for scale in scales[:4])
        raise ModelError(f"scales {shown}, whose sums take more than 32 bits; quantise further, or to nearer scales")
    # Where all but one part are 0, float32 may be exact: of the scale of the fewest bits, multiples should be as well.
    exact = np.argmin(np.where(sizes > 0, sizes / lowest_bit(sizes), np.inf))
    anchored = [
        u for u in _units_of(exact, sizes, largest, allowed, finest) if _error(sizes, largest, np.array([u])) <= allowed
    ]
    return _reduced(max([u for u in anchored if u >= found / ANCHORING], default=found), scales)


def _units(sizes: Array, largest: Array, allowed: float, finest: float) -> Iterator[float]:
    """Units from `finest` on of which `sizes` are multiples but for errors of `allowed`, altogether, or nearly: parts
    of the scales that count the most integers, as they come out exact."""
    for base in np.argsort(-largest, kind="stable")[:3]:
        yield from _units_of(base, sizes, largest, allowed, finest)


def _units_of(base: np.intp, sizes: Array, largest: Array, allowed: float, finest: float) -> Iterator[float]:
    """Those that are parts of one of the scales."""
    # Half a unit for each of the other integers is the most that multiples may be off.
    enough = np.ceil(sizes[base] * (largest.sum() - largest[base]) / (2 * allowed))
    parts = min(max(1, enough), sizes[base] // finest)
    if parts < 1:
        return
    yield float(sizes[base] / parts)
    for first in range(1, int(min(parts, MAX_PARTS)), BLOCK):
        units = sizes[base] / np.arange(first, first + BLOCK)
        if (near := (_error(sizes, largest, units) <= allowed) & (units >= finest)).any():
            yield float(units[near.argmax()])
            break


def _error(sizes: Array, largest: Array, units: Array) -> Array:
    """How far sums in whole `units` (m,) may be off, (m,)."""
    return np.abs(np.rint(sizes / units[:, None]) * units[:, None] - sizes) @ largest


def _reduced(unit: float, scales: Array) -> tuple[float, NDArray[np.int64]]:
    multiples = np.rint(scales / unit).astype(np.int64)
    common = int(np.gcd.reduce(multiples)) or 1
    return unit * common, multiples // common
