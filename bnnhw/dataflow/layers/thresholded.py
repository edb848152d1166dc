"""Layers that end in thresholds: the unit that counts them, or multiplies in their place, and what its memory holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import SMALL_TABLE
from bnnhw.arithmetic.thresholds import MAX_PARALLEL_THRESHOLDS, threshold_cycles
from bnnhw.dataflow.layers.base import MEMORIES, MULTIPLIED
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import Threshold
from bnnhw.units import ThresholdUnit
from bnnhw.units.threshold import ThresholdContents


def threshold_unit(
    node: Threshold, given: DataType, *, pe: int, nf: int, width: int, vectors: int, memory: str
) -> ThresholdUnit:
    """The unit that counts the thresholds of `node` in sums of `width` bits and gives codes of the format `given`."""
    channels, count = node.thresholds.shape
    tail = channels - (nf - 1) * pe
    return ThresholdUnit(pe, nf, tail, width, count, given.bits, vectors, memory)


def threshold_contents(
    node: Threshold, relative: NDArray[np.int64], given: DataType, *, pe: int, nf: int
) -> ThresholdContents:
    """What a threshold unit holds: `relative` thresholds (channels, count), each row ascending from zero."""
    channels, count = node.thresholds.shape
    rows = np.zeros((nf * pe, count), dtype=np.int64)
    rows[:channels] = relative
    codes = given.encode(node.offset + node.step * np.arange(count + 1))
    return ThresholdContents(rows.reshape(nf, pe, count).tolist(), codes.tolist())


def threshold_cycles_of(count: int, memory: str) -> int:
    """Cycles between two beats of what gives the codes: thresholds, or a multiplication."""
    return 1 if memory in MULTIPLIED else threshold_cycles(count)


def threshold_memories(count: int, nf: int, *, scaled: bool) -> tuple[str, ...]:
    """The choices that make a difference for `count` thresholds a row, and `nf` beats of rows."""
    # Small tables of thresholds compared at once never are better in block RAM.
    memories = MEMORIES if nf > SMALL_TABLE or count > MAX_PARALLEL_THRESHOLDS else ()
    return (*memories, *MULTIPLIED) if scaled else memories


def check_stand_in(name: str, wanted: Mapping[str, Any], *, scaled: bool) -> None:
    """Refuses a multiplication where it gives other codes than the thresholds.

    Raises
    ------
    PlanError
        Naming the layer.
    """
    if wanted.get("threshold_memory") in MULTIPLIED and not scaled:
        raise PlanError(
            f"--folding: layer {name}: no multiplication gives the codes of its thresholds, or there are too few: "
            f"threshold_memory must be {' or '.join(MEMORIES)}"
        )
