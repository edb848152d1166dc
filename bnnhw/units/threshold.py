"""Threshold unit: from sums, less their first threshold, to codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.arithmetic.thresholds import MAX_PARALLEL_THRESHOLDS, threshold_cycles, threshold_latency
from bnnhw.parts import Part
from bnnhw.units.base import Contents, Features, Unit
from bnnhw.units.cycle_model import (
    CLOSING,
    ENDLESS,
    GOING,
    NOTHING,
    STALLED,
    TAKEN,
    Beat,
    CycleModel,
    Register,
    Registered,
    Wire,
)
from bnnhw.units.memories import block_rams, table_luts


@dataclass(frozen=True, eq=False)
class ThresholdContents(Contents):
    """Thresholds, and the code for each count of them.

    Parameters
    ----------
    thresholds
        ``nf`` x ``pe`` rows of `count` thresholds relative to the first.
    codes
        ``count + 1`` storage codes.
    """

    thresholds: list[list[list[int]]]
    codes: list[int]


@dataclass(frozen=True)
class ThresholdUnit(Unit):
    """Counts the thresholds that sums of `width` bits reach, and gives codes of `bits` bits.

    `pe` rows at a time, of which the last of `nf` beats has `tail`; `count` thresholds a row, in a `memory`; for
    `vectors` vectors side by side.
    """

    pe: int
    nf: int
    tail: int
    width: int
    count: int
    bits: int
    vectors: int
    memory: str

    contents = ThresholdContents
    gives = "codes"

    @property
    def searched(self) -> bool:
        """Whether thresholds are searched, and not compared at once."""
        return self.count > MAX_PARALLEL_THRESHOLDS

    @property
    def latency(self) -> int:
        return threshold_latency(self.count)

    @property
    def table_depth(self) -> int:
        """Words of the table of a row that searches."""
        return self.nf << threshold_cycles(self.count)

    def cycle_model(self) -> CycleModel:
        if self.searched:
            return SearchedThresholds(threshold_cycles(self.count))
        return Register() if self.count > 1 else Wire()

    def features(self) -> Features:
        sums = self.pe * self.vectors
        features: Features = {}
        if self.searched:
            features["search_bit"] = sums * (self.width + 4 * threshold_cycles(self.count))
            if self.memory == "lut":
                features["table"] = sums * (self.width + 1) * table_luts(self.table_depth)
        elif self.count > 1:
            features["comparator_bit"] = sums * (self.count - 1) * (self.width + 1)
            features["table"] = features["comparator_bit"] * table_luts(self.nf)
        return features

    def block_rams(self, part: Part) -> int:
        if self.memory != "block" or not self.searched:
            return 0
        return self.pe * self.vectors * block_rams(part, self.width + 1, self.table_depth)


class SearchedThresholds(Registered):
    """A search of `steps` cycles a beat."""

    __slots__ = ("_last", "_left", "_steps")

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps
        self._left = 0  # steps to go; 0 is idle
        self._last = False

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        idle = self._left == 0 or (self._left == 1 and (ready[0] or self._out is NOTHING))
        return TAKEN if idle else STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0] or gave[0]:
            return 1
        if self._left == 1:
            return 1 if self._out is NOTHING else ENDLESS
        return max(1, self._left - 1) if self._left else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] or self._out is NOTHING:
            self._out = NOTHING
            if self._left == 1:
                self._out, self._left = CLOSING if self._last else GOING, 0
        if self._left > 1:
            self._left -= times
        if took[0]:
            self._left, self._last = self._steps, inputs[0][1]
