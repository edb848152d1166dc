"""Vector buffer: each vector several times, for the passes of a matrix-vector unit."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.parts import Part
from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, CycleModel, DoubleBuffer
from bnnhw.units.memories import block_rams, power_of_two


@dataclass(frozen=True)
class VectorBuffer(Unit):
    """Gives each group of `vectors` vectors of `beats` beats, side by side, `repeats` times; a frame has `total`
    vectors."""

    width: int
    beats: int
    repeats: int
    vectors: int
    total: int
    kind: str

    @property
    def latency(self) -> int:
        return 2

    def cycle_model(self) -> CycleModel:
        return RepeatedGroups(self.beats, self.repeats, self.vectors, self.total)

    def features(self) -> Features:
        bits = 2 * power_of_two(self.beats) * self.width * self.vectors
        return {"buffer_bit": bits} if self.kind != "block" else {}

    def block_rams(self, part: Part) -> int:
        if self.kind != "block":
            return 0
        return self.vectors * block_rams(part, self.width, 2 * power_of_two(self.beats))


class RepeatedGroups(DoubleBuffer):
    """Two groups of `vectors` vectors of `beats` beats, side by side `repeats` times; a frame has `total` vectors."""

    __slots__ = ("_filled", "_frame", "_group", "_read", "_reads", "_taken")

    def __init__(self, beats: int, repeats: int, vectors: int, total: int) -> None:
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
