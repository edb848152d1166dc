"""Fomu, hacker version: iCE40 UP5K in a USB port, 48 MHz oscillator, host link on two of its pads."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.fomu_hacker import FomuHackerPlatform
    from amaranth_boards.resources import UARTResource

    platform = FomuHackerPlatform()
    platform.add_resources([UARTResource(0, rx="F4", tx="E5", attrs=Attrs(IO_STANDARD="SB_LVCMOS"))])
    return platform


BOARD = Board(
    name="fomu-hacker",
    title="Fomu (hacker version)",
    url="https://tomu.im/fomu.html",
    part="ice40-up5k",
    clock_mhz=48.0,
    platform=platform,
    pll="SB_PLL40_CORE",
    nextpnr=("--up5k", "--package", "uwg30"),
    clock=("clk48", 0),
    link_divider=4,  # to 12 MHz
    leds={"activity": ("led", 0)},
    host_link="3.3 V serial adapter: rx on pad 1 (F4), tx on pad 2 (E5)",
    bridge="adapter",
    programmer=("dfu-util", "-D"),
    programmer_source="the package dfu-util of Debian, Ubuntu and Homebrew",
)
