"""PE, SIMD, lanes and window rows of a layer with weights that are worth a look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

from bnnhw.dataflow.layers.base import divisors
from bnnhw.ir.geometry import Geometry
from bnnhw.parts import SPRAM_WORDS
from bnnhw.units.memories import power_of_two

# Where a vector may take no more cycles than this, its weights may as well be folded into logic, which takes one.
WHOLE = 4


def matrix_foldings(
    mh: int,
    mw: int,
    shape: tuple[int, ...],
    window: Geometry | None,
    interval: int,
    wanted: Mapping[str, Any],
    *,
    vectors: int,
    batch: int,
) -> Iterable[dict[str, Any]]:
    """Foldings of a matrix of `mh` rows and `mw` columns within `interval` cycles per inference.

    Parameters
    ----------
    shape, window
        Of the input, and of the windows that are taken of it.
    wanted
        What the user asks for.
    vectors, batch
        Vectors of a frame, and how many share a fetched weight: of one frame, or of several where each has one.
    """
    if vectors == 1:
        # Slow ones would not fit the depth of a single-port RAM.
        pairs = _pairs(mh, mw, shape, window, interval * batch, wanted)
        if interval * batch > SPRAM_WORDS:
            pairs |= _pairs(mh, mw, shape, window, SPRAM_WORDS, wanted)
    elif batch <= vectors:
        pairs = _pairs(mh, mw, shape, window, interval // -(-vectors // batch), wanted)
    else:
        return
    if window is None:
        found = {(pe, simd, 0, 1) for pe, simd in pairs}
    else:
        found = set()
        for rows in {1, window.kernel[0]} if "window_rows" not in wanted else {wanted["window_rows"]}:
            slowest = min(interval // vectors * rows / window.taps, interval / prod(shape[:2]))
            lanes = {simd: _window_lanes(shape[-1], rows, slowest, simd, wanted) for _, simd in pairs}
            found |= {(pe, simd, some, rows) for pe, simd in pairs for some in lanes[simd]}
    for pe, simd, some, rows in found:
        yield {"pe": pe, "simd": simd, "lanes": some, "window_rows": rows, "batch": batch}


def _window_lanes(channels: int, rows: int, slowest: float, simd: int, wanted: Mapping[str, Any]) -> set[int]:
    """Channels at a time for which a pixel takes no longer than `slowest` cycles: the fewest, and those that fit `simd`
    without or with half a converter, when `rows` taps come at once."""
    if "lanes" in wanted:
        return {wanted["lanes"]}
    enough = {n for n in divisors(channels) if channels <= n * slowest}
    if not enough:
        return set()
    even = {n for n in enough if n * rows % simd == 0 or simd % (n * rows) == 0}
    return {min(enough)} | ({min(even)} if even else set()) | {n for n in enough if n * rows == simd}


def _pairs(
    mh: int, mw: int, shape: tuple[int, ...], window: Geometry | None, interval: int, wanted: Mapping[str, Any]
) -> set[tuple[int, int]]:
    """Pairs of PE and SIMD that are worth a look, for `interval` cycles per vector or group of vectors."""
    rows = {wanted["pe"]} if "pe" in wanted else {-(-mh // nf) for nf in range(1, min(mh, interval) + 1)}
    pairs: set[tuple[int, int]] = set()
    for pe in rows:
        if "simd" in wanted:
            pairs.add((pe, wanted["simd"]))
            continue
        sf = interval // -(-mh // pe)
        if sf < 1:
            continue
        narrow = -(-mw // sf)
        rounded = {narrow, power_of_two(narrow), next(d for d in range(narrow, mw + 1) if mw % d == 0)}
        if window is not None:
            # Whole pixels, or an even part of one, need at most half a width converter behind the window.
            channels = shape[-1]
            rounded |= {
                -(-narrow // channels) * channels,
                *(d for d in divisors(channels) if narrow <= d < 2 * narrow),
            }
        pairs |= {(pe, simd) for simd in rounded if simd <= mw}
    if interval <= WHOLE and not {"pe", "simd"} & set(wanted):
        pairs.add((mh, mw))
    return pairs
