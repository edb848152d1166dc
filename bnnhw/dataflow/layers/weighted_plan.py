"""What the foldings of layers with weights share."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.dataflow.layers import bounds
from bnnhw.dataflow.layers.base import MAX_BEATS, MEMORIES, MULTIPLIED, LayerPlan
from bnnhw.errors import PlanError

# What a folding file may ask of all layers with weights, besides how much is done at a time.
WEIGHTED_CHOICES = (
    "window_depth",
    "weight_memory",
    "buffer_memory",
    "threshold_memory",
    "window_memory",
    "weight_latency",
    "popcount_levels",
)


@dataclass(frozen=True, kw_only=True)
class WeightedPlan(LayerPlan):
    """Folding of a layer with weights.

    Parameters
    ----------
    weight
        Format of the weights.
    simd
        Inputs of each output at a time.
    window_depth
        Beats that the lines of a map have room for; 0 for as few as will do.
    weight_memory, buffer_memory, threshold_memory, window_memory
        ``block`` or ``lut``: where the weights, the repeated input vector, the biases with the thresholds, and the
        lines of a map lie. `threshold_memory` may be ``multiplier`` or ``adders`` as well, where a multiplication gives
        the codes of many thresholds: by the part's multipliers, or in LUTs.
    weight_latency
        Cycles from the address of weights to the weights: 1, or 2 with registers behind the memory.
    popcount_levels
        Adders between two registers of the popcount; None for no registers.
    """

    weight: str
    simd: int
    window_depth: int
    weight_memory: str
    buffer_memory: str
    threshold_memory: str
    window_memory: str
    weight_latency: int
    popcount_levels: int | None

    @property
    def columns(self) -> int:
        return self.simd

    @property
    def sf(self) -> int:
        """Beats per pass over the inputs of some outputs."""
        return -(-self.mw // self.simd)

    @property
    def bounds(self) -> frozenset[str]:
        codes = bounds.of_codes(self.output, self.threshold_memory)
        return bounds.of_product(self.input, self.weight) | codes | {bounds.USUAL}

    def check(self, where: str) -> None:
        super().check(where)
        levels = self.popcount_levels
        if levels is not None and levels < 1:
            raise PlanError(f"{where}: layer {self.name}: popcount_levels must be null or 1 and more, not {levels!r}")

    def _ranges(self) -> dict[str, tuple[int, int]]:
        return {**super()._ranges(), "window_depth": (0, MAX_BEATS), "weight_latency": (1, 2)}

    def _memories(self) -> dict[str, tuple[str, ...]]:
        return {**super()._memories(), "threshold_memory": (*MEMORIES, *MULTIPLIED)}
