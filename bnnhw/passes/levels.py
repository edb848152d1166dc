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
# Of a grid that holds levels which are not evenly spaced: how many steps it has at most, ..
MAX_GRID = 255
# .. and how far float32 levels may be from it, relative to the largest. Exact multiples of a power of two may have
# that many bits with their sign.
GRID_TOLERANCE = 2.0**-22
MAX_GRID_BITS = 16
# Levels that are on no grid: each is a threshold, and may be a size of step of its own.
MAX_NUMBERED = 64


@dataclass(frozen=True, eq=False)
class Levels:
    """Values ``(offset + step * k) * scale`` for k in 0 .. count - 1, of which some may not occur; the integers are of
    format `dtype`, `scale` is a float64 scalar or, where it differs by channel, (C,).

    Where `listed` is given, of shape (count, 1) or (count, C), integer k stands for its row k instead: values on no
    grid, ascending.
    """

    dtype: DataType
    offset: int
    step: int
    count: int
    scale: NDArray[np.float64]
    listed: NDArray[np.float32] | None = None

    def codes(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """The integers that stand for `values` (.., C), which are levels of these."""
        if self.listed is None:
            return np.rint(values / self.scale).astype(np.int64)
        return np.asarray(sum((values >= level for level in self.listed[1:]), np.zeros(values.shape, np.int64)))

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


def spaced(values: NDArray[np.float32], *, grid: bool = False) -> Levels:
    """The integers of values (levels,), or (levels, C) where they differ by channel.

    With `grid`, values that are not evenly spaced get integers as well, if there is a fine enough grid.

    Raises
    ------
    ModelError
        If the values are not evenly spaced, or neither whole nor half-odd multiples of their distance, nor on a `grid`.
    """
    if values.ndim == 1:
        return _spaced(values, grid)
    channels = [_spaced(column, grid) for column in values.T]
    first = channels[0]
    scale = np.array([float(c.scale) for c in channels])
    if all((c.offset, c.step, c.count) == (first.offset, first.step, first.count) for c in channels):
        return replace(first, scale=scale)
    # The integers of any channel.
    low, high = min(c.offset for c in channels), max(c.offset + c.step * (c.count - 1) for c in channels)
    return Levels(DataType.smallest(low, high), low, 1, high - low + 1, scale)


def numbered(values: NDArray[np.float32]) -> Levels:
    """The places of values (levels,) or (levels, C) in their order: integers for what is on no grid.

    Raises
    ------
    ModelError
        If there are too many.
    """
    listed = np.unique(values)[:, None] if values.ndim == 1 else np.sort(values, axis=0)
    count = len(listed)
    if count > MAX_NUMBERED:
        raise ModelError(f"{count} levels that are not evenly spaced; use no more than {MAX_NUMBERED}")
    return Levels(DataType.smallest(0, count - 1), 0, 1, count, np.array(1.0), listed)


def _spaced(values: NDArray[np.float32], grid: bool) -> Levels:
    found = np.unique(values.astype(np.float64))
    found = found[np.diff(found, prepend=-np.inf) > SAME_LEVEL * np.abs(found).max()]
    try:
        offset, step, scale = _integers(found)
    except ModelError:
        if not grid:
            raise
        scale = _grid(found)
        codes = np.rint(found / scale).astype(np.int64)
        offset, step = int(codes[0]), int(np.gcd.reduce(codes - codes[0]))
    last = int(np.rint(found[-1] / scale))
    dtype = BIPOLAR if (offset, step, last) == (-1, 2, 1) else DataType.smallest(offset, last)
    return Levels(dtype, offset, step, 1 + (last - offset) // step, np.array(scale))


def _grid(values: NDArray[np.float64]) -> float:
    """The largest unit of which ascending, distinct `values` are whole multiples.

    Raises
    ------
    ModelError
        If that is too small.
    """
    smallest, largest = np.abs(values[values != 0]).min(), np.abs(values).max()
    for parts in range(1, int(MAX_GRID * smallest / (values[-1] - values[0])) + 1):
        unit = smallest / parts
        if np.abs(np.rint(values / unit) * unit - values).max() <= GRID_TOLERANCE * largest:
            return float(unit)
    ratios = [float(value).as_integer_ratio() for value in values if value]
    binary = min((top & -top) / bottom for top, bottom in ratios)
    if largest / binary < 1 << (MAX_GRID_BITS - 1):
        return float(binary)
    shown = ", ".join(f"{value:g}" for value in values[:4])
    raise ModelError(
        f"its input takes values such as {shown}, which are no whole multiples, up to {MAX_GRID}, of one number; use a "
        "quantiser with a scale"
    )


def _integers(values: NDArray[np.float64]) -> tuple[int, int, float]:
    """Offset, step and scale of ascending, distinct values."""
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
