"""myStorm BlackIce II: iCE40 HX4K, 100 MHz oscillator, CH340 as the host link."""

from __future__ import annotations

from typing import Any

from bnnhw.toolchain.boards import Board


def platform() -> Any:
    from amaranth_boards.blackice_ii import BlackIceIIPlatform

    return BlackIceIIPlatform()


BOARD = Board(
    name="blackice-ii",
    title="myStorm BlackIce II",
    url="https://github.com/mystorm-org/BlackIce-II",
    part="ice40-hx4k",
    clock_mhz=100.0,
    platform=platform,
    pll="SB_PLL40_CORE",
    nextpnr=("--hx4k", "--package", "tq144"),
    clock=("clk100", 0),
    link_divider=4,  # to 25 MHz
    leds={"busy": ("led_b", 0), "activity": ("led_g", 0), "error": ("led_r", 0)},
    host_link="USB (CH340, serial port)",
    bridge="CH340",
    programmer=("sh", "-c", 'cat "$0" > /dev/ttyACM0'),
    programmer_source="every Unix; the board's own loader takes the file on that port",
)
