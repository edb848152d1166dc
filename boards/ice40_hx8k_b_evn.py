"""Lattice iCE40-HX8K breakout board: 12 MHz oscillator, FT2232H whose second channel is the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

    return ICE40HX8KBEVNPlatform()


BOARD = Board(
    name="ice40-hx8k-b-evn",
    aliases=("hx8k",),
    title="Lattice iCE40-HX8K Breakout Board",
    url="https://www.latticesemi.com/products/developmentboardsandkits/ice40hx8kbreakoutboard",
    part="ice40-hx8k",
    clock_mhz=12.0,
    platform=platform,
    pll="SB_PLL40_CORE",  # the oscillator is on pin J3, which is no PLL's
    nextpnr=("--hx8k", "--package", "ct256"),
    clock=("clk12", 0),
    leds={"busy": ("led", 0), "activity": ("led", 1), "error": ("led", 2)},
    host_link="USB (FT2232H, second serial port)",
    bridge="FT2232H",
    programmer=("iceprog",),
    programmer_source="the package fpga-icestorm of Debian and Ubuntu, icestorm of Homebrew",
)
