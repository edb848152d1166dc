"""Icepi Zero: ECP5-25F, 50 MHz oscillator, FT231X as the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.icepi_zero import IcepiZero1_3Platform

    return IcepiZero1_3Platform()


BOARD = Board(
    name="icepi-zero",
    title="Icepi Zero (1.3)",
    url="https://github.com/cheyao/icepi-zero",
    part="ecp5-25f",
    clock_mhz=50.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--25k", "--package", "CABGA256", "--speed", "6"),
    clock=("clk50", 0),
    link_divider=2,  # to 25 MHz
    leds={"busy": ("led", 0), "activity": ("led", 1), "error": ("led", 2)},
    host_link="USB (FT231X)",
    bridge="FT231X",
    programmer=("openFPGALoader", "-b", "icepi-zero"),
    programmer_source="the package openfpgaloader of Debian, Ubuntu and Homebrew",
)
