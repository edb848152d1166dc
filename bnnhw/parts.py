"""The FPGA parts: what each one has. Figures from the iCE40 and ECP5 family data sheets (Lattice FPGA-DS-02029,
FPGA-DS-02008, FPGA-DS-02012)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
    fmax_guess_mhz
        A clock that plans may assume before a route has told the true one.
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
    fmax_guess_mhz: float = 12.0

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


MAX_CLOCK_MHZ = 400.0
"""The fastest clock that a PLL of these parts gives (ECP5)."""

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part("ice40-hx1k", "ice40", 1280, 16, 16, 256, fmax_guess_mhz=40),
        Part("ice40-up5k", "ice40", 5280, 30, 16, 256, spram=4, dsp=8, fmax_guess_mhz=20),
        Part("ice40-hx8k", "ice40", 7680, 32, 16, 256, fmax_guess_mhz=50),
        Part("ecp5-25f", "ecp5", 24288, 56, 36, 512, dsp=28, lut_lane=3.5, fmax_guess_mhz=60),
        Part("ecp5-45f", "ecp5", 43848, 108, 36, 512, dsp=72, lut_lane=3.5, fmax_guess_mhz=60),
        Part("ecp5-85f", "ecp5", 83640, 208, 36, 512, dsp=156, lut_lane=3.5, fmax_guess_mhz=60),
    )
}
