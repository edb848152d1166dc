"""1BitSquared iCEBreaker Bitsy: iCE40 UP5K, 12 MHz oscillator, host link on the pins P0 and P1."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.icebreaker_bitsy import ICEBreakerBitsyPlatform
    from amaranth_boards.resources import UARTResource

    platform = ICEBreakerBitsyPlatform()
    platform.add_resources([UARTResource(0, rx="0", tx="1", conn=("edge", 0), attrs=Attrs(IO_STANDARD="SB_LVCMOS"))])
    return platform


BOARD = Board(
    name="icebreaker-bitsy",
    aliases=("bitsy",),
    title="1BitSquared iCEBreaker Bitsy",
    url="https://docs.icebreaker-fpga.org/hardware/bitsy/",
    part="ice40-up5k",
    clock_mhz=12.0,
    platform=platform,
    pll="SB_PLL40_2_PAD",  # the oscillator is on pin 35, which the PLL takes for itself
    nextpnr=("--up5k", "--package", "sg48"),
    clock=("clk12", 0),
    leds={"activity": ("led_g", 0), "error": ("led_r", 0)},
    host_link="3.3 V serial adapter: rx on P0, tx on P1",
    bridge="adapter",
    programmer=("dfu-util", "-d", "1d50:6146", "-a", "0", "-D"),
    programmer_source="the package dfu-util of Debian, Ubuntu and Homebrew",
)
