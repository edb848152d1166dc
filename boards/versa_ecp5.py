"""Lattice ECP5 Versa: ECP5-UM-45F, 100 MHz oscillator, FT2232H whose second channel is the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.versa_ecp5 import VersaECP5Platform

    return VersaECP5Platform()


BOARD = Board(
    name="versa-ecp5",
    title="Lattice ECP5 Versa Development Kit",
    url="https://www.latticesemi.com/products/developmentboardsandkits/ecp5versadevelopmentkit",
    part="ecp5-um-45f",
    clock_mhz=100.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--um-45k", "--package", "CABGA381", "--speed", "8"),
    clock=("clk100", 0),
    link_divider=4,  # to 25 MHz
    leds={"busy": ("led", 0), "activity": ("led", 1), "error": ("led", 2)},
    host_link="USB (FT2232H, second serial port)",
    bridge="FT2232H",
    programmer=("openFPGALoader", "-c", "ft2232"),
    programmer_source="the package openfpgaloader of Debian, Ubuntu and Homebrew",
)
