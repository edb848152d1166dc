"""Radiona ULX3S with an ECP5-85F: 25 MHz oscillator, FT231X as the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return ULX3S_85F_Platform()


BOARD = Board(
    name="ulx3s-85f",
    aliases=("ulx3s",),
    title="Radiona ULX3S (85F)",
    url="https://radiona.org/ulx3s/",
    part="ecp5-85f",
    clock_mhz=25.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--85k", "--package", "CABGA381", "--speed", "6"),
    clock=("clk25", 0),
    leds={"busy": ("led", 0), "activity": ("led", 1), "error": ("led", 2)},
    host_link="USB (FT231X)",
    bridge="FT231X",
    programmer=("openFPGALoader", "-b", "ulx3s"),
    programmer_source="the package openfpgaloader of Debian, Ubuntu and Homebrew",
)
