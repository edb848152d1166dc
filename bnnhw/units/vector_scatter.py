"""Vector scatter: vectors that were computed side by side, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.parts import Part
from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, CycleModel, DoubleBuffer
from bnnhw.units.memories import block_rams, power_of_two


@dataclass(frozen=True)
class VectorScatter(Unit):
    """Gives `vectors` vectors of `beats` beats that come side by side one after the other; a frame has `total`."""

    width: int
    beats: int
    vectors: int
    total: int
    kind: str

    @property
    def latency(self) -> int:
        return 2

    def cycle_model(self) -> CycleModel:
        return ScatteredGroups(self.beats, self.vectors, self.total)

    def features(self) -> Features:
        features: Features = {"cut_bit": self.width * self.vectors}
        if self.kind != "block":
            features["buffer_bit"] = 2 * power_of_two(self.beats) * self.width * self.vectors
        return features

    def block_rams(self, part: Part) -> int:
        if self.kind != "block":
            return 0
        return block_rams(part, self.width * self.vectors, 2 * power_of_two(self.beats))


class ScatteredGroups(DoubleBuffer):
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
