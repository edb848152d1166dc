"""Twins of units with a memory."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence

from bnnhw.dataflow.twins.base import CLOSING, ENDLESS, GOING, NOTHING, STALLED, TAKEN, Beat, Registered
from bnnhw.ir.geometry import Geometry


class _Double(Registered):
    """Two places: what is complete in one goes out while the other fills."""

    __slots__ = ("_full",)

    def __init__(self) -> None:
        super().__init__()
        self._full = 0

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if self._full < 2 else STALLED

    @abstractmethod
    def _come(self, times: int) -> None:
        """Takes beats; a place is full with its last one."""

    @abstractmethod
    def _go(self, times: int) -> None:
        """Gives beats; a place is free with its last one."""

    @abstractmethod
    def _to_come(self) -> int:
        """Beats until a place is full."""

    @abstractmethod
    def _to_go(self) -> int:
        """Beats until one closes something."""

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        most = max(1, self._to_come() - 1) if took[0] else ENDLESS
        if gave[0] or self._out is NOTHING:
            if self._full:
                return min(most, max(1, self._to_go() - 1)) if self._out is GOING else 1
            if self._out is not NOTHING:
                return 1
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        full = self._full
        if took[0]:
            self._come(times)
        if gave[0] or self._out is NOTHING:
            self._out = NOTHING
            if full:
                self._out = GOING
                self._go(times)


class VectorBuffer(_Double):
    """Two groups of `vectors` vectors of `beats` beats, side by side `repeats` times; a frame has `total` vectors."""

    __slots__ = ("_filled", "_frame", "_group", "_read", "_reads", "_taken")

    def __init__(self, beats: int, repeats: int, *, vectors: int = 1, total: int = 1) -> None:
        super().__init__()
        self._reads = beats * repeats
        self._group, self._frame = beats * vectors, beats * (total if total % vectors else vectors)
        self._filled = self._read = self._taken = 0

    def _come(self, times: int) -> None:
        self._filled += times
        self._taken += times
        if self._taken == self._frame:
            self._taken, self._filled = 0, self._group
        if self._filled == self._group:
            self._filled = 0
            self._full += 1

    def _go(self, times: int) -> None:
        self._read += times
        if self._read == self._reads:
            self._read, self._out = 0, CLOSING
            self._full -= 1

    def _to_come(self) -> int:
        return min(self._group - self._filled, self._frame - self._taken)

    def _to_go(self) -> int:
        return self._reads - self._read


class VectorScatter(_Double):
    """Two groups of `vectors` vectors of `beats` beats, given one after the other; a frame has `total` vectors."""

    __slots__ = ("_beat", "_beats", "_filled", "_total", "_vector", "_vectors", "_whole")

    def __init__(self, beats: int, vectors: int, total: int) -> None:
        super().__init__()
        self._beats, self._vectors = beats, vectors
        self._total = total if total % vectors else vectors
        self._filled = self._beat = self._vector = self._whole = 0

    def _come(self, times: int) -> None:
        self._filled += times
        if self._filled == self._beats:
            self._filled = 0
            self._full += 1

    def _go(self, times: int) -> None:
        self._beat += times
        if self._beat == self._beats:
            self._beat, self._out = 0, CLOSING
            self._vector += 1
            self._whole += 1
            if self._whole == self._total:
                self._whole, self._vector = 0, self._vectors
            if self._vector == self._vectors:
                self._vector = 0
                self._full -= 1

    def _to_come(self) -> int:
        return self._beats - self._filled

    def _to_go(self) -> int:
        return self._beats - self._beat


class SlidingWindow(Registered):
    """The windows of a map of `height` x `width` pixels of `chunks` beats."""

    __slots__ = (
        "_capacity", "_column", "_group", "_in_group", "_in_row", "_line", "_lines", "_per_row", "_row",
        "_schedule",
    )  # fmt: skip

    def __init__(
        self,
        chunks: int,
        height: int,
        width: int,
        geometry: Geometry,
        *,
        channels_outer: bool,
        tall: bool = False,
        depth: int = 0,
    ) -> None:
        super().__init__()
        self._line = width * chunks
        self._capacity = geometry.capacity(height, self._line, depth, tall=tall)
        self._schedule = geometry.schedule(height)
        taps = geometry.kernel[1] if tall else geometry.taps
        self._group = taps * (1 if channels_outer else chunks)  # beats that `last` closes
        self._per_row = geometry.output(height, width)[1] * taps * chunks
        self._column = self._lines = self._row = self._in_row = self._in_group = 0

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if self._lines < self._capacity else STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        most = max(1, self._line - self._column - 1) if took[0] else ENDLESS
        if gave[0] or self._out is NOTHING:
            if self._lines < self._schedule[self._row][0]:
                return most if self._out is NOTHING else 1
            if self._out is not GOING:
                return 1
            return min(most, max(1, min(self._group - self._in_group, self._per_row - self._in_row) - 1))
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


class StreamFifo(Registered):
    """`depth` beats, and one at the output; `most` is the least depth with which none had to wait."""

    __slots__ = ("_depth", "_held", "most")

    def __init__(self, depth: int) -> None:
        super().__init__()
        self._depth = depth
        self.most = 0
        self._held: deque[list[Beat]] = deque()

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if len(self._held) < self._depth else STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return 1 if took[0] or gave[0] or (self._held and self._out is NOTHING) else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if took[0]:
            self.most = max(self.most, len(self._held) + 1)
        if gave[0] or self._out is NOTHING:
            self._out = self._held.popleft() if self._held else NOTHING
        if took[0]:
            self._held.append(CLOSING if inputs[0][1] else GOING)
