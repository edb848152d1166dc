"""Lattice ECP5-5G Versa: ECP5-5G-45F, 100 MHz oscillator, FT2232H whose second channel is the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.versa_ecp5_5g import VersaECP55GPlatform

    return VersaECP55GPlatform()


BOARD = Board(
    name="versa-ecp5-5g",
    title="Lattice ECP5-5G Versa Development Kit",
    url="https://www.latticesemi.com/products/developmentboardsandkits/ecp55gversadevkit",
    part="ecp5-um5g-45f",
    clock_mhz=100.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--um5g-45k", "--package", "CABGA381", "--speed", "8"),
    clock=("clk100", 0),
    link_divider=4,  # to 25 MHz
    leds={"busy": ("led", 0), "activity": ("led", 1), "error": ("led", 2)},
    host_link="USB (FT2232H, second serial port)",
    bridge="FT2232H",
    programmer=("openFPGALoader", "-c", "ft2232"),
    programmer_source="the package openfpgaloader of Debian, Ubuntu and Homebrew",
)
