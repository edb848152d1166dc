"""Frame guard: whatever comes in, whole frames go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, Beat, CycleModel


@dataclass(frozen=True)
class FrameGuard(Unit):
    """Frames of `beats` beats of `width` bits, of the last of which `tail` belong to the frame."""

    width: int
    beats: int
    tail: int

    @property
    def latency(self) -> int:
        return 0

    def cycle_model(self) -> CycleModel:
        return WholeFrames(self.beats)

    def features(self) -> Features:
        return {"accelerator": 1.0}


class WholeFrames(CycleModel):
    """Whole frames of `beats` beats, which go on as they come.

    What it tells of frames goes to a `FrameStatus` that never stalls, and stands for nothing here.
    """

    __slots__ = ("_beat", "_beats")

    def __init__(self, beats: int) -> None:
        self._beats = beats
        self._beat = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        if not inputs[0][0]:
            return NOTHING
        return CLOSING if self._beat == self._beats else GOING

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return max(1, self._beats - self._beat) if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._beat = 1 if self._beat == self._beats else self._beat + times
