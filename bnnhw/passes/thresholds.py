"""The integer thresholds that decide as a chain of float32 operations does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import INEXACT, direction
from bnnhw.ir.nodes import Activation, Dequant, Node
from bnnhw.passes.levels import Levels
from bnnhw.passes.rewrite import label
from bnnhw.passes.values import evaluate

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
    """

    thresholds: NDArray[np.int64]
    negate: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]


def directions(steps: tuple[Node, ...], channels: int) -> NDArray[np.int8]:
    """+1, -1 or 0 for each channel: how the end of `steps` goes with the integers.

    Raises
    ------
    ModelError
        If an operation is not monotone.
    """
    product = np.ones(channels, np.int8)
    for step in steps:
        try:
            product = product * direction(step)
        except TypeError:
            raise ModelError(
                f"{label(step)} ({step.op}) between a layer and its quantiser is not monotone, so thresholds cannot "
                "replace it; use a monotone activation"
            ) from None
    return product


def find(steps: tuple[Node, ...], reach: Reach, target: Levels) -> Cuts:
    """The cuts of `target`'s levels in integers from ``reach[0]`` to ``reach[1]``, (C,) each.

    Every operation of the chain is monotone in float32, roundings included, so bisection over the reachable integers
    finds the first one of each level exactly.

    Raises
    ------
    ModelError
        If the chain is not monotone.
    """
    low, high = reach
    negate = directions(steps, len(low)) < 0
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
        reached = _codes(evaluate(steps, sign * middle), target) >= levels
        searching = found < beyond
        beyond = np.where(searching & reached, middle, beyond)
        found = np.where(searching & ~reached, middle + 1, found)
    return Cuts(found.T, negate, _doubtful(steps, found, sign, (low, high), target, levels))


def _codes(values: NDArray[np.float32], target: Levels) -> NDArray[np.int64]:
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
    first, rest = steps[0], steps[1:]
    assert isinstance(first, Dequant)
    inexact = any(isinstance(step, Activation) and step.function in INEXACT for step in rest)
    if not first.noise.any() and not inexact:
        return np.zeros(sides.T.shape, np.bool_)
    exact = sign * sides * first.scale
    changed = np.zeros(sides.shape, np.bool_)
    plain = _codes(evaluate(steps, sign * sides), target) >= levels
    for side in (-1, 1):
        moved = np.asarray(exact + side * first.noise, np.float32)
        changed |= (_codes(evaluate(rest, moved, side * FUNCTION_ERROR), target) >= levels) != plain
    return (changed & (sides >= reach[0]) & (sides <= reach[1])).T
