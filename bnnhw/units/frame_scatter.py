"""Frame scatter: frames that were computed side by side, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.parts import Part
from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, Beat, CycleModel
from bnnhw.units.memories import block_rams, power_of_two


@dataclass(frozen=True)
class FrameScatter(Unit):
    """Undoes what a `FrameGather` did: up to `groups` groups of up to `frames` vectors of `beats` beats."""

    width: int
    beats: int
    frames: int
    groups: int
    kind: str

    @property
    def latency(self) -> int:
        return 2

    def cycle_model(self) -> CycleModel:
        return ScatteredFrames(self.beats, self.groups)

    def features(self) -> Features:
        features: Features = {"cut_bit": self.width * self.frames, "fork": 3.0}
        if self.kind != "block":
            features["buffer_bit"] = 2 * power_of_two(self.beats) * self.width * self.frames
        return features

    def block_rams(self, part: Part) -> int:
        if self.kind != "block":
            return 0
        return block_rams(part, self.width * self.frames, 2 * power_of_two(self.beats))


class ScatteredFrames(CycleModel):
    """Groups in beats of all their vectors, given one after the other; the second input carries the size of each, and
    up to `groups` sizes wait."""

    __slots__ = ("_beat", "_beats", "_filled", "_full", "_groups", "_known", "_out", "_vector")

    def __init__(self, beats: int, groups: int) -> None:
        self._beats, self._groups = beats, groups
        self._filled = self._full = self._beat = self._vector = 0
        self._known: deque[int] = deque()
        self._out: Sequence[Beat] = NOTHING

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return [self._full < 2, len(self._known) < self._groups]

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[1]:
            return 1
        most = max(1, self._beats - self._filled - 1) if took[0] else ENDLESS
        if gave[0] or self._out is NOTHING:
            if self._full and self._known:
                return min(most, max(1, self._beats - self._beat - 1)) if self._out is GOING else 1
            if self._out is not NOTHING:
                return 1
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        goes = self._full and self._known
        if took[0]:
            self._filled += times
            if self._filled == self._beats:
                self._filled = 0
                self._full += 1
        if gave[0] or self._out is NOTHING:
            self._out = NOTHING
            if goes:
                self._out = GOING
                self._beat += times
                if self._beat == self._beats:
                    self._beat, self._out = 0, CLOSING
                    self._vector += 1
                    if self._vector == self._known[0]:
                        self._vector = 0
                        self._full -= 1
                        self._known.popleft()
        if took[1]:
            self._known.append(inputs[1][2])
