"""A quantiser of many levels as a multiplication: what a chain of float operations gives in exact arithmetic.

Up to 8 bits, thresholds decide as float32 does (`bnnhw.passes.thresholds`). Of more levels, the truth is the chain in
exact arithmetic, rounded as its quantiser says; float32 may give the next code where it rounds otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.scaling import Lines, Staircase, lines, staircase
from bnnhw.ir.elementwise import QUANTISERS, code_range
from bnnhw.ir.nodes import Activation, Arithmetic, Clip, Dequant, Node, Quant, Round
from bnnhw.passes import exact_chains
from bnnhw.passes.exact_chains import SYMMETRIC, SYMMETRIC_HALVES, Pieces
from bnnhw.passes.levels import Levels
from bnnhw.passes.rounding import ROUNDING, lowest_bit
from bnnhw.passes.thresholds import FUNCTION_ERROR, Reach
from bnnhw.passes.values import evaluate, quantiser_levels, uniform, whole_numbers

# By how much of a code a line may miss a step; what is further off has thresholds.
MAX_EXCESS = 1 / 16


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel's staircase, one `Staircase` for each piece that a line has to be found for, in ``sign * x``, and
    from which ``sign * x`` on the second one counts."""

    sign: int
    rows: tuple[Staircase, ...]
    pivot: int
    low: int | None
    high: int | None


@dataclass(frozen=True, eq=False)
class Codes:
    """How whole numbers from `low` to `high` become codes: ``offset + step * x``."""

    low: int
    high: int
    offset: int
    step: int


def find(steps: tuple[Node, ...], reach: Reach, target: Levels) -> dict[str, Any] | None:
    """The fields of a `Scale` node for a chain that gives `target`'s codes of integers from ``reach[0]`` to
    ``reach[1]``, (C,) each; None where no multiplication says what the chain does."""
    places = [k for k, step in enumerate(steps) if isinstance(step, QUANTISERS)]
    if len(places) != 1 or not isinstance(steps[places[0]], (Quant, Round)):
        return None
    chain, quantiser = steps[: places[0] + 1], steps[places[0]]
    codes = _codes(steps, places[0], reach, target)
    if codes is None:
        return None
    assert isinstance(quantiser, (Quant, Round))
    pieces = [exact_chains.chain(chain, c) for c in range(len(reach[0]))]
    splits = [True] if quantiser.rounding in SYMMETRIC else [False]
    splits += [True] if quantiser.rounding in SYMMETRIC_HALVES else []
    tried = [_fitted(pieces, quantiser.rounding, codes, reach, at_zero) for at_zero in splits]
    fits = [fit for fit in tried if fit is not None]
    if not fits:
        return None
    channels, found, count = min(fits, key=lambda fit: fit[1].excess.max())
    if found.excess.max() > MAX_EXCESS:
        return None
    limits = _limits(channels, codes)
    return {
        **_arranged(channels, found, count),
        "shift": found.shift,
        "even": found.even,
        "low": limits[0],
        "high": limits[1],
        "offset": codes.offset,
        "step": codes.step,
        "noise": np.array(
            uniform(_noise(chain, reach, limits) + found.excess.reshape(len(channels), count).max(axis=1))
        ),
    }


def _fitted(
    pieces: Sequence[Pieces | None], rounding: str, codes: Codes, reach: Reach, at_zero: bool
) -> tuple[list[Channel], Lines, int] | None:
    """All channels, with pieces that end `at_zero` or not, the lines that fit them, and how many each has."""
    channels: list[Channel] = []
    known: dict[Any, Channel | None] = {}
    for some, low, high in zip(pieces, *(end.tolist() for end in reach), strict=True):
        if some is None:
            return None
        key = some, low, high
        if key not in known:
            known[key] = _channel(some, rounding, codes, low, high, at_zero)
        channel = known[key]
        if channel is None:
            return None
        channels.append(channel)
    count = max(len(channel.rows) for channel in channels)
    rows = [row for channel in channels for row in _rows(channel, count)]
    return channels, lines(rows, even=rounding == "ROUND"), count


def _codes(steps: tuple[Node, ...], place: int, reach: Reach, target: Levels) -> Codes | None:
    """What codes the whole numbers of the quantiser at `place` become by what follows it."""
    quantiser = steps[place]
    if isinstance(quantiser, Quant):
        first = code_range(quantiser)[0]
        values: NDArray[np.float32] | None = quantiser_levels(quantiser)
    else:
        ends = evaluate(steps[: place + 1], np.stack(reach))
        values = whole_numbers(ends)
        first = int(ends.min())
    if values is None:
        return None
    ratio = np.asarray(evaluate(steps[place + 1 :], values) / target.scale, np.float64)
    made = np.rint(ratio).astype(np.int64)
    if (made != made[:, :1]).any():
        return None
    changes = np.diff(made[:, 0])
    moving = np.flatnonzero(changes)
    if not moving.size or len(set(changes[moving[0] : moving[-1] + 1].tolist())) > 1:
        return None
    step, low = int(changes[moving[0]]), first + int(moving[0])
    return Codes(low, first + int(moving[-1]) + 1, int(made[moving[0], 0]) - step * low, step)


