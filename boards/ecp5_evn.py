"""Lattice ECP5 evaluation board: ECP5-5G-85F, 12 MHz oscillator, FT2232H whose second channel is the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.ecp5_5g_evn import ECP55GEVNPlatform

    return ECP55GEVNPlatform()


BOARD = Board(
    name="ecp5-evn",
    title="Lattice ECP5 Evaluation Board",
    url="https://www.latticesemi.com/products/developmentboardsandkits/ecp5evaluationboard",
    part="ecp5-um5g-85f",
    clock_mhz=12.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--um5g-85k", "--package", "CABGA381", "--speed", "8"),
    clock=("clk12", 0),
    leds={"busy": ("led", 0), "activity": ("led", 1), "error": ("led", 2)},
    host_link="USB (FT2232H, second serial port; the resistors R34 and R35 are fitted)",
    bridge="FT2232H",
    programmer=("openFPGALoader", "-b", "ecp5_evn"),
    programmer_source="the package openfpgaloader of Debian, Ubuntu and Homebrew",
)
