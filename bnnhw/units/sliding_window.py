"""Sliding-window unit (SWU): the windows of a map, from a buffer of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bnnhw.ir.geometry import Geometry
from bnnhw.parts import Part
from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, STALLED, TAKEN, Beat, CycleModel, Registered
from bnnhw.units.memories import block_rams, power_of_two


@dataclass(frozen=True)
class SlidingWindow(Unit):
    """The windows of a map of `height` x `width` pixels of `channels` channels of `lane_bits` bits, `lanes` at a time.

    Tap after tap, or column after column (`tall`), or channel by channel (`channels_outer`); with `fill` outside the
    map, or None for a mark there. The lines have room for at least `depth` beats, in a memory of `kind`.
    """

    lane_bits: int
    channels: int
    lanes: int
    height: int
    width: int
    geometry: Geometry
    fill: int | None
    channels_outer: bool
    tall: bool
    depth: int
    kind: str

    @property
    def latency(self) -> int:
        return 2

    @property
    def chunks(self) -> int:
        """Beats of a pixel."""
        return self.channels // self.lanes

    @property
    def line(self) -> int:
        """Beats of a line of the map."""
        return self.width * self.chunks

    @property
    def capacity(self) -> int:
        """Lines that the buffer holds."""
        return self.geometry.capacity(self.height, self.line, self.depth, tall=self.tall)

    @property
    def memories(self) -> tuple[int, int]:
        """Memories of the buffer, and beats that each holds."""
        if self.tall:
            return self.capacity, power_of_two(self.line)
        return 1, self.geometry.depth(self.height, self.line, self.depth)

    def cycle_model(self) -> CycleModel:
        return WindowRows(self)

    def features(self) -> Features:
        bits = self.lanes * self.lane_bits
        banks, depth = self.memories
        features = {"window": 1.0, "window_bit": bits}
        if self.tall:
            features["window_choice"] = bits * self.geometry.kernel[0] * (banks - 1)
        if self.kind != "block":
            features["buffer_bit"] = banks * depth * bits
        return features

    def block_rams(self, part: Part) -> int:
        if self.kind != "block":
            return 0
        banks, depth = self.memories
        return banks * block_rams(part, self.lanes * self.lane_bits, depth)

    def depths(self, part: Part) -> list[int]:
        """Depths of the buffer to consider: the fewest beats that suffice, or, where that costs nothing, what fills the
        same block RAMs; and the depth at which no row ever waits for its lines."""
        shallow = replace(self, depth=0)
        least, unbroken = 0, self.geometry.unbroken_lines(self.height)
        if self.kind == "block" and not self.tall:
            (_, least), width = shallow.memories, self.lanes * self.lane_bits
            count = block_rams(part, width, least)
            while block_rams(part, width, 2 * least) == count:
                least *= 2
        if replace(self, depth=least).capacity >= unbroken:
            return [least]
        return [least, unbroken * self.line]

    def wait(self, interval: int, *, first: bool) -> int:
        """Cycles per frame that windows may have to wait for lines for which there was no place before, if a frame
        comes in `interval` cycles, or a beat per cycle to the `first` layer."""
        return self._missing * (self.line if first else interval // self.height)

    @cached_property
    def _missing(self) -> int:
        """Lines of the next frame for which there may be no place."""
        return max(0, self.geometry.unbroken_lines(self.height) - self.capacity)


class WindowRows(Registered):
    """The rows of windows of a `SlidingWindow`, as their lines come."""

    __slots__ = (
        "_capacity", "_column", "_group", "_in_group", "_in_row", "_line", "_lines", "_per_row", "_row",
        "_schedule",
    )  # fmt: skip

    def __init__(self, unit: SlidingWindow) -> None:
        super().__init__()
        geometry = unit.geometry
        self._line = unit.line
        self._capacity = unit.capacity
        self._schedule = geometry.schedule(unit.height)
        taps = geometry.kernel[1] if unit.tall else geometry.taps
        self._group = taps * (1 if unit.channels_outer else unit.chunks)  # beats that `last` closes
        self._per_row = geometry.output(unit.height, unit.width)[1] * taps * unit.chunks
        self._column = self._lines = self._row = self._in_row = self._in_group = 0

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if self._lines < self._capacity else STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        most = self._line - self._column if took[0] else ENDLESS
        if gave[0] or self._out is NOTHING:
            if self._lines < self._schedule[self._row][0]:
                return most if self._out is NOTHING else 1
            if self._out is not GOING:
                return 1
            return min(most, self._group - self._in_group, self._per_row - self._in_row)
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        lines = self._lines
        if took[0]:
            self._column += times
            if self._column == self._line:
                self._column, self._lines = 0, lines + 1
        if gave[0] or self._out is NOTHING:
            needed, freed = self._schedule[self._row]
            if lines < needed:
                self._out = NOTHING
                return
            self._out = GOING
            self._in_group += times
            if self._in_group == self._group:
                self._in_group, self._out = 0, CLOSING
            self._in_row += times
            if self._in_row == self._per_row:
                self._in_row = 0
                self._lines -= freed
                self._row = (self._row + 1) % len(self._schedule)