def _channel(pieces: Pieces, rounding: str, codes: Codes, low: int, high: int, at_zero: bool) -> Channel | None:
    """The steps of one channel; None if more than two lines would have to lie under them."""
    sign = -1 if any(p.slope < 0 for p in pieces) else 1
    if sign < 0:
        pieces, low, high = exact_chains.mirrored(pieces), -high, -low
    if any(p.slope < 0 for p in pieces):
        return None
    numbers = np.arange(codes.low + 1, codes.high + 1)
    reached = exact_chains.cuts(pieces, rounding, numbers, low, high)
    if at_zero:
        pieces = exact_chains.split_at_zero(pieces)
    at_low, at_high = (codes.low + int(np.searchsorted(reached, x, side="right")) for x in (low, high))
    inside = reached[(reached > low) & (reached <= high)]
    if not inside.size:
        return Channel(sign, (staircase(reached, low, high, at_low, at_high, codes.low),), low, at_low, at_high)
    # The pieces among which the codes change: what lies before and behind them is cut off.
    ends = [None if p.start is None else ceil(p.start) for p in pieces[1:]] + [None]
    some = [k for k, end in enumerate(ends) if end is None or end >= inside[0]]
    some = [k for k in some if k == 0 or (ends[k - 1] or low) <= inside[-1]]
    while not pieces[some[0]].slope:
        some = some[1:]
    while not pieces[some[-1]].slope:
        some = some[:-1]
    if len(some) > 2 or not all(pieces[k].slope for k in some):
        return None
    first, last = ends[some[0] - 1] if some[0] else None, ends[some[-1]]
    least = at_low if first is not None and first > low else None
    greatest = at_high if last is not None and last <= high else None
    bounds = codes.low if least is None else least, codes.high if greatest is None else greatest
    pivot = ends[some[0]] if len(some) == 2 else None
    if pivot is None or not low < pivot <= high:
        return Channel(sign, (staircase(reached, low, high, *bounds, codes.low),), low, least, greatest)
    rows = tuple(staircase(reached, *part, *bounds, codes.low) for part in ((low, pivot - 1), (pivot, high)))
    return Channel(sign, rows, pivot, least, greatest)


def _rows(channel: Channel, count: int) -> list[Staircase]:
    return [channel.rows[0]] * (count - len(channel.rows)) + list(channel.rows)


def _limits(channels: list[Channel], codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each channel's numbers are cut off."""
    low = np.array([codes.low if c.low is None else c.low for c in channels], np.int64)
    high = np.array([codes.high if c.high is None else c.high for c in channels], np.int64)
    return np.array(low[0]) if np.ptp(low) == 0 else low, np.array(high[0]) if np.ptp(high) == 0 else high


def _arranged(channels: list[Channel], found: Lines, count: int) -> dict[str, NDArray[np.int64]]:
    """Factors, biases and pivots in the integers as they are: a channel that falls has its pieces the other way."""
    factors, biases = (array.reshape(len(channels), count).T.copy() for array in (found.factors, found.biases))
    falls = np.array([channel.sign < 0 for channel in channels])
    factors[:, falls] = -factors[::-1, falls]
    biases[:, falls] = biases[::-1, falls]
    pivots = np.array([[1 - c.pivot if c.sign < 0 else c.pivot for c in channels]], np.int64)
    return {"factors": factors, "biases": biases, "pivots": pivots[: count - 1]}


def _noise(
    chain: tuple[Node, ...], reach: Reach, limits: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.float64]:
    """How far the chain in float32 may be from the exact one before it is rounded, where its codes differ, (C,).

    An operation is exact where all its results are whole multiples of one unit and take 24 bits of it.
    """
    first = chain[0]
    assert isinstance(first, Dequant)
    x = np.stack(reach).astype(np.float64)
    error, unit = np.asarray(first.noise, np.float64), np.ones(x.shape[1:])
    for step in chain:
        factor = np.array(1.0)
        if isinstance(step, Dequant):
            x, unit, factor = x * step.scale, unit * lowest_bit(step.scale), np.array(1.0)
            error = error + _rounding(x, unit)
            continue
        if isinstance(step, Arithmetic) and step.operation == "add":
            x, unit = x + step.operand, np.minimum(unit, lowest_bit(step.operand.astype(np.float64)))
        elif isinstance(step, Arithmetic):
            factor = np.asarray(step.operand, np.float64)
            factor = factor if step.operation == "mul" else 1 / factor
            x, unit = x * factor, unit * lowest_bit(factor)
        elif isinstance(step, Clip):
            x = np.clip(x, step.low, step.high)
            continue
        elif isinstance(step, Activation):
            inexact = step.function != "leaky_relu"
            alpha = np.asarray(step.alpha, np.float64)
            factor = np.maximum(alpha, 1.0) if not inexact else alpha
            x, unit = x * factor, unit * np.minimum(1.0, lowest_bit(alpha))
            error = error * factor + (FUNCTION_ERROR if inexact else 0.0)
            factor = np.array(1.0)
        elif isinstance(step, Quant):
            factor = 1 / step.scale.astype(np.float64)
            x, unit = x * factor, unit * lowest_bit(factor)
            most = np.maximum(np.abs(limits[0]), np.abs(limits[1])) + 1.0
            x = np.clip(x, -most, most)
            error = error * np.abs(factor) + _rounding(x, unit)
            if step.zero_point.any():
                x, unit, factor = x + step.zero_point, np.minimum(unit, 1.0), np.array(1.0)
                error = error + _rounding(x, unit)
            continue
        error = error * np.abs(factor) + _rounding(x, unit)
    return np.broadcast_to(error, x.shape[1:]).astype(np.float64)


def _rounding(x: NDArray[np.float64], unit: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(x).max(axis=0)
    return np.where(largest * ROUNDING <= unit, 0.0, largest * ROUNDING)
