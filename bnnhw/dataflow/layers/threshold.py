"""Threshold: thresholds of a pool's, a sum's, a layer's or an activation's integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.thresholds import fold_thresholds, total_width
from bnnhw.dataflow.layers.base import MEMORIES, MULTIPLIED, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.bounds import of_codes
from bnnhw.dataflow.layers.elementwise import ElementwisePlan
from bnnhw.dataflow.layers.scaled import stand_in
from bnnhw.dataflow.layers.thresholded import ThresholdedLayer, threshold_cycles_of, threshold_memories
from bnnhw.ir.nodes import Scale, Threshold
from bnnhw.units import Contents, ThresholdDifference
from bnnhw.units.threshold_difference import DifferenceContents


@dataclass(frozen=True, kw_only=True)
class ThresholdPlan(ElementwisePlan):
    """Folding of thresholds: `pe` channels at a time, a divisor of the channels.

    Parameters
    ----------
    threshold_memory
        ``block`` or ``lut``: where thresholds lie that are searched. ``multiplier`` or ``adders`` for a multiplication
        in their place, where one gives the same codes.
    """

    threshold_memory: str

    kind = "threshold"
    choices = ("pe", "threshold_memory")

    @property
    def bounds(self) -> frozenset[str]:
        return of_codes(self.output, self.threshold_memory)

    def _memories(self) -> dict[str, tuple[str, ...]]:
        return {"threshold_memory": (*MEMORIES, *MULTIPLIED)}


@dataclass(frozen=True, eq=False, kw_only=True)
class ThresholdLayer(ThresholdedLayer):
    """Thresholds of integers, channel by channel."""

    node: Threshold

    plan_type = ThresholdPlan
    nodes = (Threshold,)

    @property
    def thresholds(self) -> int:
        """Thresholds per channel."""
        return int(self.node.thresholds.shape[1])

    @cached_property
    def signs(self) -> NDArray[np.int64]:
        """-1 for each channel that compares the negated value, (C,)."""
        return np.where(np.broadcast_to(self.node.negate, (self.mh,)), -1, 1)

    @cached_property
    def width(self) -> int:
        """Bits of the values, less their first threshold."""
        ends = np.stack([self.signs * self.input.min, self.signs * self.input.max])
        return total_width(ends.min(axis=0), ends.max(axis=0), self.node.thresholds)

    @cached_property
    def scaled(self) -> Scale | None:
        """What may stand in for its thresholds."""
        low, high = (np.full(self.mh, end, np.int64) for end in (self.input.min, self.input.max))
        return stand_in(self.node, self.node.thresholds, low, high, self.signs)

    def fits(self, plan: LayerPlan) -> bool:
        assert isinstance(plan, ThresholdPlan)
        return super().fits(plan) and (plan.threshold_memory in MEMORIES or self.multiplies)

    def unfolded(self) -> ThresholdPlan:
        return ThresholdPlan(**self._given(), pe=1, threshold_memory="lut")

    def within(self, plan: LayerPlan, interval: int) -> bool:
        assert isinstance(plan, ThresholdPlan)
        return plan.cycles * threshold_cycles_of(self.thresholds, plan.threshold_memory) <= interval

    def memories(self, plan: LayerPlan) -> Mapping[str, tuple[str, ...]]:
        kinds = threshold_memories(self.thresholds, plan.nf, scaled=self.multiplies)
        return {"threshold_memory": kinds} if kinds else {}

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        assert isinstance(plan, ThresholdPlan)
        if plan.threshold_memory not in MULTIPLIED:
            yield "difference", ThresholdDifference(self.input, plan.pe, self.mh, self.width)
        yield from self._code_units(self.node, self.input, plan, plan.threshold_memory, final=final)

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        assert isinstance(plan, ThresholdPlan)
        folded = fold_thresholds(self.node.thresholds, np.zeros(self.mh, np.int64))
        found = self._code_contents(self.node, folded.relative, plan, plan.threshold_memory, final=final)
        if plan.threshold_memory not in MULTIPLIED:
            found["difference"] = DifferenceContents((-folded.bias).tolist(), self.signs.tolist())
        return found
