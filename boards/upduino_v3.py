"""tinyVision UPduino 3: iCE40 UP5K, 12 MHz oscillator behind the jumper OSC, host link on two pins of the header."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board, Flash


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.resources import UARTResource
    from amaranth_boards.upduino_v3 import UpduinoV3Platform

    platform = UpduinoV3Platform()
    platform.add_resources([UARTResource(0, rx="28", tx="38", attrs=Attrs(IO_STANDARD="SB_LVCMOS"))])
    return platform


BOARD = Board(
    name="upduino-v3",
    aliases=("upduino",),
    title="tinyVision UPduino 3",
    url="https://upduino.readthedocs.io",
    part="ice40-up5k",
    clock_mhz=12.0,
    platform=platform,
    pll="SB_PLL40_CORE",  # the oscillator is on pin 20, which is no PLL's
    nextpnr=("--up5k", "--package", "sg48"),
    clock=("clk12", 0),
    host_link="3.3 V serial adapter: rx on pin 28, tx on pin 38; the jumper OSC is soldered",
    bridge="adapter",
    programmer=("iceprog",),
    flash=Flash(programmer=("iceprog", "-o", "128k")),  # 0x20000
    programmer_source="the package fpga-icestorm of Debian and Ubuntu, icestorm of Homebrew",
)
