"""Logicbone with an ECP5-5G-85F: 25 MHz oscillator, host link on the pins 3 and 4 of header P8."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.logicbone import Logicbone85FPlatform
    from amaranth_boards.resources import UARTResource

    platform = Logicbone85FPlatform()
    platform.add_resources([UARTResource(0, rx="3", tx="4", conn=("P8", 0), attrs=Attrs(IO_TYPE="LVCMOS33"))])
    return platform


BOARD = Board(
    name="logicbone-85f",
    title="Logicbone (85F)",
    url="https://github.com/oskirby/logicbone",
    part="ecp5-um5g-85f",
    clock_mhz=25.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--um5g-85k", "--package", "CABGA381", "--speed", "8"),
    clock=("refclk", 0),
    host_link="3.3 V serial adapter: rx on P8 pin 3, tx on P8 pin 4",
    bridge="adapter",
    programmer=("dfu-util", "-d", "1d50:615d", "-a", "0", "-R", "-D"),
    programmer_source="the package dfu-util of Debian, Ubuntu and Homebrew",
)
