"""OrangeCrab r0.2 with an ECP5-85F: 48 MHz oscillator, host link on the pins 0 and 1."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_85FPlatform
    from amaranth_boards.resources import UARTResource

    platform = OrangeCrabR0_2_85FPlatform()
    platform.add_resources([UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33"))])
    return platform


BOARD = Board(
    name="orangecrab-85f",
    title="OrangeCrab r0.2 (85F)",
    url="https://orangecrab-fpga.github.io/orangecrab-hardware/",
    part="ecp5-85f",
    clock_mhz=48.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--85k", "--package", "CSFBGA285", "--speed", "8"),
    clock=("clk", 0),
    host_link="3.3 V serial adapter: rx on pin 0, tx on pin 1",
    bridge="adapter",
    programmer=("dfu-util", "-a", "0", "-D"),
    programmer_source="the package dfu-util of Debian, Ubuntu and Homebrew",
)
