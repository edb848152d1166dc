"""Colorlight i9 on the extension board of Muse Lab: ECP5-45F, 25 MHz oscillator, DAPLink as the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth.build import Attrs, Clock, Pins, PinsN, Resource
    from amaranth.vendor import LatticeECP5Platform
    from amaranth_boards.resources import UARTResource

    class ColorlightI9Platform(LatticeECP5Platform):  # type: ignore[misc]
        """Pins: https://github.com/wuxx/Colorlight-FPGA-Projects"""

        device, package, speed = "LFE5U-45F", "BG381", "6"
        default_clk = "clk25"
        resources = (
            Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33")),
            Resource("led", 0, PinsN("L2", dir="o"), Attrs(IO_TYPE="LVCMOS33")),
            UARTResource(0, rx="H18", tx="J17", attrs=Attrs(IO_TYPE="LVCMOS33")),
        )
        connectors = ()

    return ColorlightI9Platform()


BOARD = Board(
    name="colorlight-i9",
    title="Colorlight i9 (V7.2)",
    url="https://github.com/wuxx/Colorlight-FPGA-Projects",
    part="ecp5-45f",
    clock_mhz=25.0,
    platform=platform,
    pll="EHXPLLL",
    nextpnr=("--45k", "--package", "CABGA381", "--speed", "6"),
    clock=("clk25", 0),
    leds={"activity": ("led", 0)},
    host_link="USB (DAPLink of the extension board, serial port)",
    bridge="debugger",
    programmer=("openFPGALoader", "-b", "colorlight-i9"),
    programmer_source="the package openfpgaloader of Debian, Ubuntu and Homebrew",
)
