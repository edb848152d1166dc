"""Add streams: the weighted sum of several streams, lane by lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.arithmetic.formats import DataType, signed_width, value_width
from bnnhw.units.base import Contents, Features, Unit, surroundings
from bnnhw.units.cycle_model import NOTHING, Beat, CycleModel, Register
from bnnhw.units.memories import table_luts


@dataclass(frozen=True, eq=False)
class SumContents(Contents):
    """What each input counts for: in all channels, or a number for each channel of a vector."""

    coefficients: list[int | list[int]]


@dataclass(frozen=True)
class Weighing:
    """What the coefficients take, all lanes together.

    Parameters
    ----------
    additions
        Of shifted inputs, where a lane has one coefficient; those of one addition to a lane are not counted.
    products
        Bits of the partial products with coefficients that change from beat to beat.
    columns, rows
        Bits of the coefficients in a beat, and how many beats there are.
    """

    additions: int = 0
    products: int = 0
    columns: int = 0
    rows: int = 1

    @classmethod
    def of(cls, coefficients: Sequence[int | Sequence[int]], dtypes: Sequence[DataType], lanes: int) -> Weighing:
        """That of `coefficients`, one for each of the streams or a list of them, one for each channel."""
        lists = [[c] if isinstance(c, int) else c for c in coefficients]
        additions = products = columns = 0
        for lane in range(lanes):
            terms = 0
            for table, dtype in zip(lists, dtypes, strict=True):
                own = {*(table if len(table) == 1 else table[lane::lanes])}
                if len(own) == 1:
                    terms += abs(min(own)).bit_count()
                else:
                    bits = signed_width(min(own), max(own))
                    products += bits * value_width(dtype)
                    columns += bits
            additions += max(0, terms - 2)
        return cls(additions, products, columns, max(1, max(map(len, lists)) // lanes))


@dataclass(frozen=True)
class AddStreams(Unit):
    """Sums of `lanes` elements of streams of `dtypes`, each times its coefficient, as `out_dtype`."""

    dtypes: tuple[DataType, ...]
    lanes: int
    out_dtype: DataType
    weighing: Weighing = surroundings()  # noqa: RUF009

    contents = SumContents
    gives = "codes"

    @property
    def latency(self) -> int:
        return 1

    def cycle_model(self) -> CycleModel:
        return AddedBeats(len(self.dtypes))

    def features(self) -> Features:
        width, weighing = value_width(self.out_dtype), self.weighing
        return {
            "pool_bit": self.lanes * width,
            "constant_lut": weighing.additions * width,
            "multiplier_bit": weighing.products,
            "table": weighing.columns * table_luts(weighing.rows),
        }


class AddedBeats(Register):
    """A beat of `inputs` streams at a time through one register."""

    __slots__ = ("_stalled", "_taken")

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self._taken, self._stalled = [True] * inputs, [False] * inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        if not ready[0] and self._out is not NOTHING:
            return self._stalled
        for valid, _, _ in inputs:
            if not valid:
                return self._stalled
        return self._taken
