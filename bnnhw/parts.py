"""The FPGA parts: what each one has. Figures from the iCE40 and ECP5 family data sheets (Lattice FPGA-DS-02029,
FPGA-DS-02008, FPGA-DS-02012)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from bnnhw.errors import InputError
from bnnhw.hints import did_you_mean


@dataclass(frozen=True)
class Part:
    """One FPGA.

    Parameters
    ----------
    name
        As reports write it.
    family
        ``"ice40"`` or ``"ecp5"``: selects the synthesis script and the cost model.
    lut4, block_ram, spram, dsp
        How many of each there are.
    block_ram_width, block_ram_depth
        The widest read port of one block RAM, in bits, and its words at that width.
    lut_lane
        LUT4 per lane of a pipelined 64-lane PE with its accumulator: the logic bound of `mac_bounds`.
    """

    name: str
    family: Literal["ice40", "ecp5"]
    lut4: int
    block_ram: int
    block_ram_width: int
    block_ram_depth: int
    spram: int = 0
    dsp: int = 0
    lut_lane: float = 3.2

    @property
    def ice40_device(self) -> str:
        """What yosys and its models call the kind of an iCE40: ``"hx"``, ``"lp"`` or ``"u"``."""
        kind = self.name.removeprefix("ice40-")[:2]
        return "u" if kind == "up" else kind

    @property
    def speed(self) -> str:
        """Of which parts clocks are alike: ``"ice40-up"``, ``"ice40-hx"``, ``"ice40-lp"`` or ``"ecp5"``."""
        return self.name[: len("ice40-up")] if self.family == "ice40" else self.family

    @property
    def block_ram_bits(self) -> int:
        return self.block_ram_width * self.block_ram_depth

    @property
    def logic_macs_per_cycle(self) -> float:
        """MACs per cycle when 85 % of the LUTs are PE lanes."""
        return 0.85 * self.lut4 / self.lut_lane

    @property
    def bandwidth_macs_per_cycle(self) -> float:
        """MACs per cycle when every block RAM feeds one binary weight per data bit, each used once."""
        return float(self.block_ram * self.block_ram_width)

    def at_most(self, *, lut4: int | None, block_ram: int | None) -> Part:
        """This part as a design sees it that may take only some of it; None for all."""
        luts, blocks = (min(own, asked or own) for own, asked in ((self.lut4, lut4), (self.block_ram, block_ram)))
        return replace(self, lut4=luts, block_ram=blocks)


SPRAM_WORDS, SPRAM_WIDTH = 16384, 16
"""Of one single-port RAM of iCE40 UltraPlus (Lattice FPGA-TN-02022)."""

MAX_CLOCK_MHZ = 400.0
"""The fastest clock that a PLL of these parts gives (ECP5)."""

# Of the 4K and 12F parts a router may hand out more, since the die is that of the next larger part: what counts here is
# what the maker promises.
_ICE40 = (
    Part("ice40-lp1k", "ice40", 1280, 16, 16, 256),
    Part("ice40-hx1k", "ice40", 1280, 16, 16, 256),
    Part("ice40-lp4k", "ice40", 3520, 20, 16, 256),
    Part("ice40-hx4k", "ice40", 3520, 20, 16, 256),
    Part("ice40-up5k", "ice40", 5280, 30, 16, 256, spram=4, dsp=8),
    Part("ice40-lp8k", "ice40", 7680, 32, 16, 256),
    Part("ice40-hx8k", "ice40", 7680, 32, 16, 256),
)
# LFE5U, LFE5UM and LFE5UM5G are alike in everything that a design of ours uses; there is no 12F of the latter two.
_ECP5 = tuple(
    Part(f"ecp5-{series}{size}", "ecp5", lut4, block_ram, 36, 512, dsp=dsp, lut_lane=3.5)
    for series in ("", "um-", "um5g-")
    for size, lut4, block_ram, dsp in (
        ("12f", 12_000, 32, 28),
        ("25f", 24_288, 56, 28),
        ("45f", 43_848, 108, 72),
        ("85f", 83_640, 208, 156),
    )
    if not (series and size == "12f")
)
PARTS: dict[str, Part] = {part.name: part for part in (*_ICE40, *_ECP5)}


def find_part(name: str) -> Part:
    """The part that a user calls `name`.

    Raises
    ------
    InputError
        If there is none; the message lists all.
    """
    part = PARTS.get(name.strip().lower().replace("_", "-"))
    if part is None:
        raise InputError(f"unknown part {name!r}{did_you_mean(name, PARTS) or ';'} there are {', '.join(PARTS)}")
    return part
