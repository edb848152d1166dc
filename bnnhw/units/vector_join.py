"""Vector join: several vectors become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, Beat, CycleModel


@dataclass(frozen=True)
class VectorJoin(Unit):
    """Makes `vectors` vectors of beats of `width` bits one."""

    width: int
    vectors: int

    @property
    def latency(self) -> int:
        return 0

    def cycle_model(self) -> CycleModel:
        return JoinedVectors(self.vectors)

    def features(self) -> Features:
        return {"fork": 1.0}


class JoinedVectors(CycleModel):
    """Every `vectors` vectors made one."""

    __slots__ = ("_index", "_vectors")

    def __init__(self, vectors: int) -> None:
        self._vectors = vectors
        self._index = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        if inputs[0][1]:
            return CLOSING if self._index == self._vectors else GOING
        return inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return 1 if gave[0] and inputs[0][1] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] and inputs[0][1]:
            self._index = 1 if self._index == self._vectors else self._index + 1
