"""From the float values that an activation takes to integers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, DataType
from bnnhw.errors import ModelError

# How far float32 values may be from evenly spaced levels, in steps: rounding of 16-bit levels stays well below.
SPACING_TOLERANCE = 1e-2
# Values that are nearer, relative to the largest, are one level that float32 rounded in two ways.
SAME_LEVEL = 1e-6
# Unequal levels are whole multiples of up to MAX_MULTIPLE of one number, off by no more than this share of the largest;
# or exact multiples of a power of two, of up to MAX_GRID_BITS bits with their sign.
MAX_MULTIPLE = 255
GRID_TOLERANCE = 2.0**-22
MAX_GRID_BITS = 16


@dataclass(frozen=True, eq=False)
class Levels:
    """Values ``(offset + step * k) * scale`` for k in 0 .. count - 1, some of which may not occur; the integers are of
    format `dtype`, `scale` is a float64 scalar or, where it differs by channel, (C,)."""

    dtype: DataType
    offset: int
    step: int
    count: int
    scale: NDArray[np.float64]

    def holding(self, padding: set[float]) -> Levels:
        """With a format that holds what the values are padded with as well."""
        if self.scale.ndim:
            extra = [0] if padding else []
        else:
            extra = [round(value / float(self.scale)) for value in padding]
        if not extra or self.dtype.contains(extra):
            return self
        ends = [self.dtype.min, self.dtype.max, *extra]
        return replace(self, dtype=DataType.smallest(min(ends), max(ends)))


def spaced(values: NDArray[np.float32]) -> Levels:
    """The integers of values (levels,), or (levels, C) where they differ by channel.

    Raises
    ------
    ModelError
        If the values are neither evenly spaced around zero nor whole multiples of one number; or if channels need
        different integers.
    """
    if values.ndim == 1:
        return _spaced(np.unique(values.astype(np.float64)))
    channels = [_spaced(np.unique(column.astype(np.float64))) for column in values.T]
    first = channels[0]
    if any((c.offset, c.step, c.count) != (first.offset, first.step, first.count) for c in channels):
        raise ModelError("its input takes levels that differ from channel to channel; use one quantiser for all")
    return replace(first, scale=np.array([float(c.scale) for c in channels]))


def _spaced(values: NDArray[np.float64]) -> Levels:
    values = values[np.diff(values, prepend=-np.inf) > SAME_LEVEL * np.abs(values).max()]
    offset, step, scale = _integers(values)
    last = int(np.rint(values[-1] / scale))
    dtype = BIPOLAR if (offset, last, step) == (-1, 1, 2) else DataType.smallest(offset, last)
    return Levels(dtype, offset, step, 1 + (last - offset) // step, np.array(scale))


def _integers(values: NDArray[np.float64]) -> tuple[int, int, float]:
    """Offset, step and scale of ascending, distinct values."""
    if len(values) == 1:
        return (0, 1, 1.0) if values[0] == 0 else (int(np.sign(values[0])), 1, float(abs(values[0])))
    if len(values) == 2 and values[0] == -values[1]:
        return -1, 2, float(values[1])
    scale = float(np.float32((values[-1] - values[0]) / (len(values) - 1)))
    if np.abs((values - values[0]) / scale - np.arange(len(values))).max() <= SPACING_TOLERANCE:
        start = values[0] / scale
        if abs(start - np.rint(start)) <= SPACING_TOLERANCE:
            return int(np.rint(start)), 1, scale
        if abs(start - np.floor(start) - 0.5) <= SPACING_TOLERANCE:
            return int(np.rint(2 * start)), 2, scale / 2
    unit = _grid(values)
    offset = int(np.rint(values[0] / unit))
    step = int(np.gcd.reduce(np.rint(values / unit).astype(np.int64) - offset))
    return offset, step, unit


def _grid(values: NDArray[np.float64]) -> float:
    """The largest unit of which all `values` are whole multiples: of up to 8 bits within float32's rounding, or exact
    ones of up to 16 bits."""
    smallest, largest = np.abs(values[values != 0]).min(), np.abs(values).max()
    for parts in range(1, int(MAX_MULTIPLE * smallest / largest) + 1):
        unit = smallest / parts
        multiples = np.rint(values / unit)
        if np.abs(multiples * unit - values).max() <= GRID_TOLERANCE * largest:
            # The mean of what the values tell, each by its size.
            return float(np.float32(values @ multiples / (multiples @ multiples)))
    ratios = [float(value).as_integer_ratio() for value in values if value]
    binary = min((top & -top) / bottom for top, bottom in ratios)
    if largest / binary < 1 << (MAX_GRID_BITS - 1):
        return float(binary)
    raise ModelError(
        f"its input takes unequal levels, such as {', '.join(f'{value:g}' for value in values[:4])}, that are no whole "
        f"multiples, up to {MAX_MULTIPLE}, of one number"
    )
