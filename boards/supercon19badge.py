"""Hackaday Supercon 2019 badge: ECP5-45F, 8 MHz oscillator, host link on the badge's serial pins."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.supercon19badge import Supercon19BadgePlatform

    return Supercon19BadgePlatform()


BOARD = Board(
    name="supercon19badge",
    title="Hackaday Supercon 2019 badge",
    url="https://github.com/Spritetm/hadbadge2019_fpgasoc",
    part="ecp5-45f",
    clock_mhz=8.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--45k", "--package", "CABGA381", "--speed", "8"),
    clock=("clk8", 0),
    host_link="3.3 V serial adapter on the serial port's pins: rx on ball U2, tx on ball U1",
    bridge="adapter",
    programmer=("dfu-util", "-d", "1d50:614b", "-a", "0", "-D"),
    programmer_source="the package dfu-util of Debian, Ubuntu and Homebrew",
)
