"""Layers that end in thresholds: the unit that counts them, and what its memory holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
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
