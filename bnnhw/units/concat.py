"""Concat: the vectors of several streams, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.arithmetic.formats import DataType
from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, Beat, CycleModel


@dataclass(frozen=True)
class Concat(Unit):
    """A vector of each input in turn, made one of `out_dtype`: `channels` elements of each, of formats `dtypes`, and
    `lanes` of them a beat."""

    dtypes: tuple[DataType, ...]
    lanes: int
    channels: tuple[int, ...]
    out_dtype: DataType

    gives = "codes"

    @property
    def latency(self) -> int:
        return 0

    def cycle_model(self) -> CycleModel:
        return VectorsInTurn(len(self.channels))

    def features(self) -> Features:
        return {"cut_bit": self.lanes * self.out_dtype.bits}


class VectorsInTurn(CycleModel):
    """A vector of each of `inputs` streams in turn, made one."""

    __slots__ = ("_stalled", "_taken", "_turn")

    def __init__(self, inputs: int) -> None:
        self._turn = 0
        self._taken = [[k == turn for k in range(inputs)] for turn in range(inputs)]
        self._stalled = [False] * inputs

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        valid, last, _ = inputs[self._turn]
        if not valid:
            return NOTHING
        return CLOSING if last and self._turn + 1 == len(self._taken) else GOING

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return self._taken[self._turn] if ready[0] else self._stalled

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return 1 if gave[0] and inputs[self._turn][1] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] and inputs[self._turn][1]:
            self._turn = (self._turn + 1) % len(self._taken)
