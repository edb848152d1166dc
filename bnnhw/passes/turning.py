"""Thresholds and a table of codes for a chain of float32 operations that rises and falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.thresholds import threshold_cycles
from bnnhw.errors import ModelError
from bnnhw.ir.nodes import Node
from bnnhw.passes.levels import Levels
from bnnhw.passes.rewrite import label
from bnnhw.passes.thresholds import Cuts, Reach, moved, sides
from bnnhw.passes.values import evaluate, one_way

# Integers of all channels that are looked at one by one: that takes seconds.
MAX_INTEGERS = 1 << 28
# Of these, as many at once as stay in a core's own cache.
BLOCK = 1 << 16
MAX_CUTS = (1 << 12) - 1

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Channel:
    """What a chain makes of the integers `low` to `high`.

    Parameters
    ----------
    cuts
        (n,), ascending: the integers from which on the code is another one.
    codes
        (n + 1,): before the first cut, and behind each.
    doubtful
        (runs, 2), ascending: first and past of the integers for which float32 decides by its rounding.
    """

    low: int
    high: int
    cuts: Integers
    codes: Integers
    doubtful: Integers

    def negated(self) -> _Channel:
        """Of the negated integers."""
        return _Channel(-self.high, -self.low, 1 - self.cuts[::-1], self.codes[::-1], 1 - self.doubtful[::-1, ::-1])

    def thresholds(self, places: Sequence[int], count: int) -> Integers:
        """`count` thresholds that tell the codes apart, the first of which is that of `places[0]` of them reached, and
        so on."""
        found = np.full(count, self.high + 1)
        found[places[0] : places[-1]] = np.repeat(self.cuts, np.diff(places))
        found[: places[0]] = self.low
        return found

    def around(self, thresholds: Integers) -> Integers:
        """The doubtful integers around each of `thresholds` (n,), (n, 2)."""
        if not len(self.doubtful):
            return np.stack([thresholds, thresholds], axis=1)
        runs = self.doubtful[np.searchsorted(self.doubtful[:, 0], thresholds, side="right") - 1]
        meets = (runs[:, 0] <= thresholds) & (thresholds <= runs[:, 1])
        return np.where(meets[:, None], runs, thresholds[:, None])


def find(steps: tuple[Node, ...], reach: Reach, target: Levels) -> Cuts:
    """The cuts between the codes of `steps` in integers from ``reach[0]`` to ``reach[1]``, (C,) each, found by trying
    all of them, and the code behind each.

    Where one order of codes holds those of all channels, forwards or backwards, they share it as their table; else each
    has its own.

    Raises
    ------
    ModelError
        If there are too many integers, or too many cuts.
    """
    turning = label(next(step for step in steps if one_way((step,)) is None))
    sizes = reach[1] - reach[0] + 1
    if int(sizes.sum()) > MAX_INTEGERS:
        raise ModelError(
            f"{turning}: it rises and falls over {int(sizes.max()):,} integers in each of {len(sizes)} channels, too "
            "many to look at; quantise its layer's input or weights to fewer bits, or use a function that never falls"
        )
    channels = _channels(steps, *reach, target)
    most = max(len(channel.cuts) for channel in channels)
    if most > MAX_CUTS:
        raise ModelError(f"{turning}: its codes change {most:,} times; quantise it to fewer levels")
    order = _common({tuple(channel.codes.tolist()) for channel in channels}, target.step)
    negate = np.zeros(len(channels), np.bool_)
    if order is None:
        count = max(1, most)
        codes = np.stack([np.pad(own.codes, (0, count - len(own.cuts)), mode="edge") for own in channels])
        places = [list(range(len(own.codes))) for own in channels]
    else:
        count = len(order) - 1
        codes = np.array([order])
        places = []
        for c, own in enumerate(channels):
            found = _places(own.codes.tolist(), order)
            negate[c] = found is None
            places.append(found or _places(own.codes[::-1].tolist(), order) or [])
        channels = [own.negated() if back else own for own, back in zip(channels, negate, strict=True)]
    cuts = np.stack([own.thresholds(at, count) for own, at in zip(channels, places, strict=True)])
    doubtful = np.stack([own.around(row) for own, row in zip(channels, cuts, strict=True)])
    regular = np.array_equal(codes, target.offset + target.step * np.arange(count + 1)[None])
    return Cuts(cuts, negate, doubtful, np.zeros((0, 0), np.int64) if regular else codes)


def _channels(steps: tuple[Node, ...], low: Integers, high: Integers, target: Levels) -> list[_Channel]:
    """What the chain makes of each channel's integers, block by block."""
    rows, span = max(1, BLOCK // len(low)), int((high - low).max()) + 1
    before = first = target.codes(evaluate(steps, low[None]))
    changes, doubts = [np.zeros((0, 3), np.int64)], [np.zeros((0, 2), np.int64)]
    for start in range(0, span, rows):
        # Past a channel's last integer nothing changes any more.
        x = np.minimum(low + np.arange(start, min(start + rows, span))[:, None], high)
        made = target.codes(evaluate(steps, x))
        row, channel = np.nonzero(np.diff(made, axis=0, prepend=before))
        changes.append(np.stack([channel, x[row, channel], made[row, channel]], axis=1))
        changed = np.zeros(made.shape, np.bool_)
        for off in sides(steps):
            changed |= target.codes(moved(steps, x, off)) != made
        row, channel = np.nonzero(changed)
        doubts.append(np.stack([channel, x[row, channel]], axis=1))
        before = made[-1:]
    every, doubtful = np.concatenate(changes), np.unique(np.concatenate(doubts), axis=0)
    found = []
    for c in range(len(low)):
        cuts, codes = every[every[:, 0] == c, 1:].T
        runs = _runs(doubtful[doubtful[:, 0] == c, 1])
        cuts, codes = _with_doubts(cuts, np.concatenate([first[0, c : c + 1], codes]), runs)
        found.append(_Channel(int(low[c]), int(high[c]), cuts, codes, runs))
    return found


def _runs(integers: Integers) -> Integers:
    """First and past of those that follow each other, (runs, 2)."""
    starts = integers[np.diff(integers, prepend=integers[:1] - 2) > 1]
    ends = integers[np.diff(integers, append=integers[-1:] + 2) > 1]
    return np.stack([starts, ends + 1], axis=1)


def _with_doubts(cuts: Integers, codes: Integers, runs: Integers) -> tuple[Integers, Integers]:
    """With a cut at each run of doubtful integers that holds and touches none, where the code stays what it is:
    thresholds mark them."""
    alone = runs[np.searchsorted(cuts, runs[:, 0]) == np.searchsorted(cuts, runs[:, 1], side="right"), 0]
    places = np.searchsorted(cuts, alone)
    return np.insert(cuts, places, alone), np.insert(codes, places + 1, codes[places])


def _common(orders: set[tuple[int, ...]], step: int) -> list[int] | None:
    """One order of codes in which all `orders` occur, forwards or backwards, with codes left out: the longest of them,
    or that with what it jumps over if it takes no longer to search. None if there is none."""
    longest = list(sorted(orders, key=lambda order: (-len(order), order))[0])
    filled = longest[:1]
    for code in longest[1:]:
        up = step if code > filled[-1] else -step
        filled += [*range(filled[-1] + up, code, up), code]
    for order in (longest, filled):
        if threshold_cycles(len(order) - 1) > threshold_cycles(len(longest) - 1):
            continue
        if all(_places(own, order) or _places(own[::-1], order) for own in orders):
            return order if len(order) > 1 else order * 2
    return None


def _places(codes: Sequence[int], order: Sequence[int]) -> list[int] | None:
    """Where `codes` are in `order`, one behind the other; None if they are not."""
    found: list[int] = []
    at = 0
    for code in codes:
        while at < len(order) and order[at] != code:
            at += 1
        if at == len(order):
            return None
        found.append(at)
        at += 1
    return found
