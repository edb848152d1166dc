"""MuseLab iCESugar: iCE40 UP5K, 12 MHz oscillator, serial port of the on-board debugger as the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.icesugar import ICESugarPlatform

    return ICESugarPlatform()


BOARD = Board(
    name="icesugar",
    title="MuseLab iCESugar",
    url="https://github.com/wuxx/icesugar",
    part="ice40-up5k",
    clock_mhz=12.0,
    platform=platform,
    pll="SB_PLL40_2_PAD",  # the oscillator is on pin 35, which the PLL takes for itself
    nextpnr=("--up5k", "--package", "sg48"),
    clock=("clk12", 0),
    leds={"activity": ("led_g", 0), "error": ("led_r", 0)},
    host_link="USB (iCELink, serial port)",
    bridge="debugger",
    programmer=("icesprog",),
    programmer_source="https://github.com/wuxx/icesugar, folder tools",
)
