"""Fomu: iCE40 UP5K in a USB port, 48 MHz oscillator, host link on two of the touch pads."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.fomu_pvt import FomuPVTPlatform
    from amaranth_boards.resources import UARTResource

    platform = FomuPVTPlatform()
    platform.add_resources([UARTResource(0, rx="E4", tx="D5", attrs=Attrs(IO_STANDARD="SB_LVCMOS"))])
    return platform


BOARD = Board(
    name="fomu-pvt",
    aliases=("fomu",),
    title="Fomu (production version)",
    url="https://tomu.im/fomu.html",
    part="ice40-up5k",
    clock_mhz=48.0,
    platform=platform,
    pll="SB_PLL40_CORE",
    nextpnr=("--up5k", "--package", "uwg30"),
    clock=("clk48", 0),
    link_divider=4,  # to 12 MHz
    leds={"activity": ("led", 0)},
    host_link="3.3 V serial adapter: rx on touch pad 1 (E4), tx on pad 2 (D5)",
    bridge="adapter",
    programmer=("dfu-util", "-D"),
    programmer_source="the package dfu-util of Debian, Ubuntu and Homebrew",
)
