"""Threshold: thresholds of a pool's, a sum's, a layer's or an activation's integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.plane_products import SMALL_TABLE
from bnnhw.arithmetic.thresholds import MAX_PARALLEL_THRESHOLDS, fold_thresholds, threshold_cycles, total_width
from bnnhw.dataflow.layers.base import MEMORIES, Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.elementwise import ElementwisePlan
from bnnhw.dataflow.layers.thresholded import threshold_contents, threshold_units
from bnnhw.ir.nodes import Threshold
from bnnhw.units import Contents, ThresholdDifference
from bnnhw.units.threshold_difference import DifferenceContents


@dataclass(frozen=True, kw_only=True)
class ThresholdPlan(ElementwisePlan):
    """Folding of thresholds: `pe` channels at a time, a divisor of the channels.

    Parameters
    ----------
    threshold_memory
        ``block`` or ``lut``: where thresholds lie that are searched.
    """

    threshold_memory: str

    kind = "threshold"
    choices = ("pe", "threshold_memory")


@dataclass(frozen=True, eq=False, kw_only=True)
class ThresholdLayer(Layer):
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

    def unfolded(self) -> ThresholdPlan:
        return ThresholdPlan(**self._given(), pe=1, threshold_memory="lut")

    def within(self, plan: LayerPlan, interval: int) -> bool:
        return plan.cycles * threshold_cycles(self.thresholds) <= interval

    def memories(self, plan: LayerPlan) -> Mapping[str, tuple[str, ...]]:
        # Small tables of thresholds compared at once never are better in block RAM.
        matters = plan.nf > SMALL_TABLE or self.thresholds > MAX_PARALLEL_THRESHOLDS
        return {"threshold_memory": MEMORIES} if matters else {}

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        assert isinstance(plan, ThresholdPlan)
        yield "difference", ThresholdDifference(self.input, plan.pe, self.mh, self.width)
        yield from threshold_units(
            self.node, self.given(final=final), pe=plan.pe, nf=plan.nf, width=self.width, vectors=1,
            memory=plan.threshold_memory,
        )  # fmt: skip

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        folded = fold_thresholds(self.node.thresholds, np.zeros(self.mh, np.int64))
        given = self.given(final=final)
        return {
            "difference": DifferenceContents((-folded.bias).tolist(), self.signs.tolist()),
            **threshold_contents(self.node, folded.relative, given, pe=plan.pe, nf=plan.nf),
        }
