"""Every board's file, and how a user names a board."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bnnhw.errors import InputError
from bnnhw.parts import PARTS
from bnnhw.toolchain import all_boards, find_board

NAMES = [board.name for board in all_boards()]


def test_the_boards() -> None:
    assert NAMES == ["ice40-hx8k-b-evn", "icebreaker", "ulx3s-85f"]


@pytest.mark.parametrize("name", NAMES)
def test_board_agrees_with_its_platform(name: str) -> None:
    board = find_board(name)
    assert board.part in PARTS
    platform = board.platform()
    clock, uart = platform.lookup(*board.clock), platform.lookup(*board.uart)
    assert clock.clock.frequency == board.clock_mhz * 1e6
    assert {"rx", "tx"} <= {io.name for io in uart.ios}
    assert set(board.leds) <= {"busy", "activity", "error"}
    for resource in board.leds.values():
        platform.lookup(*resource)
    divisor = round(board.clock_mhz * 1e6 / board.baud)
    assert abs(board.clock_mhz * 1e6 / divisor / board.baud - 1) < 0.01
    assert board.bitstream.startswith(name)


@pytest.mark.parametrize(
    "given, name",
    [
        ("iCEBreaker", "icebreaker"),
        ("ice40_hx8k_b_evn", "ice40-hx8k-b-evn"),
        ("HX8K", "ice40-hx8k-b-evn"),
        ("ulx3s", "ulx3s-85f"),
        (" ULX3S_85F ", "ulx3s-85f"),
    ],
)
def test_names_are_forgiving(given: str, name: str) -> None:
    assert find_board(given).name == name


def test_an_unknown_board_lists_all() -> None:
    with pytest.raises(InputError, match="unknown board 'arty'; there are ice40-hx8k-b-evn, icebreaker, ulx3s-85f"):
        find_board("arty")


def test_boards_load_without_amaranth() -> None:
    code = "import sys; from bnnhw.toolchain import all_boards; all_boards(); sys.exit('amaranth' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
