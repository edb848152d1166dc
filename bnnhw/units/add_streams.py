"""Add streams: the weighted sum of several streams, lane by lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.arithmetic.formats import DataType, value_width
from bnnhw.units.base import Contents, Features, Unit
from bnnhw.units.cycle_model import NOTHING, Beat, CycleModel, Register


@dataclass(frozen=True, eq=False)
class SumContents(Contents):
    """What each input counts for: in all channels, or a number for each channel of a vector."""

    coefficients: list[int | list[int]]


@dataclass(frozen=True)
class AddStreams(Unit):
    """Sums of `lanes` elements of streams of `dtypes`, each times its coefficient, as `out_dtype`."""

    dtypes: tuple[DataType, ...]
    lanes: int
    out_dtype: DataType

    contents = SumContents
    gives = "codes"

    @property
    def latency(self) -> int:
        return 1

    def cycle_model(self) -> CycleModel:
        return AddedBeats(len(self.dtypes))

    def features(self) -> Features:
        return {"pool_bit": self.lanes * value_width(self.out_dtype)}


class AddedBeats(Register):
    """A beat of `inputs` streams at a time through one register."""

    __slots__ = ("_stalled", "_taken")

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self._taken, self._stalled = [True] * inputs, [False] * inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        if not ready[0] and self._out is not NOTHING:
            return self._stalled
        for valid, _, _ in inputs:
            if not valid:
                return self._stalled
        return self._taken
