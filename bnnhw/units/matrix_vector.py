"""Matrix-vector unit (MVU): PE rows beside their weights, folded over a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import SMALL_TABLE, Product
from bnnhw.arithmetic.popcount_tree import popcount_latency
from bnnhw.memory_image import WORD_BITS
from bnnhw.parts import Part
from bnnhw.units.base import Contents, Features, Unit, surroundings
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, STALLED, TAKEN, Beat, CycleModel, Registered
from bnnhw.units.memories import block_rams, table_luts


@dataclass(frozen=True, eq=False)
class MatrixContents(Contents):
    """``nf * sf`` weight words in the order of the beats, and ``nf`` rows of ``pe`` starting values of the sums."""

    weights: list[int]
    biases: list[list[int]]


@dataclass(frozen=True)
class MatrixVectorUnit(Unit):
    """Multiplies vectors by a matrix, `pe` rows and `simd` columns at a time.

    Parameters
    ----------
    sf, nf
        Beats of a pass, and passes of a vector.
    input_dtype, weight_dtype
        Formats of activations and weights.
    width, divisor
        Bits of a sum, and what the weights of all counts have in common.
    levels
        Adders between two registers of the popcounts.
    vectors
        Vectors side by side that each weight is used for.
    groups
        Groups of rows that see `simd` columns of their own in each beat.
    weight_memory, bias_memory
        ``block`` or ``lut``; `weight_memory` also ``spram``, which is loaded.
    weight_latency
        Cycles from a row's address to its weights.
    registered
        Whether sums that wait have registers of their own.
    family
        The part's.
    read_bits
        Bits of a sum that are read behind the unit: synthesis drops the registers of the others.
    """

    pe: int
    simd: int
    sf: int
    nf: int
    input_dtype: DataType
    weight_dtype: DataType
    width: int
    divisor: int
    levels: int | None
    vectors: int
    groups: int
    weight_memory: str
    weight_latency: int
    bias_memory: str
    registered: bool
    family: str
    read_bits: int = surroundings()

    contents = MatrixContents
    gives = "sums"

    @property
    def product(self) -> Product:
        """How lanes are multiplied."""
        return Product(self.input_dtype, self.weight_dtype)

    @property
    def latency(self) -> int:
        return 1 + self._stages

    @property
    def _stages(self) -> int:
        return self.weight_latency + self.registered + self.product.latency(self.simd, self.levels)

    def cycle_model(self) -> CycleModel:
        return FoldedPasses(self.sf, self.nf, self._stages, registered=self.registered)

    def features(self) -> Features:
        product, sums, inputs = self.product, self.pe * self.vectors, self.vectors * self.groups
        # A count that all PEs share is one for each group of each vector.
        lanes = self.simd * (sums * len(product.weights) + inputs * bool(product.shared))
        stages = popcount_latency(self.simd, self.levels)
        features: Features = {
            "layer": 1.0,
            "lane": lanes,
            "registered_lane": lanes * min(stages, 2) / 2,
            "accumulator_bit": sums * self.width,
            "input_bit": inputs * self.simd * self.input_dtype.bits,
        }
        if not product.matches:
            features["masked_lane"] = lanes
        if self.registered:
            features["sum_bit"] = sums * self.read_bits
        if self.nf > SMALL_TABLE or (self.nf > 1 and self.bias_memory == "block"):
            features["bias_bit"] = self.pe * self.width
            if self.bias_memory == "lut":
                features["table"] = self.pe * self.width * table_luts(self.nf)
        if self.weight_memory == "lut":
            features["weight_table"] = self.pe * self.simd * self.weight_dtype.bits * table_luts(self.nf * self.sf)
        if self.weight_memory == "spram":
            features["loaded_bank"] = 1.0
        return features

    @property
    def _word_bits(self) -> int:
        """Of a row of weights."""
        return self.pe * self.simd * self.weight_dtype.bits

    def spram(self) -> int:
        return -(-self._word_bits // WORD_BITS) if self.weight_memory == "spram" else 0

    def load_words(self, contents: Contents) -> list[int]:
        assert isinstance(contents, MatrixContents)
        mask = (1 << WORD_BITS) - 1
        return [row >> WORD_BITS * cell & mask for row in contents.weights for cell in range(self.spram())]

    def block_rams(self, part: Part) -> int:
        rows, count = self.nf * self.sf, 0
        if self.weight_memory == "block" and rows > 1:
            count += block_rams(part, self._word_bits, rows)
        if self.bias_memory == "block" and self.nf > 1:
            count += block_rams(part, self.pe * self.width, self.nf)
        return count


class FoldedPasses(Registered):
    """`nf` passes of `sf` beats a vector; `stages` registers from a pass's last beat to its sums, the output's not
    counted. The output is a register of its own, or without `registered` the last accumulators, which cannot go on
    while it waits."""

    __slots__ = ("_beat", "_nf", "_pass", "_pipe", "_registered", "_sf")

    def __init__(self, sf: int, nf: int, stages: int, *, registered: bool) -> None:
        super().__init__()
        self._sf, self._nf, self._registered = sf, nf, registered
        self._beat = self._pass = 0
        self._pipe = [NOTHING] * stages  # ends of passes, the oldest last

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if ready[0] or self._out is NOTHING or self._goes_on else STALLED

    @property
    def _goes_on(self) -> bool:
        """Whether all before the output goes on although that waits."""
        return self._registered and self._pipe[-1] is NOTHING

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if not gave[0] and self._out is not NOTHING and not self._goes_on:
            return ENDLESS
        if gave[0]:
            return 1
        most = self._sf - self._beat if took[0] else ENDLESS
        for waits, entry in enumerate(reversed(self._pipe)):
            if entry is not NOTHING:
                return min(most, max(1, waits))
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] or self._out is NOTHING:
            self._out = self._pipe[-1]
        elif not self._goes_on:
            return
        entry = NOTHING
        if took[0]:
            self._beat += times
            if self._beat == self._sf:
                self._beat, entry = 0, GOING
                self._pass += 1
                if self._pass == self._nf:
                    self._pass, entry = 0, CLOSING
        if times > 1:
            self._pipe = ([NOTHING] * min(times, len(self._pipe)) + self._pipe)[: len(self._pipe)]
            self._pipe[0] = entry
        else:
            self._pipe.insert(0, entry)
            self._pipe.pop()
