"""Code table: from counts of thresholds to the codes of their channels."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.parts import Part
from bnnhw.units.base import Contents, Features, Unit
from bnnhw.units.cycle_model import CycleModel, Register
from bnnhw.units.memories import block_rams, table_luts


@dataclass(frozen=True, eq=False)
class TableContents(Contents):
    """The code for each count, channel by channel.

    Parameters
    ----------
    codes
        ``nf`` x ``pe`` rows of ``count + 1`` storage codes; those of rows that do not exist are 0.
    """

    codes: list[list[list[int]]]


@dataclass(frozen=True)
class CodeTable(Unit):
    """Looks the code of `bits` bits up for each count of up to `count` thresholds.

    `pe` rows at a time, `nf` beats a vector; one table for each row of a beat and each of `vectors` vectors side by
    side, in a `memory`.
    """

    pe: int
    nf: int
    count: int
    bits: int
    vectors: int
    memory: str

    contents = TableContents
    gives = "codes"

    @property
    def latency(self) -> int:
        return 1

    @property
    def table_depth(self) -> int:
        """Words of the table of a row."""
        return self.nf << self.count.bit_length()

    def cycle_model(self) -> CycleModel:
        return Register()

    def features(self) -> Features:
        lut = self.memory == "lut"
        return {"table": self.pe * self.vectors * self.bits * table_luts(self.table_depth) if lut else 0.0}

    def block_rams(self, part: Part) -> int:
        if self.memory != "block":
            return 0
        return self.pe * self.vectors * block_rams(part, self.bits, self.table_depth)
