"""Frame gather: the vectors of several frames side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.parts import Part
from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NONE, NOTHING, Beat, CycleModel
from bnnhw.units.memories import block_rams, power_of_two


@dataclass(frozen=True)
class FrameGather(Unit):
    """Gives up to `frames` vectors of `beats` beats, of a frame each, side by side, `repeats` times."""

    width: int
    beats: int
    repeats: int
    frames: int
    kind: str

    @property
    def latency(self) -> int:
        return 2

    def cycle_model(self) -> GatheredFrames:
        return GatheredFrames(self.beats, self.repeats, self.frames)

    def features(self) -> Features:
        features: Features = {"fork": 3.0}
        if self.kind != "block":
            features["buffer_bit"] = 2 * power_of_two(self.beats) * self.width * self.frames
        return features

    def block_rams(self, part: Part) -> int:
        if self.kind != "block":
            return 0
        return self.frames * block_rams(part, self.width, 2 * power_of_two(self.beats))


class GatheredFrames(CycleModel):
    """Up to `frames` vectors of `beats` beats, side by side `repeats` times; the second output carries how many.

    Attributes
    ----------
    crowded
        Vectors since the last group that was not full.
    """

    __slots__ = ("_beats", "_filled", "_frames", "_held", "_out", "_read", "_reads", "_size", "_told", "crowded")
    records = ("crowded",)

    def __init__(self, beats: int, repeats: int, frames: int) -> None:
        self._beats, self._reads, self._frames = beats, beats * repeats, frames
        self._filled = self._held = self._read = self._size = 0
        self._out: Sequence[Beat] = NOTHING
        self._told = True  # whether the group's size was taken
        self.crowded = 0

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return [self._out[0], NONE if self._told else (True, True, self._size)]

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return [self._held < 2 * self._frames]

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if gave[1]:
            return 1
        most = max(1, self._beats - self._filled - 1) if took[0] else ENDLESS
        if gave[0] or self._out is NOTHING:
            if self._read:
                return min(most, max(1, self._reads - self._read - 1)) if self._out is GOING else 1
            if self._out is not NOTHING or (self._held and self._told):
                return 1
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        held = self._held
        self._told = self._told or gave[1]
        if took[0]:
            self._filled += times
            if self._filled == self._beats:
                self._filled = 0
                self._held += 1
        if not gave[0] and self._out is not NOTHING:
            return
        self._out = NOTHING
        if not self._read:
            if not held or not self._told:
                return
            self._size = min(self._frames, held)
            self._told = False
            self.crowded = self.crowded + self._size if self._size == self._frames else 0
        self._out = GOING
        self._read += times
        if self._read == self._reads:
            self._read, self._out = 0, CLOSING
            self._held -= self._size
