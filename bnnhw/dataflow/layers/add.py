"""Add: a weighted sum of several maps or vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from bnnhw.dataflow.layers.base import Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.elementwise import ElementwisePlan
from bnnhw.ir.nodes import Sum
from bnnhw.units import AddStreams, Contents
from bnnhw.units.add_streams import SumContents, Weighing


@dataclass(frozen=True, kw_only=True)
class AddPlan(ElementwisePlan):
    """Folding of a sum: `pe` elements at a time, a divisor of the channels."""

    kind = "add"


@dataclass(frozen=True, eq=False, kw_only=True)
class AddLayer(Layer):
    """A weighted sum of several maps or vectors: a coefficient for each of them, or one for each of its channels."""

    node: Sum

    plan_type = AddPlan
    nodes = (Sum,)

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        if plan.pe not in self._weighings:
            self._weighings[plan.pe] = Weighing.of(self._coefficients, self.i_dtypes, plan.pe)
        yield "add", AddStreams(self.i_dtypes, plan.pe, self.given(final=final), self._weighings[plan.pe])

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        return {"add": SumContents(self._coefficients)}

    @property
    def _coefficients(self) -> list[int | list[int]]:
        return [row[0] if len(row) == 1 else row for row in self.node.coefficients.tolist()]

    @cached_property
    def _weighings(self) -> dict[int, Weighing]:
        """Of the foldings that were asked for; a search asks again and again."""
        return {}
