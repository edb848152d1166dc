"""Pool: the largest value or the sum of each window, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.arithmetic.formats import DataType, value_width
from bnnhw.units.base import Contents, Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, Beat, CycleModel, Direct


@dataclass(frozen=True, eq=False)
class PoolContents(Contents):
    """Whether the smallest value is wanted instead of the largest: for each of the ``lanes * chunks`` channels."""

    minimum: list[bool]


@dataclass(frozen=True)
class Pool(Unit):
    """One beat of `lanes` channels of each group of taps, `chunks` beats a pixel; `operation` is ``max`` or ``sum``."""

    dtype: DataType
    lanes: int
    chunks: int
    operation: str
    out_dtype: DataType

    contents = PoolContents
    gives = "codes"

    @property
    def latency(self) -> int:
        return 1

    def cycle_model(self) -> CycleModel:
        return PooledTaps(self.chunks)

    def features(self) -> Features:
        return {"pool_bit": self.lanes * value_width(self.dtype if self.operation == "max" else self.out_dtype)}


class PooledTaps(Direct):
    """One beat of each group of taps, `chunks` of them a pixel."""

    __slots__ = ("_chunk", "_chunks")

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self._chunks = chunks
        self._chunk = 0

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return 1 if inputs[0][1] or self._out is not NOTHING else ENDLESS
        return 1 if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._out = NOTHING
        if took[0] and inputs[0][1]:
            self._chunk += 1
            self._out = GOING
            if self._chunk == self._chunks:
                self._chunk, self._out = 0, CLOSING
