"""Grouped: products of weights with the channels of their own group alone, as depthwise convolutions have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnnhw.dataflow.layers.base import MEMORIES, LayerPlan, NamedUnit, divisors
from bnnhw.dataflow.layers.grouped_plan import GroupedPlan
from bnnhw.dataflow.layers.matrix_contents import matrix_contents
from bnnhw.dataflow.layers.thresholded import threshold_cycles_of, threshold_memories
from bnnhw.dataflow.layers.weighted import WeightedLayer
from bnnhw.dataflow.layers.window import sliding_window
from bnnhw.ir.nodes import GroupedDense
from bnnhw.units import Contents, VectorBuffer
from bnnhw.units.memories import written_kind


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupedLayer(WeightedLayer):
    """A small matrix for each group of channels, and the thresholds after them.

    Windows come group by group, so that the channels of one are a vector; its passes over the rows of the group follow
    each other, and the weights of all groups lie behind each other. Some groups may be worked on side by side.
    """

    node: GroupedDense

    plan_type = GroupedPlan
    nodes = (GroupedDense,)

    @property
    def _channels(self) -> int:
        """Channels of the input in a group."""
        return self.mw // self.node.groups

    @property
    def _rows(self) -> int:
        """Outputs of a group."""
        return self.mh // self.node.groups

    @property
    def taps(self) -> int:
        return 1 if self.window is None else self.window.geometry.taps

    def unfolded(self) -> GroupedPlan:
        return GroupedPlan(**self._given(), groups=self.node.groups, taps=self.taps)

    # ---- what the search asks ------------------------------------------------------------------

    def foldings(self, interval: int, wanted: Mapping[str, Any], batch: int) -> Iterable[dict[str, Any]]:
        pairs = {(pe, simd) for pe in divisors(self._rows) for simd in divisors(self._channels)}
        pairs |= {(together * self._rows, self._channels) for together in divisors(self.node.groups)}
        for pe, simd in sorted(pairs):
            if wanted.get("pe", pe) == pe and wanted.get("simd", simd) == simd:
                yield {"pe": pe, "simd": simd}

    def memories(self, plan: LayerPlan) -> Mapping[str, tuple[str, ...]]:
        assert isinstance(plan, GroupedPlan)
        choices: dict[str, tuple[str, ...]] = {}
        if plan.nf * plan.sf > 1:
            choices["weight_memory"] = MEMORIES
        if plan.repeats > 1:
            choices["buffer_memory"] = MEMORIES
        if kinds := threshold_memories(self.thresholds, plan.nf, scaled=self.multiplies):
            choices["threshold_memory"] = kinds  # where starting values lie as well
        if self.windowed:
            choices["window_memory"] = MEMORIES
        return choices

    def completed(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"simd": self._channels, **wanted} if wanted.get("pe", 1) > self._rows else wanted

    def within(self, plan: LayerPlan, interval: int) -> bool:
        assert isinstance(plan, GroupedPlan)
        searches = self.vectors * plan.nf * threshold_cycles_of(self.thresholds, plan.threshold_memory)
        return plan.cycles <= interval and searches <= interval

    # ---- units ---------------------------------------------------------------------------------

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        assert isinstance(plan, GroupedPlan)
        if self.window is not None:
            yield (
                "window",
                sliding_window(
                    self.input, self.i_shapes[0], self.window.geometry, family, lanes=plan.i_lanes, fill=self.fill,
                    channels_outer=True, depth=plan.window_depth, memory=plan.window_memory,
                ),
            )  # fmt: skip
        if plan.repeats > 1:
            kind = written_kind(plan.buffer_memory, family)
            yield "buffer", VectorBuffer(plan.i_lanes * self.input.bits, plan.sf, plan.repeats, 1, 1, kind)
        yield "mvu", self._folded(plan, family, groups=plan.together)
        yield from self._thresholded(plan, final=final)

    # ---- contents ------------------------------------------------------------------------------

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        assert isinstance(plan, GroupedPlan)
        # Of the channels of a group, `simd` come tap after tap, then the next ones.
        order = np.arange(self.node.weight.shape[1]).reshape(plan.taps, -1, plan.simd).transpose(1, 0, 2).reshape(-1)
        weight = self.node.weight[:, order]
        found: dict[str, Contents] = {
            "mvu": matrix_contents(weight, self.product, self._cuts, self.divisor, plan, family)
        }
        return found | self._threshold_contents(plan, final=final)
