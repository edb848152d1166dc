"""Scale: a quantiser of many levels of a layer's, a pool's or a sum's integers, by a multiplication."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bnnhw.arithmetic.plane_products import SMALL_TABLE
from bnnhw.dataflow.layers.base import MEMORIES, MULTIPLIERS, Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.bounds import of_scale
from bnnhw.dataflow.layers.elementwise import ElementwisePlan
from bnnhw.dataflow.layers.scaled import scale_contents, scale_unit
from bnnhw.ir.nodes import Scale
from bnnhw.units import Contents


@dataclass(frozen=True, kw_only=True)
class ScalePlan(ElementwisePlan):
    """Folding of a scale: `pe` channels at a time, a divisor of the channels.

    Parameters
    ----------
    scale_memory
        ``block`` or ``lut``: where factors and biases lie.
    multiplier
        ``hard`` for the part's multipliers, ``lut`` for adders.
    """

    scale_memory: str
    multiplier: str

    kind = "scale"
    choices = ("pe", "scale_memory", "multiplier")

    @property
    def bounds(self) -> frozenset[str]:
        return of_scale(self.multiplier)

    def _memories(self) -> dict[str, tuple[str, ...]]:
        return {**super()._memories(), "multiplier": MULTIPLIERS}


@dataclass(frozen=True, eq=False, kw_only=True)
class ScaleLayer(Layer):
    """A quantiser of many levels, channel by channel."""

    node: Scale

    plan_type = ScalePlan
    nodes = (Scale,)

    @property
    def multiplies(self) -> bool:
        return True

    def unfolded(self) -> ScalePlan:
        return ScalePlan(**self._given(), pe=1, scale_memory="lut", multiplier="lut")

    def memories(self, plan: LayerPlan) -> Mapping[str, tuple[str, ...]]:
        kinds: dict[str, tuple[str, ...]] = {"multiplier": MULTIPLIERS}
        return {"scale_memory": MEMORIES, **kinds} if plan.nf > SMALL_TABLE else kinds

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        assert isinstance(plan, ScalePlan)
        yield (
            "scale",
            scale_unit(
                self.node, self.input, self.given(final=final), pe=plan.pe, nf=plan.nf, vectors=1,
                memory=plan.scale_memory, multiplier=plan.multiplier,
            ),
        )  # fmt: skip

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        return {"scale": scale_contents(self.node, pe=plan.pe, nf=plan.nf)}
