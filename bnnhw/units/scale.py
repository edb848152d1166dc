"""Scale unit: from integers to codes of many levels, by a multiplication, a shift and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.arithmetic.formats import DataType, value_width
from bnnhw.parts import Part
from bnnhw.units.base import Contents, Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, Beat, CycleModel, Direct
from bnnhw.units.memories import block_rams, table_luts

# Operands of a hard multiplier of each family; one bit of each is a sign where larger numbers are put together.
HARD_WIDTH = {"ice40": 16, "ecp5": 18}


@dataclass(frozen=True, eq=False)
class ScaleContents(Contents):
    """What each row is multiplied by.

    Parameters
    ----------
    factors, biases
        ``pieces`` x (``nf * pe``); no factors where all rows have the unit's one.
    pivots
        ``pieces - 1`` x (``nf * pe``): the first number of the second piece.
    lows, highs
        Where quotients are cut off: one number, or one for each row.
    offset, step
        The code of a quotient q is ``offset + step * q``.
    """

    factors: list[list[int]]
    biases: list[list[int]]
    pivots: list[list[int]]
    lows: list[int]
    highs: list[int]
    offset: int
    step: int


@dataclass(frozen=True)
class ScaleUnit(Unit):
    """``offset + step * clip((x * factor + bias) >> shift)`` of numbers of `dtype`, in codes of `bits` bits.

    `pe` rows at a time, of which the last of `nf` beats has `tail`, for `vectors` vectors side by side. A row has one
    or two `pieces`, each with a factor of `factor_bits` bits, or all have the one `factor`. The sum of a product and a
    bias takes `width` bits; limits that differ from row to row take `limit_bits` each, else 0. `even` rounds sums that
    are whole multiples of ``2 ** shift`` to even. Tables lie in a `memory`; the `multiplier` is ``hard`` or ``lut``.
    """

    dtype: DataType
    pe: int
    nf: int
    tail: int
    vectors: int
    pieces: int
    factor: int | None
    factor_bits: int
    width: int
    shift: int
    even: bool
    limit_bits: int
    bits: int
    memory: str
    multiplier: str

    contents = ScaleContents
    gives = "codes"

    @property
    def latency(self) -> int:
        return 2 + self.pieces

    @property
    def word(self) -> int:
        """Bits of a row's table."""
        factors = self.factor_bits if self.factor is None else 0
        return self.pieces * (factors + self.width) + (self.pieces - 1) * (self.dtype.bits + 1) + 2 * self.limit_bits

    def cycle_model(self) -> CycleModel:
        return Pipelined(self.latency)

    def features(self) -> Features:
        rows = self.pe * self.vectors
        added = self.factor_bits if self.factor is None else abs(self.factor).bit_count() - 1
        features: Features = {"scale_bit": rows * (self.width + self.bits)}
        if self.multiplier == "lut" or self.factor is not None:
            features["multiplier_bit"] = rows * added * self.dtype.bits
        if self.pieces > 1:
            features["comparator_bit"] = rows * (self.dtype.bits + self.factor_bits + self.width)
        if self.memory == "lut":
            features["table"] = self.pe * self.word * table_luts(self.nf)
        return features

    def block_rams(self, part: Part) -> int:
        return block_rams(part, self.pe * self.word, self.nf) if self.memory == "block" and self.nf > 1 else 0

    def multipliers(self, part: Part) -> int:
        """Hard multipliers that it takes of `part`."""
        if self.multiplier != "hard" or self.factor is not None:
            return 0
        one = HARD_WIDTH[part.family]
        parts = [
            1 if bits <= one else -(-(bits - 1) // (one - 1)) for bits in (value_width(self.dtype), self.factor_bits)
        ]
        return self.pe * self.vectors * parts[0] * parts[1]


class Pipelined(Direct):
    """A beat per cycle through `stages` registers that move on together."""

    __slots__ = ("_inside",)

    def __init__(self, stages: int) -> None:
        super().__init__()
        self._inside = [NOTHING] * (stages - 1)  # the oldest last

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        stalled = self._out is not NOTHING and not gave[0]
        empty = not took[0] and self._out is NOTHING and all(beat is NOTHING for beat in self._inside)
        return ENDLESS if stalled or empty else 1

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if self._out is not NOTHING and not gave[0]:
            return
        self._inside.insert(0, (CLOSING if inputs[0][1] else GOING) if took[0] else NOTHING)
        self._out = self._inside.pop()
