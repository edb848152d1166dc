"""Folding of layers that take and give the same number of elements at a time."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.dataflow.layers.base import LayerPlan
from bnnhw.errors import PlanError


@dataclass(frozen=True, kw_only=True)
class ElementwisePlan(LayerPlan):
    """Folding of a layer without weights: `pe` elements at a time, a divisor of the channels."""

    def check(self, where: str) -> None:
        super().check(where)
        if self.mh % self.pe:
            raise PlanError(f"{where}: layer {self.name}: pe must divide {self.mh}, not be {self.pe!r}")
