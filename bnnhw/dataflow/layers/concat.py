"""Concat: several maps or vectors, one behind the other along the channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from bnnhw.dataflow.layers.base import Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.elementwise import ElementwisePlan
from bnnhw.ir.nodes import Concat as ConcatNode
from bnnhw.units import Concat


@dataclass(frozen=True, kw_only=True)
class ConcatPlan(ElementwisePlan):
    """Folding of a concatenation: `pe` elements at a time, a divisor of the channels of each input."""

    kind = "concat"


@dataclass(frozen=True, eq=False, kw_only=True)
class ConcatLayer(Layer):
    """Several maps or vectors, one behind the other along the channels."""

    node: ConcatNode

    plan_type = ConcatPlan
    nodes = (ConcatNode,)

    @property
    def _even(self) -> int:
        return gcd(*(shape[-1] for shape in self.i_shapes))

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        channels = tuple(shape[-1] for shape in self.i_shapes)
        yield "concat", Concat(self.i_dtypes, plan.pe, channels, self.given(final=final))
