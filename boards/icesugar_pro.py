"""MuseLab iCESugar-Pro: ECP5-25F, 25 MHz oscillator, serial port of the on-board debugger as the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.icesugar_pro import ICESugarProPlatform

    return ICESugarProPlatform()


BOARD = Board(
    name="icesugar-pro",
    title="MuseLab iCESugar-Pro",
    url="https://github.com/wuxx/icesugar-pro",
    part="ecp5-25f",
    clock_mhz=25.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--25k", "--package", "CABGA256", "--speed", "6"),
    clock=("clk25", 0),
    host_link="USB (iCELink, serial port)",
    bridge="debugger",
    programmer=("icesprog",),
    programmer_source="https://github.com/wuxx/icesugar, folder tools",
)
