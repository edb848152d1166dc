"""UPduino 2: iCE40 UP5K, 12 MHz oscillator wired to pin 12, host link on two pins of the header."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.resources import UARTResource
    from amaranth_boards.upduino_v2 import UpduinoV2Platform

    platform = UpduinoV2Platform()
    platform.add_resources([UARTResource(0, rx="28", tx="38", attrs=Attrs(IO_STANDARD="SB_LVCMOS"))])
    return platform


BOARD = Board(
    name="upduino-v2",
    title="UPduino 2",
    url="https://github.com/gtjennings1/UPDuino_v2_0",
    part="ice40-up5k",
    clock_mhz=12.0,
    platform=platform,
    pll="SB_PLL40_CORE",  # the oscillator is on pin 12, which is no PLL's
    nextpnr=("--up5k", "--package", "sg48"),
    clock=("clk12", 0),
    host_link="3.3 V serial adapter: rx on pin 28, tx on pin 38; J8 (osc_out) is wired to pin 12",
    bridge="adapter",
    programmer=("iceprog",),
    programmer_source="the package fpga-icestorm of Debian and Ubuntu, icestorm of Homebrew",
)
