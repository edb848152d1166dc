"""OrangeCrab r0.1: ECP5-25F, 48 MHz oscillator, host link on the pins 0 and 1."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.orangecrab_r0_1 import OrangeCrabR0_1Platform
    from amaranth_boards.resources import UARTResource

    platform = OrangeCrabR0_1Platform()
    platform.add_resources([UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33"))])
    return platform


BOARD = Board(
    name="orangecrab-r0.1",
    title="OrangeCrab r0.1",
    url="https://orangecrab-fpga.github.io/orangecrab-hardware/",
    part="ecp5-25f",
    clock_mhz=48.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--25k", "--package", "CSFBGA285", "--speed", "8"),
    clock=("clk", 0),
    host_link="3.3 V serial adapter: rx on pin 0, tx on pin 1",
    bridge="adapter",
    programmer=("dfu-util", "-a", "0", "-D"),
    programmer_source="the package dfu-util of Debian, Ubuntu and Homebrew",
)
