"""Colorlight i5 on the extension board of Muse Lab: ECP5-25F, 25 MHz oscillator, DAPLink as the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs, Clock, Pins, PinsN, Resource
    from amaranth.vendor import LatticeECP5Platform
    from amaranth_boards.resources import UARTResource

    class ColorlightI5Platform(LatticeECP5Platform):  # type: ignore[misc]
        """Pins: https://github.com/wuxx/Colorlight-FPGA-Projects"""

        device, package, speed = "LFE5U-25F", "BG381", "6"
        default_clk = "clk25"
        resources = (
            Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33")),
            Resource("led", 0, PinsN("U16", dir="o"), Attrs(IO_TYPE="LVCMOS33")),
            UARTResource(0, rx="H18", tx="J17", attrs=Attrs(IO_TYPE="LVCMOS33")),
        )
        connectors = ()

    return ColorlightI5Platform()


BOARD = Board(
    name="colorlight-i5",
    title="Colorlight i5 (V7.0)",
    url="https://github.com/wuxx/Colorlight-FPGA-Projects",
    part="ecp5-25f",
    clock_mhz=25.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--25k", "--package", "CABGA381", "--speed", "6"),
    clock=("clk25", 0),
    leds={"activity": ("led", 0)},
    host_link="USB (DAPLink of the extension board, serial port)",
    bridge="debugger",
    programmer=("openFPGALoader", "-b", "colorlight-i5"),
    programmer_source="the package openfpgaloader of Debian, Ubuntu and Homebrew",
)
