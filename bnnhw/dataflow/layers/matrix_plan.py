"""Folding of a layer with weights."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.layers import bounds
from bnnhw.dataflow.layers.base import LOGIC, MEMORIES, SPRAM
from bnnhw.dataflow.layers.weighted_plan import WEIGHTED_CHOICES, WeightedPlan
from bnnhw.errors import PlanError
from bnnhw.parts import SPRAM_WIDTH, SPRAM_WORDS

# Frames that may share a fetched weight.
MAX_FRAMES = 8


@dataclass(frozen=True, kw_only=True)
class MatrixPlan(WeightedPlan):
    """Folding of a matrix.

    Parameters
    ----------
    pe, simd
        Outputs and inputs at a time; they need not divide `mh` and `mw`.
    batch
        Vectors that each weight is used for when it is fetched, of one frame where it has several, else of several
        frames.
    lanes
        Channels that a window's pixels come and go in at a time, a divisor of the channels; 0 without a window.
    window_rows
        Taps of a window that come at a time: 1, or all those of a column, one in each row.
    weight_memory, buffer_memory
        `weight_memory` may also be ``logic``, which takes a whole matrix at a time: each vector is multiplied in one
        cycle by adders made for these weights, and `buffer_memory` is where results wait. Or ``spram``, the single-port
        RAMs of iCE40 UltraPlus, which are loaded after the configuration.
    """

    batch: int
    lanes: int
    window_rows: int

    kind = "matrix"
    choices = ("pe", "simd", "batch", "lanes", "window_rows", *WEIGHTED_CHOICES)

    @property
    def side_by_side(self) -> int:
        return self.batch

    @property
    def i_lanes(self) -> int:
        return self.lanes or self.simd

    @property
    def window_lanes(self) -> int:
        """Elements of a beat of its windows."""
        return self.lanes * self.window_rows

    @property
    def cycles(self) -> int:
        # One vector per frame: a group is of several frames, and each has its share of the cycles.
        passes = self.nf * self.sf
        groups = -(-self.vectors // self.batch) * passes if self.vectors > 1 else -(-passes // self.batch)
        work = max(groups, *((self.vectors * self.nf, self.vectors * self.sf) if self.batch > 1 else (0,)))
        if not self.lanes:
            return work
        return max(work, self.elements // self.lanes, self.vectors * (self.mw // self.window_lanes))

    @property
    def bounds(self) -> frozenset[str]:
        if self.weight_memory == LOGIC:
            return bounds.of_codes(self.output, self.threshold_memory) | {bounds.CONSTANT}
        return super().bounds | ({bounds.WINDOWS} if self.lanes else set())

    @property
    def word_bits(self) -> int:
        """Bits of the weights of a beat."""
        return self.pe * self.simd * DataType.parse(self.weight).bits

    @property
    def spram(self) -> int:
        return -(-self.word_bits // SPRAM_WIDTH) if self.weight_memory == SPRAM else 0

    @property
    def loadable(self) -> bool:
        return self.weight_memory != SPRAM or self.nf * self.sf <= SPRAM_WORDS

    @property
    def weight_bits_read(self) -> float:
        if self.weight_memory != "block":
            return 0.0
        once = self.nf * self.sf * self.word_bits
        return once * (-(-self.vectors // self.batch) if self.vectors > 1 else 1 / self.batch)

    def check(self, where: str) -> None:
        super().check(where)
        if self.lanes < 0 or (self.lanes and self.mw % self.lanes):
            raise PlanError(f"{where}: layer {self.name}: lanes must divide {self.mw}, not be {self.lanes!r}")
        if self.weight_memory == LOGIC and (self.pe, self.simd, self.batch) != (self.mh, self.mw, 1):
            raise PlanError(
                f"{where}: layer {self.name}: weight_memory logic is for a whole matrix: pe must be {self.mh}, simd "
                f"{self.mw} and batch 1, or take another memory"
            )

        if not self.loadable:
            raise PlanError(
                f"{where}: layer {self.name}: weight_memory spram has room for {SPRAM_WORDS:,} words, and pe {self.pe} "
                f"with simd {self.simd} makes {self.nf * self.sf:,} of them: take more of either"
            )

    def _ranges(self) -> dict[str, tuple[int, int]]:
        return {
            **super()._ranges(),
            "simd": (1, self.mw),
            "batch": (1, self.vectors if self.vectors > 1 else MAX_FRAMES),
        }

    def _memories(self) -> dict[str, tuple[str, ...]]:
        return {**super()._memories(), "weight_memory": (*MEMORIES, LOGIC, SPRAM)}
