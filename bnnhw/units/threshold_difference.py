"""Threshold difference: from codes to numbers less their channel's first threshold, as a threshold unit takes them."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.arithmetic.formats import DataType
from bnnhw.units.base import Contents, Features, Unit
from bnnhw.units.cycle_model import CycleModel, Register


@dataclass(frozen=True, eq=False)
class DifferenceContents(Contents):
    """The first threshold of each channel, and whether (-1) it is the negated value that is compared."""

    offsets: list[int]
    signs: list[int]


@dataclass(frozen=True)
class ThresholdDifference(Unit):
    """``sign * value - offset`` of each of `channels` values of `dtype`, `lanes` at a time, in `width` bits."""

    dtype: DataType
    lanes: int
    channels: int
    width: int

    contents = DifferenceContents

    @property
    def latency(self) -> int:
        return 1

    def cycle_model(self) -> CycleModel:
        return Register()

    def features(self) -> Features:
        return {"comparator_bit": self.lanes * self.width}
