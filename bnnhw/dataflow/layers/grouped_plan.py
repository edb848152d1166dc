"""Folding of a layer with weights in groups."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.layers import bounds
from bnnhw.dataflow.layers.weighted_plan import WEIGHTED_CHOICES, WeightedPlan
from bnnhw.errors import PlanError


@dataclass(frozen=True, kw_only=True)
class GroupedPlan(WeightedPlan):
    """Folding of a layer with weights in groups: some outputs of one group at a time, or all those of several.

    Parameters
    ----------
    groups
        Groups of outputs, and of inputs.
    taps
        Taps of a window, 1 without one; `mw` is the channels times the taps.
    pe
        Outputs at a time: a divisor of those of a group, or all those of some groups that divide `groups`.
    simd
        Channels of each group at a time, of one tap: a divisor of those of a group, or all of them where `pe` is of
        several groups.
    """

    groups: int
    taps: int

    kind = "grouped"
    choices = ("pe", "simd", *WEIGHTED_CHOICES)

    @property
    def rows(self) -> int:
        """Outputs of a group."""
        return self.mh // self.groups

    @property
    def channels(self) -> int:
        """Channels of the input in a group."""
        return self.mw // self.taps // self.groups

    @property
    def together(self) -> int:
        """Groups that are worked on at a time."""
        return max(1, self.pe // self.rows)

    @property
    def bounds(self) -> frozenset[str]:
        return super().bounds | ({bounds.WINDOWS} if self.taps > 1 else set())

    @property
    def repeats(self) -> int:
        """Passes over the inputs of a group."""
        return max(1, self.rows // self.pe)

    @property
    def i_lanes(self) -> int:
        return self.together * self.simd

    @property
    def sf(self) -> int:
        return self.channels * self.taps // self.simd

    @property
    def cycles(self) -> int:
        return max(self.vectors * self.nf * self.sf, self.elements // self.i_lanes)

    @property
    def weight_bits_read(self) -> float:
        if self.weight_memory != "block" or self.nf * self.sf == 1:
            return 0.0
        return self.vectors * self.nf * self.sf * self.pe * self.simd * DataType.parse(self.weight).bits

    def check(self, where: str) -> None:
        if min(self.groups, self.taps) < 1 or self.mh % self.groups or self.mw % (self.groups * self.taps):
            raise PlanError(
                f"{where}: layer {self.name}: {self.mw} inputs and {self.mh} outputs do not come in groups: "
                f"{self.groups} of {self.taps} taps; leave these to the network"
            )
        super().check(where)
        rows, channels = self.rows, self.channels
        if self.together * rows != self.pe and rows % self.pe:
            raise PlanError(
                f"{where}: layer {self.name}: pe must divide {rows}, the outputs of a group, or be a multiple of it, "
                f"not {self.pe!r}"
            )
        if self.groups % self.together:
            raise PlanError(
                f"{where}: layer {self.name}: pe must be the {rows} outputs of each of a divisor of the {self.groups} "
                f"groups, not {self.pe!r}"
            )
        if channels % self.simd or (self.together > 1 and self.simd != channels):
            raise PlanError(
                f"{where}: layer {self.name}: simd must divide {channels}, the channels of a group, or be all of them "
                f"where pe is of several groups, not {self.simd!r}"
            )

    def _ranges(self) -> dict[str, tuple[int, int]]:
        return {**super()._ranges(), "simd": (1, self.channels)}
