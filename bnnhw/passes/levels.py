"""From the float values that an activation takes to integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, DataType
from bnnhw.errors import ModelError

# How far float32 values may be from evenly spaced levels, in steps: rounding of 16-bit levels stays well below.
SPACING_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Levels:
    """Values ``(offset + step * k) * scale`` for k in 0 .. count - 1; the integers are of format `dtype`."""

    dtype: DataType
    offset: int
    step: int
    count: int
    scale: float


def spaced(values: NDArray[np.float64]) -> Levels:
    """The integers of ascending, distinct `values`.

    Raises
    ------
    ModelError
        If the values are not evenly spaced, or neither whole nor half-odd multiples of their distance.
    """
    offset, step, scale = _integers(values)
    codes = offset + step * np.arange(len(values))
    dtype = BIPOLAR if codes.tolist() == [-1, 1] else DataType.smallest(int(codes[0]), int(codes[-1]))
    return Levels(dtype, offset, step, len(values), scale)


def _integers(values: NDArray[np.float64]) -> tuple[int, int, float]:
    """Offset, step and scale."""
    if len(values) == 1:
        return (0, 1, 1.0) if values[0] == 0 else (int(np.sign(values[0])), 1, float(abs(values[0])))
    if len(values) == 2 and values[0] == -values[1]:
        return -1, 2, float(values[1])
    scale = float(np.float32((values[-1] - values[0]) / (len(values) - 1)))
    if np.abs((values - values[0]) / scale - np.arange(len(values))).max() > SPACING_TOLERANCE:
        raise ModelError("its input takes values that are not evenly spaced, such as a quantiser's cut off by a clip")
    start = values[0] / scale
    if abs(start - np.rint(start)) <= SPACING_TOLERANCE:
        return int(np.rint(start)), 1, scale
    if abs(start - np.floor(start) - 0.5) <= SPACING_TOLERANCE:
        return int(np.rint(2 * start)), 2, scale / 2
    raise ModelError(f"its input takes values from {values[0]:g} in steps of {scale:g}, which are no multiples of it")
