"""Lattice iCEstick: iCE40 HX1K, 12 MHz oscillator, FT2232H whose second channel is the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.icestick import ICEStickPlatform

    return ICEStickPlatform()


BOARD = Board(
    name="icestick",
    title="Lattice iCEstick",
    url="https://www.latticesemi.com/icestick",
    part="ice40-hx1k",
    clock_mhz=12.0,
    platform=platform,
    pll="SB_PLL40_CORE",
    nextpnr=("--hx1k", "--package", "tq144"),
    clock=("clk12", 0),
    leds={"busy": ("led", 0), "activity": ("led", 1), "error": ("led", 2)},
    host_link="USB (FT2232H, second serial port)",
    bridge="FT2232H",
    programmer=("iceprog",),
    programmer_source="the package fpga-icestorm of Debian and Ubuntu, icestorm of Homebrew",
)
