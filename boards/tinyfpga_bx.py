"""TinyFPGA BX: iCE40 LP8K, 16 MHz oscillator, host link on the pins 1 and 2."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.resources import UARTResource
    from amaranth_boards.tinyfpga_bx import TinyFPGABXPlatform

    platform = TinyFPGABXPlatform()
    platform.add_resources([UARTResource(0, rx="1", tx="2", conn=("gpio", 0), attrs=Attrs(IO_STANDARD="SB_LVCMOS"))])
    return platform


BOARD = Board(
    name="tinyfpga-bx",
    title="TinyFPGA BX",
    url="https://tinyfpga.com",
    part="ice40-lp8k",
    clock_mhz=16.0,
    platform=platform,
    pll="SB_PLL40_CORE",
    nextpnr=("--lp8k", "--package", "cm81"),
    clock=("clk16", 0),
    leds={"activity": ("led", 0)},
    host_link="3.3 V serial adapter: rx on pin 1, tx on pin 2",
    bridge="adapter",
    programmer=("tinyprog", "-p"),
    programmer_source="pip install tinyprog",
)
