"""The integer thresholds that decide as a chain of float32 operations does."""

from __future__ import annotations

from collections.abc import Callable
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
        (C, n, 2), first and past: the integers, negated as well, that lie within float32's own error of the cut, so
        that an executor that adds in another order may decide otherwise there.
    """

    thresholds: NDArray[np.int64]
    negate: NDArray[np.bool_]
    doubtful: NDArray[np.int64]


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

    def first(off: int) -> NDArray[np.int64]:
        return _first(lambda x: _codes(_moved(steps, sign * x, off), target) >= levels, low, high, len(levels))

    found = first(0)
    moved = [found, *(first(off) for off in ((-1, 1) if _inexact(steps) else ()))]
    ends = np.stack([np.minimum.reduce(moved), np.maximum.reduce(moved)])
    return Cuts(found.T, negate, ends.T)


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


def _codes(values: NDArray[np.float32], target: Levels) -> NDArray[np.int64]:
    return np.rint(values / target.scale).astype(np.int64)


def _inexact(steps: tuple[Node, ...]) -> bool:
    """Whether executors may get other values than exact integers give."""
    first = steps[0]
    assert isinstance(first, Dequant)
    return bool(first.noise.any()) or any(isinstance(s, Activation) and s.function in INEXACT for s in steps)


def _moved(steps: tuple[Node, ...], integers: NDArray[np.int64], off: int) -> NDArray[np.float32]:
    """What `steps` make of `integers` (n, C), -1 or +1 times their error `off`."""
    if not off:
        return evaluate(steps, integers)
    first, rest = steps[0], steps[1:]
    assert isinstance(first, Dequant)
    moved = np.asarray(integers * first.scale + off * first.noise, np.float32)
    return evaluate(rest, moved, off * FUNCTION_ERROR)
