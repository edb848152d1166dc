"""The sliding-window unit of a layer that takes windows of a map."""

from __future__ import annotations

from bnnhw.arithmetic.formats import DataType
from bnnhw.ir.geometry import Geometry
from bnnhw.units import SlidingWindow
from bnnhw.units.memories import written_kind


def sliding_window(
    dtype: DataType,
    shape: tuple[int, ...],
    geometry: Geometry,
    family: str,
    *,
    lanes: int,
    fill: int | None,
    channels_outer: bool = False,
    tall: bool = False,
    depth: int,
    memory: str,
) -> SlidingWindow:
    """The windows of a map of `shape` (height, width, channels), `lanes` channels at a time; see `SlidingWindow`."""
    height, width, channels = shape
    kind = written_kind(memory, family)
    return SlidingWindow(
        dtype.bits, channels, lanes, height, width, geometry, fill, channels_outer, tall, depth, kind
    )  # fmt: skip
