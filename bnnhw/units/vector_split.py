"""Vector split: the vectors of a frame of many."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CycleModel
from bnnhw.units.frame_guard import WholeFrames


@dataclass(frozen=True)
class VectorSplit(Unit):
    """Marks the end of each vector: every `beats` beats of `width` bits."""

    width: int
    beats: int

    @property
    def latency(self) -> int:
        return 0

    def cycle_model(self) -> CycleModel:
        return WholeFrames(self.beats)

    def features(self) -> Features:
        return {"fork": 1.0}
