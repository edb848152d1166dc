"""1BitSquared iCEBreaker: iCE40 UP5K, 12 MHz oscillator, FT2232H whose second channel is the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board, Flash


def platform() -> Any:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    return ICEBreakerPlatform()


BOARD = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    url="https://docs.icebreaker-fpga.org/hardware/icebreaker/",
    part="ice40-up5k",
    clock_mhz=12.0,
    platform=platform,
    pll="SB_PLL40_2_PAD",  # the oscillator is on pin 35, which the PLL takes for itself
    nextpnr=("--up5k", "--package", "sg48"),
    clock=("clk12", 0),
    leds={"activity": ("led_g", 0), "error": ("led_r", 0)},
    host_link="USB (FT2232H, second serial port)",
    bridge="FT2232H",
    programmer=("iceprog",),
    flash=Flash(programmer=("iceprog", "-o", "128k")),  # 0x20000
    programmer_source="the package fpga-icestorm of Debian and Ubuntu, icestorm of Homebrew",
)
