"""Pool: a maximum or a sum over windows of a map, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bnnhw.dataflow.layers.base import MAX_BEATS, MEMORIES, Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.bounds import WINDOWS
from bnnhw.dataflow.layers.elementwise import ElementwisePlan
from bnnhw.dataflow.layers.window import sliding_window
from bnnhw.ir.nodes import MaxPool, SumPool
from bnnhw.units import Contents, Pool
from bnnhw.units.pool import PoolContents


@dataclass(frozen=True, kw_only=True)
class PoolPlan(ElementwisePlan):
    """Folding of a pool.

    Parameters
    ----------
    pe
        Channels at a time, a divisor of the channels.
    window_depth, window_memory
        Beats that the lines of the map have room for, 0 for as few as will do; ``block`` or ``lut``.
    """

    window_depth: int
    window_memory: str

    kind = "pool"
    choices = ("pe", "window_depth", "window_memory")

    @property
    def bounds(self) -> frozenset[str]:
        return frozenset({WINDOWS})

    @property
    def cycles(self) -> int:
        return max(super().cycles, self.elements // self.pe, self.vectors * (self.mw // self.pe))

    def _ranges(self) -> dict[str, tuple[int, int]]:
        return {**super()._ranges(), "window_depth": (0, MAX_BEATS)}


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolLayer(Layer):
    """A maximum or a sum over windows of a map, channel by channel."""

    node: MaxPool | SumPool

    plan_type = PoolPlan
    nodes = (MaxPool, SumPool)
    windowed = True

    @property
    def taps(self) -> int:
        return self.node.geometry.taps

    @property
    def operation(self) -> str:
        return "max" if isinstance(self.node, MaxPool) else "sum"

    def unfolded(self) -> PoolPlan:
        return PoolPlan(**self._given(), pe=1, window_depth=0, window_memory="lut")

    def memories(self, plan: LayerPlan) -> Mapping[str, tuple[str, ...]]:
        return {"window_memory": MEMORIES}

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        assert isinstance(plan, PoolPlan)
        yield (
            "window",
            sliding_window(
                self.input, self.i_shapes[0], self.node.geometry, family, lanes=plan.pe, fill=None, channels_outer=True,
                depth=plan.window_depth, memory=plan.window_memory,
            ),
        )  # fmt: skip
        yield "pool", Pool(self.input, plan.pe, plan.nf, self.operation, self.given(final=final))

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        smallest = np.broadcast_to(self.node.minimum if isinstance(self.node, MaxPool) else False, (self.mh,))
        return {"pool": PoolContents([bool(v) for v in smallest])}
