"""Hackaday Supercon 2019 badge: ECP5-45F, 8 MHz oscillator, host link on the pads of its serial port."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.supercon19badge import Supercon19BadgePlatform

    return Supercon19BadgePlatform()


BOARD = Board(
    name="supercon19badge",
    title="Hackaday Supercon 2019 badge",
    url="https://hackaday.io/project/167255-2019-hackaday-superconference-badge",
    part="ecp5-45f",
    clock_mhz=8.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--45k", "--package", "CABGA381", "--speed", "8"),
    clock=("clk8", 0),
    host_link="3.3 V serial adapter on the pads of the serial port",
    programmer=("dfu-util", "-d", "1d50:614b", "-a", "0", "-D"),
    programmer_source="the package dfu-util of Debian, Ubuntu and Homebrew",
)
