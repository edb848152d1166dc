"""Add: a weighted sum of several maps or vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bnnhw.dataflow.layers.base import Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.elementwise import ElementwisePlan
from bnnhw.ir.nodes import Sum
from bnnhw.units import AddStreams, Contents
from bnnhw.units.add_streams import SumContents


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
        yield "add", AddStreams(self.i_dtypes, plan.pe, self.given(final=final))

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        rows = self.node.coefficients.tolist()
        return {"add": SumContents([row[0] if len(row) == 1 else row for row in rows])}
