"""Threshold: thresholds of a pool's, a sum's, a layer's or an activation's integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.thresholds import fold_thresholds, total_width
from bnnhw.dataflow.layers.base import MEMORIES, MULTIPLIED, Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.elementwise import ElementwisePlan
from bnnhw.dataflow.layers.scaled import scale_contents, scale_unit, stand_in
from bnnhw.dataflow.layers.thresholded import (
    check_stand_in,
    threshold_contents,
    threshold_cycles_of,
    threshold_memories,
    threshold_units,
)
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

    def _memories(self) -> dict[str, tuple[str, ...]]:
        return {"threshold_memory": (*MEMORIES, *MULTIPLIED)}


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

    @cached_property
    def scaled(self) -> Scale | None:
        """What may stand in for its thresholds."""
        low, high = (np.full(self.mh, end, np.int64) for end in (self.input.min, self.input.max))
        return stand_in(self.node, self.node.thresholds, low, high, self.signs)

    @property
    def multiplies(self) -> bool:
        return self.scaled is not None

    def fits(self, plan: LayerPlan) -> bool:
        assert isinstance(plan, ThresholdPlan)
        return super().fits(plan) and (plan.threshold_memory in MEMORIES or self.multiplies)

    def check_folding(self, wanted: Mapping[str, Any]) -> None:
        super().check_folding(wanted)
        check_stand_in(self.name, wanted, scaled=self.multiplies)

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
        given = self.given(final=final)
        if plan.threshold_memory in MULTIPLIED:
            assert self.scaled is not None
            yield (
                "scale",
                scale_unit(
                    self.scaled, self.input, given, pe=plan.pe, nf=plan.nf, vectors=1, memory="lut",
                    multiplier=MULTIPLIED[plan.threshold_memory],
                ),
            )  # fmt: skip
            return
        yield "difference", ThresholdDifference(self.input, plan.pe, self.mh, self.width)
        yield from threshold_units(
            self.node, given, pe=plan.pe, nf=plan.nf, width=self.width, vectors=1,
            memory=plan.threshold_memory,
        )  # fmt: skip

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        assert isinstance(plan, ThresholdPlan)
        if plan.threshold_memory in MULTIPLIED:
            assert self.scaled is not None
            return {"scale": scale_contents(self.scaled, pe=plan.pe, nf=plan.nf)}
        folded = fold_thresholds(self.node.thresholds, np.zeros(self.mh, np.int64))
        given = self.given(final=final)
        return {
            "difference": DifferenceContents((-folded.bias).tolist(), self.signs.tolist()),
            **threshold_contents(self.node, folded.relative, given, pe=plan.pe, nf=plan.nf),
        }
