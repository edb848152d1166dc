"""Slice: a part of a map or a vector, with every k-th row, column or channel of a range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from bnnhw.dataflow.layers.base import Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.elementwise import ElementwisePlan
from bnnhw.ir.nodes import Slice as SliceNode
from bnnhw.units import Slice


@dataclass(frozen=True, kw_only=True)
class SlicePlan(ElementwisePlan):
    """Folding of a slice: `pe` elements at a time, so that each beat is kept or dropped as a whole."""

    kind = "slice"

    @property
    def cycles(self) -> int:
        return max(super().cycles, self.elements // self.pe)


@dataclass(frozen=True, eq=False, kw_only=True)
class SliceLayer(Layer):
    """A part of a map or a vector."""

    node: SliceNode

    plan_type = SlicePlan
    nodes = (SliceNode,)

    @property
    def work(self) -> int:
        return prod(self.i_shapes[0])

    @property
    def _channels(self) -> tuple[bool, ...]:
        places = self.node.kept.reshape(-1, self.mw).any(axis=0)
        return tuple(bool(kept) for kept in np.atleast_1d(places))

    @property
    def _even(self) -> int:
        changes = np.flatnonzero(np.diff(self._channels)) + 1
        return gcd(self.mw, *(int(k) for k in changes))

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        vectors = [bool(kept) for kept in self.node.kept.any(axis=-1).reshape(-1)]
        yield "slice", Slice(self.input.bits * plan.pe, self._channels[:: plan.pe], _shortest(vectors))


def _shortest(pattern: list[bool]) -> tuple[bool, ...]:
    """The part of a pattern that makes the whole by repetition."""
    sizes = (size for size in range(1, len(pattern) + 1) if len(pattern) % size == 0)
    return next(tuple(pattern[:size]) for size in sizes if pattern[:size] * (len(pattern) // size) == pattern)
