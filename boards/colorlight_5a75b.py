"""Colorlight 5A-75B, version 7.0: ECP5-25F, 25 MHz oscillator, host link on connector J19."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform

    return Colorlight_5A75B_R70Platform()


BOARD = Board(
    name="colorlight-5a75b",
    title="Colorlight 5A-75B (V7.0)",
    url="https://github.com/q3k/chubby75/tree/master/5a-75b",
    part="ecp5-25f",
    clock_mhz=25.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--25k", "--package", "CABGA256", "--speed", "6"),
    clock=("clk25", 0),
    host_link="3.3 V serial adapter on J19: rx on KEY+, tx on DATA_LED-",
    bridge="adapter",
    programmer=("openFPGALoader", "-b", "colorlight"),
    programmer_source="the package openfpgaloader of Debian, Ubuntu and Homebrew",
)
