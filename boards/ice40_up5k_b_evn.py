"""Lattice iCE40 UltraPlus breakout board: 12 MHz oscillator, host link on header C."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board, Flash


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.ice40_up5k_b_evn import ICE40UP5KBEVNPlatform
    from amaranth_boards.resources import UARTResource

    platform = ICE40UP5KBEVNPlatform()
    platform.add_resources([UARTResource(0, rx="45", tx="47", attrs=Attrs(IO_STANDARD="SB_LVCMOS"))])
    return platform


BOARD = Board(
    name="ice40-up5k-b-evn",
    aliases=("up5k-evn",),
    title="Lattice iCE40 UltraPlus Breakout Board",
    url="https://www.latticesemi.com/products/developmentboardsandkits/ice40ultraplusbreakoutboard",
    part="ice40-up5k",
    clock_mhz=12.0,
    platform=platform,
    pll="SB_PLL40_2_PAD",  # the oscillator is on pin 35, which the PLL takes for itself
    nextpnr=("--up5k", "--package", "sg48"),
    clock=("clk12", 0),
    leds={"activity": ("led_g", 0), "error": ("led_r", 0)},
    host_link="3.3 V serial adapter: rx on header C pin 9 (FPGA pin 45), tx on pin 11 (FPGA pin 47)",
    bridge="adapter",
    programmer=("iceprog",),
    flash=Flash(programmer=("iceprog", "-o", "128k")),  # 0x20000
    programmer_source="the package fpga-icestorm of Debian and Ubuntu, icestorm of Homebrew",
)
