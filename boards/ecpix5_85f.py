"""LambdaConcept ECPIX-5 with an ECP5-5G-85F: 100 MHz oscillator, FT2232HQ whose second channel is the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.ecpix5 import ECPIX585Platform

    return ECPIX585Platform()


BOARD = Board(
    name="ecpix5-85f",
    title="LambdaConcept ECPIX-5 (85F)",
    url="https://docs.lambdaconcept.com/ecpix-5/",
    part="ecp5-um5g-85f",
    clock_mhz=100.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--um5g-85k", "--package", "CABGA554", "--speed", "8"),
    clock=("clk100", 0),
    link_divider=4,  # to 25 MHz
    host_link="USB (FT2232HQ, second serial port)",
    bridge="FT2232H",
    programmer=("openFPGALoader", "-b", "ecpix5"),
    programmer_source="the package openfpgaloader of Debian, Ubuntu and Homebrew",
)
