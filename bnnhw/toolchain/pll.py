"""The clocks that a PLL can make of a board's oscillator.

Ranges are those of the data sheets: iCE40 LP/HX FPGA-DS-02029 and UltraPlus FPGA-DS-02008 (they agree; dividers as in
FPGA-TN-02052, sysCLOCK PLL), ECP5 FPGA-DS-02012 (dividers as in FPGA-TN-02200, sysCLOCK PLL/DLL).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

ICE40_PFD_MHZ = (10, 133)
ICE40_VCO_MHZ = (533, 1066)
ICE40_OUTPUT_MHZ = (16, 275)
# Upper ends of the phase detector's frequency for FILTER_RANGE 1, 2 and so on; 6 above the last.
ICE40_FILTER_MHZ = (17, 26, 44, 66, 101)

ECP5_PFD_MHZ = (10, 400)
ECP5_VCO_MHZ = (400, 800)
ECP5_OUTPUT_MHZ = (Fraction(25, 8), 400)
ECP5_DIVIDERS = range(1, 129)


@dataclass(frozen=True)
class Setting:
    """One way to run the PLL.

    Parameters
    ----------
    mhz
        Frequency of the output, exactly.
    pfd_mhz, vco_mhz
        Frequencies of the phase detector and of the oscillator inside.
    dividers
        Parameters of the PLL's instance.
    """

    mhz: Fraction
    pfd_mhz: Fraction
    vco_mhz: Fraction
    dividers: Mapping[str, int]


def settings(family: Literal["ice40", "ecp5"], reference_mhz: float) -> Iterator[Setting]:
    """Every legal setting for an oscillator of `reference_mhz`."""
    reference = Fraction(reference_mhz)
    return _ice40(reference) if family == "ice40" else _ecp5(reference)


def fastest(family: Literal["ice40", "ecp5"], reference_mhz: float, limit_mhz: float) -> Setting | None:
    """The setting with the highest output that is not above `limit_mhz`; None if all are.

    Of several with the same output, the one with the fastest phase detector, and then the fastest oscillator inside:
    they have the least jitter.
    """
    fitting = [setting for setting in settings(family, reference_mhz) if setting.mhz <= limit_mhz]
    return max(fitting, key=lambda s: (s.mhz, s.pfd_mhz, s.vco_mhz), default=None)


def _within(value: Fraction, limits: tuple[Fraction | int, Fraction | int]) -> bool:
    return limits[0] <= value <= limits[1]


def _ice40(reference: Fraction) -> Iterator[Setting]:
    for divr in range(16):
        pfd = reference / (divr + 1)
        if not _within(pfd, ICE40_PFD_MHZ):
            continue
        filter_range = 1 + sum(pfd >= limit for limit in ICE40_FILTER_MHZ)
        for divf in range(128):
            vco = pfd * (divf + 1)
            if not _within(vco, ICE40_VCO_MHZ):
                continue
            for divq in range(1, 7):
                if _within(vco / 2**divq, ICE40_OUTPUT_MHZ):
                    dividers = {"DIVR": divr, "DIVF": divf, "DIVQ": divq, "FILTER_RANGE": filter_range}
                    yield Setting(vco / 2**divq, pfd, vco, dividers)


def _ecp5(reference: Fraction) -> Iterator[Setting]:
    for clki in ECP5_DIVIDERS:
        pfd = reference / clki
        if not _within(pfd, ECP5_PFD_MHZ):
            continue
        for clkop in ECP5_DIVIDERS:
            vco = pfd * clkop  # the loop closes over CLKOP, whose output is the phase detector's frequency
            if not _within(vco, ECP5_VCO_MHZ):
                continue
            for clkos in ECP5_DIVIDERS:
                if _within(vco / clkos, ECP5_OUTPUT_MHZ):
                    yield Setting(vco / clkos, pfd, vco, {"CLKI_DIV": clki, "CLKOP_DIV": clkop, "CLKOS_DIV": clkos})
