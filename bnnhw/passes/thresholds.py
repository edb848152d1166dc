"""The integer thresholds that decide as a chain of float32 operations does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.thresholds import MAX_PARALLEL_THRESHOLDS, threshold_cycles
from bnnhw.ir.nodes import Dequant, Node
from bnnhw.passes.levels import Levels
from bnnhw.passes.values import Listed, directions, evaluate, inexact

# Of functions that executors compute inexactly: a few units in the last place.
FUNCTION_ERROR = 2.0**-21

Reach = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where a chain reaches each level.

    Parameters
    ----------
    thresholds
        (C, n), ascending in each row: the smallest integer, negated where `negate`, that reaches the level.
    negate
        (C,): the chain falls as the integer rises.
    doubtful
        (C, n, 2), first and past: the integers, negated as well, that lie within float32's own error of the cut, so
        that an executor that adds in another order may decide otherwise there.
    codes
        (C, n + 1) or (1, n + 1): the integer behind each count of thresholds; empty where it is that of the level.
    """

    thresholds: NDArray[np.int64]
    negate: NDArray[np.bool_]
    doubtful: NDArray[np.int64]
    codes: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))


def find(steps: tuple[Node, ...], reach: Reach, target: Levels) -> Cuts:
    """The cuts of `target`'s levels in integers from ``reach[0]`` to ``reach[1]``, (C,) each.

    Every operation of the chain is monotone in float32, roundings included, so bisection over the reachable integers
    finds the first one of each level exactly.

    Raises
    ------
    TypeError
        If the chain does not go one way.
    """
    low, high = reach
    negate = np.broadcast_to(directions(steps) < 0, (len(low),))
    if negate.any():
        low, high = np.where(negate, -high, low), np.where(negate, -low, high)
    sign = np.where(negate, -1, 1)
    levels = (target.offset + target.step * np.arange(1, target.count))[:, None]

    def first(off: int) -> NDArray[np.int64]:
        return _first(lambda x: codes_of(moved(steps, sign * x, off), target) >= levels, low, high, len(levels))

    found = first(0)
    every = [found, *(first(off) for off in sides(steps))]
    ends = np.stack([np.minimum.reduce(every), np.maximum.reduce(every)])
    return _without_unreached(Cuts(found.T, negate, ends.T), (low, high), target)


def _without_unreached(cuts: Cuts, reach: Reach, target: Levels) -> Cuts:
    """`cuts` without the levels that no channel takes, and a table of the others, where that is smaller.

    A level that is not taken costs a threshold, equal to that of the next one. With up to three of them, each is a
    comparator; more are searched in a memory that doubles with each step. A table costs a LUT or two for each bit of
    a code.
    """
    low, high = reach
    reached = np.asarray((np.diff(np.column_stack([low, cuts.thresholds, high + 1])) > 0).any(axis=0))
    places = np.flatnonzero(reached)
    # The first and the last level may be doubtful, and then others count.
    outside = np.asarray((np.diff(cuts.doubtful) > 0).any(axis=(0, 2)))
    outside[places[0] : places[-1]] = False
    reached[:-1] |= outside
    reached[1:] |= outside
    taken = np.flatnonzero(reached)
    before, after = cuts.thresholds.shape[1], len(taken) - 1
    fewer = after < before if before <= MAX_PARALLEL_THRESHOLDS else threshold_cycles(after) < threshold_cycles(before)
    if not fewer or not after:
        return cuts
    # Thresholds of levels that are not taken are those of the next one, but may be doubtful for other integers.
    first, past = np.moveaxis(cuts.doubtful[:, taken[0] : taken[-1]], 2, 0)
    groups = taken[:-1] - taken[0]
    doubtful = [np.minimum.reduceat(first, groups, axis=1), np.maximum.reduceat(past, groups, axis=1)]
    codes = (target.offset + target.step * taken)[None]
    return Cuts(cuts.thresholds[:, taken[1:] - 1], cuts.negate, np.stack(doubtful, axis=2), codes)


def _first(
    reached: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """The first integers from `low` to `high` that reach each of `count` levels, (count, C); one past them where none
    does."""
    found = np.repeat(low[None, :], count, axis=0)
    beyond = np.repeat(high[None, :] + 1, count, axis=0)
    while (found < beyond).any():
        middle = (found + beyond) // 2
        # Where the search is over, `middle` may be one past the reachable range; what the chain makes of it is not
        # used.
        enough = reached(middle)
        searching = found < beyond
        beyond = np.where(searching & enough, middle, beyond)
        found = np.where(searching & ~enough, middle + 1, found)
    return found


def codes_of(values: NDArray[np.float32], target: Levels) -> NDArray[np.int64]:
    """The integers that stand for `values`, which are levels of `target`."""
    return np.rint(values / target.scale).astype(np.int64)


def sides(steps: tuple[Node, ...]) -> tuple[int, ...]:
    """The sides to which executors may be off what exact integers give, for `moved`: none where they are exact."""
    first, rest = steps[0], steps[1:]
    assert isinstance(first, Dequant)
    noisy = bool(first.noise.any()) and not isinstance(first, Listed)
    return (-1, 1) if noisy or inexact(rest) else ()


def moved(steps: tuple[Node, ...], integers: NDArray[np.int64], off: int) -> NDArray[np.float32]:
    """What `steps` make of `integers` (n, C), -1 or +1 times their error `off`."""
    if not off:
        return evaluate(steps, integers)
    first, rest = steps[0], steps[1:]
    assert isinstance(first, Dequant)
    if isinstance(first, Listed):
        start = first.of(integers)
    else:
        start = np.asarray(integers * first.scale + off * first.noise, np.float32)
    return evaluate(rest, start, off * FUNCTION_ERROR)
