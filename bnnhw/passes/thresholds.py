"""The integer thresholds that decide as a chain of float32 operations does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.thresholds import MAX_PARALLEL_THRESHOLDS, threshold_cycles
from bnnhw.ir.nodes import Dequant, Node
from bnnhw.passes.levels import Levels
from bnnhw.passes.values import directions, evaluate, inexact

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
        (C, n, 2): whether the integer below the threshold, and the one on it, lie within float32's own error of the
        cut, so that an executor that adds in another order may decide otherwise.
    codes
        (C, n + 1) or (1, n + 1): the integer behind each count of thresholds; empty where it is that of the level.
    """

    thresholds: NDArray[np.int64]
    negate: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
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
    found = np.repeat(low[None, :], len(levels), axis=0)
    beyond = np.repeat(high[None, :] + 1, len(levels), axis=0)
    while (found < beyond).any():
        middle = (found + beyond) // 2
        # Where the search is over, `middle` may be one past the reachable range; what the chain makes of it is not
        # used.
        reached = codes_of(evaluate(steps, sign * middle), target) >= levels
        searching = found < beyond
        beyond = np.where(searching & reached, middle, beyond)
        found = np.where(searching & ~reached, middle + 1, found)
    cuts = Cuts(found.T, negate, _doubtful(steps, found, sign, (low, high), target, levels))
    return _without_unreached(cuts, (low, high), target)


def _without_unreached(cuts: Cuts, reach: Reach, target: Levels) -> Cuts:
    """`cuts` without the levels that no channel takes, and a table of the others, where that is smaller.

    A level that is not taken costs a threshold, equal to that of the next one. With up to three of them, each is a
    comparator; more are searched in a memory that doubles with each step. A table costs a LUT or two for each bit of
    a code.
    """
    low, high = reach
    ends = np.column_stack([low, cuts.thresholds, high + 1])
    taken = np.flatnonzero((np.diff(ends) > 0).any(axis=0))
    before, after = cuts.thresholds.shape[1], max(1, len(taken) - 1)
    fewer = after < before if before <= MAX_PARALLEL_THRESHOLDS else threshold_cycles(after) < threshold_cycles(before)
    codes = target.offset + target.step * taken
    if not fewer or len(taken) < 2:
        return cuts
    kept = taken[1:] - 1
    return replace(cuts, thresholds=cuts.thresholds[:, kept], doubtful=cuts.doubtful[:, kept], codes=codes[None])


def codes_of(values: NDArray[np.float32], target: Levels) -> NDArray[np.int64]:
    """The integers that stand for `values`, which are levels of `target`."""
    return np.rint(values / target.scale).astype(np.int64)


def _doubtful(
    steps: tuple[Node, ...],
    found: NDArray[np.int64],
    sign: NDArray[np.int64],
    reach: Reach,
    target: Levels,
    levels: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """See `Cuts.doubtful`: whether values that are off by its noise behind the first step are on the other side."""
    sides = np.stack([found - 1, found])
    changed = np.zeros(sides.shape, np.bool_)
    plain = codes_of(evaluate(steps, sign * sides), target) >= levels
    for values in off_by_noise(steps, sign * sides):
        changed |= (codes_of(values, target) >= levels) != plain
    return (changed & (sides >= reach[0]) & (sides <= reach[1])).T


def off_by_noise(steps: tuple[Node, ...], integers: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """What `steps` make of `integers` (.., C) where the float32 arithmetic of another executor is as far off as it may
    be, to either side; nothing where it is exact."""
    first, rest = steps[0], steps[1:]
    assert isinstance(first, Dequant)
    if first.noise.any() or inexact(rest):
        for side in (-1, 1):
            moved = np.asarray(integers * first.scale + side * first.noise, np.float32)
            yield evaluate(rest, moved, side * FUNCTION_ERROR)
