"""Frame status: which of the frames inside an accelerator was damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, NOTHING, STALLED, TAKEN, Beat, CycleModel
from bnnhw.units.memories import power_of_two


@dataclass(frozen=True)
class FrameStatus(Unit):
    """Keeps a bit for each of at least `frames` frames."""

    frames: int

    @property
    def latency(self) -> int:
        return 1

    def cycle_model(self) -> CycleModel:
        return KeptFrames(power_of_two(self.frames))

    def features(self) -> Features:
        # Part of what an accelerator takes besides its layers, see `FrameGuard`.
        return {}


class KeptFrames(CycleModel):
    """A counter of up to `places` frames, none of them damaged."""

    __slots__ = ("_kept", "_places")

    def __init__(self, places: int) -> None:
        self._places = places
        self._kept = 0

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return CLOSING if self._kept else NOTHING

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if self._kept < self._places else STALLED

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        self._kept += took[0] - gave[0]
