"""Fork: one stream to several readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import ENDLESS, NONE, STALLED, TAKEN, Beat, CycleModel


@dataclass(frozen=True)
class Fork(Unit):
    """Each beat of `width` bits to `readers` readers, to each in its own time."""

    width: int
    readers: int

    @property
    def latency(self) -> int:
        return 0

    def cycle_model(self) -> CycleModel:
        return ForkedBeats(self.readers)

    def features(self) -> Features:
        return {"fork": float(self.readers)}


class ForkedBeats(CycleModel):
    """Each beat to `readers` readers."""

    __slots__ = ("_done",)

    def __init__(self, readers: int) -> None:
        self._done = [False] * readers

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        beat = inputs[0]
        return [NONE if done else beat for done in self._done]

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        for done, takes in zip(self._done, ready, strict=True):
            if not (done or takes):
                return STALLED
        return TAKEN

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return 1 if True in self._done else ENDLESS
        return 1 if True in gave else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        for k, given in enumerate(gave):
            if took[0]:
                self._done[k] = False
            elif given:
                self._done[k] = True
