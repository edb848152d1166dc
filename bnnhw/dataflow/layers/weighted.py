"""What the layers with weights share: sums of products with the thresholds after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.thresholds import FoldedThresholds, fold_thresholds, total_width
from bnnhw.dataflow.layers.base import MEMORIES, MULTIPLIED, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.scaled import stand_in, table_memory
from bnnhw.dataflow.layers.thresholded import ThresholdedLayer
from bnnhw.dataflow.layers.weighted_plan import WeightedPlan
from bnnhw.ir.bounds import reach
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import Dense, Scale, Threshold, Window
from bnnhw.units import Contents, MatrixVectorUnit
from bnnhw.units.stream_fifo import skid_buffer

# Adders between the registers of a popcount. Two levels of carry chains are about what the rest of a PE, an
# accumulator, takes.
POPCOUNT_LEVELS = 2
# So many lanes freeze together when their sums have to wait. That takes most of a cycle, so whether they do must not
# depend on what stands behind, unit after unit: registers tell, those of a skid buffer.
MANY_LANES = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class WeightedLayer(ThresholdedLayer):
    """Products of weights with the input vector, or with each window of a map, and the thresholds after them.

    Parameters
    ----------
    node
        The product.
    threshold
        What follows it; None where its sums go on as they are.
    window
        What makes the vectors; None where they come.
    """

    node: Dense
    threshold: Threshold | None
    window: Window | None

    @property
    def windowed(self) -> bool:  # type: ignore[override]
        return self.window is not None

    @property
    def dtype(self) -> DataType:
        # Sums are two's complement numbers, be none of them negative.
        return DataType("int", self.width) if self.threshold is None else self.threshold.dtype

    @property
    def mh(self) -> int:
        return int(self.node.weight.shape[0])

    @property
    def weight(self) -> DataType:
        """Format of the weights."""
        return self.node.weight_dtype

    @property
    def product(self) -> Product:
        """How lanes are multiplied."""
        return Product(self.input, self.weight)

    @property
    def macs(self) -> int:
        return int(self.node.weight.size) * self.vectors

    @property
    def work(self) -> int:
        return self.macs

    @property
    def thresholds(self) -> int:
        """Thresholds per channel."""
        return 0 if self.threshold is None else int(self.threshold.thresholds.shape[1])

    @property
    def divisor(self) -> int:
        """What the weights of all counts have in common; sums that go on as they are stay whole."""
        return 1 if self.threshold is None else self.product.divisor

    @cached_property
    def reach(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lowest and highest accumulator of each channel, (MH,) each."""
        return reach(self.node.weight, self.input)

    @cached_property
    def width(self) -> int:
        """Bits of what the PEs accumulate: the accumulator, less its first threshold."""
        low, high = self.reach
        return total_width(low, high, self._cuts, self.divisor)

    @property
    def _cuts(self) -> NDArray[np.int64] | None:
        return None if self.threshold is None else self.threshold.thresholds

    def folded(self) -> FoldedThresholds:
        """The thresholds, and what the sums of PEs start from."""
        return fold_thresholds(self._cuts, self.product.constant(self.node.weight, padding=0), self.divisor)

    @cached_property
    def fill(self) -> int:
        """Storage code outside the map."""
        value = 0 if self.window is None else self.window.fill
        return int(self.input.encode(value)) if self.input.contains(value) else 0

    @cached_property
    def scaled(self) -> Scale | None:
        """What may stand in for its thresholds, of what PEs accumulate."""
        if self.threshold is None:
            return None
        folded = self.folded()
        start = folded.constant - folded.divisor * folded.bias
        low, high = ((end - start) // folded.divisor for end in self.reach)
        return stand_in(self.threshold, folded.relative, low, high, np.ones(self.mh, np.int64))

    def fits(self, plan: LayerPlan) -> bool:
        assert isinstance(plan, WeightedPlan)
        return plan.threshold_memory in MEMORIES or self.multiplies

    def _given(self) -> dict[str, Any]:
        # With what a folding begins with in all kinds.
        return {
            **super()._given(),
            "output": "" if self.threshold is None else self.dtype.name,
            "weight": self.weight.name,
            "pe": 1,
            "simd": 1,
            "window_depth": 0,
            "weight_memory": "block",
            "buffer_memory": "lut",
            "threshold_memory": "lut",
            "window_memory": "lut",
            "weight_latency": 1,
            "popcount_levels": POPCOUNT_LEVELS,
        }

    @property
    def _geometry(self) -> Geometry | None:
        return None if self.window is None else self.window.geometry

    def _folded(self, plan: WeightedPlan, family: str, *, vectors: int = 1, groups: int = 1) -> MatrixVectorUnit:
        return MatrixVectorUnit(
            pe=plan.pe,
            simd=plan.simd,
            sf=plan.sf,
            nf=plan.nf,
            input_dtype=self.input,
            weight_dtype=self.weight,
            width=self.width,
            divisor=self.divisor,
            levels=plan.popcount_levels,
            vectors=vectors,
            groups=groups,
            weight_memory=plan.weight_memory,
            # A single row is a constant, read by nobody.
            weight_latency=plan.weight_latency if plan.nf * plan.sf > 1 else 1,
            bias_memory=(
                table_memory(plan.pe * self.width * plan.nf)
                if plan.threshold_memory in MULTIPLIED
                else plan.threshold_memory
            ),
            # Not before thresholds or a skid buffer, which have registers; a single threshold has none.
            registered=self.thresholds <= 1 and not self._has_skid(plan),
            family=family,
            read_bits=self.width if self.threshold is None else 1,
        )

    def _thresholded(self, plan: WeightedPlan, *, final: bool) -> Iterator[NamedUnit]:
        """What follows the sums."""
        if self.threshold is None:
            return
        x = DataType("int", max(2, self.width))
        yield from self._code_units(self.threshold, x, plan, plan.threshold_memory, final=final)
        if self._has_skid(plan):
            yield "skid", skid_buffer(plan.pe * plan.side_by_side * self.given(final=final).bits)

    def _has_skid(self, plan: WeightedPlan) -> bool:
        """Whether a skid buffer stands behind the thresholds, as the stall of so many lanes takes most of a cycle."""
        lanes = plan.pe * plan.side_by_side * plan.simd * self.product.terms
        return self.threshold is not None and lanes >= MANY_LANES

    def _threshold_contents(self, plan: WeightedPlan, *, final: bool) -> dict[str, Contents]:
        if self.threshold is None:
            return {}
        relative = self.folded().relative
        return self._code_contents(self.threshold, relative, plan, plan.threshold_memory, final=final)
