"""Every board's file, and how a user names a board."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bnnhw.errors import InputError
from bnnhw.line import BRIDGES, rates_of
from bnnhw.parts import PARTS
from bnnhw.resources import folder
from bnnhw.toolchain import Board, all_boards, find_board

NAMES = [board.name for board in all_boards()]


# How Amaranth's platforms name what nextpnr calls by its options.
PACKAGES = {"BG256": "CABGA256", "MG285": "CSFBGA285", "BG381": "CABGA381", "BG554": "CABGA554"}


def test_the_boards() -> None:
    assert {"ice40-hx8k-b-evn", "icebreaker", "ulx3s-85f"} <= set(NAMES)
    assert len(NAMES) == len(set(NAMES)) >= 20
    called = [name for board in all_boards() for name in (board.name, *board.aliases)]
    assert len(called) == len(set(called))
    families = {board.device.name.split("-")[0] for board in all_boards()}
    assert families == {"ice40", "ecp5"}


def agrees_with_its_platform(board: Board) -> None:
    assert board.part in PARTS
    platform = board.platform()
    clock, uart = platform.lookup(*board.clock), platform.lookup(*board.uart)
    assert clock.clock.frequency == board.clock_mhz * 1e6
    assert {"rx", "tx"} <= {io.name for io in uart.ios}
    assert set(board.leds) <= {"busy", "activity", "error"}
    for resource in board.leds.values():
        platform.lookup(*resource)
    if board.flash is not None:
        flash = {io.name: io.ios[0] for io in platform.lookup(*board.flash.pins).ios if hasattr(io, "ios")}
        assert flash["cs"].invert and len(flash["dq"].names) == 2
        # Behind the largest bitstream of the part, where what is erased for one is not the other's.
        assert board.part == "ice40-up5k" and board.flash.address > 104_156 and board.flash.address % 0x10000 == 0
    words = board.host_link
    assert board.bridge == ("adapter" if "adapter" in words else next((b for b in BRIDGES if b in words), "debugger"))
    assert rates_of(board.link_mhz * 1e6, board.fast_baud())
    assert board.bitstream.startswith(board.name)

    if board.device.family == "ice40":
        size = platform.device.removeprefix("iCE40").lower()
        assert board.part == f"ice40-{size}"
        assert board.nextpnr == (f"--{size}", "--package", platform.package.lower())
        return
    series, size = re.fullmatch(r"LFE5(U|UM|UM5G)-(\d+)F", platform.device).groups()
    prefix = "" if series == "U" else f"{series.lower()}-"
    assert board.part == f"ecp5-{prefix}{size}f"
    assert board.nextpnr == (f"--{prefix}{size}k", "--package", PACKAGES[platform.package], "--speed", platform.speed)


@pytest.mark.parametrize("name", NAMES)
def test_board_agrees_with_its_platform(name: str) -> None:
    agrees_with_its_platform(find_board(name))


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


def test_an_unknown_board_tells_where_to_look() -> None:
    with pytest.raises(InputError, match=r"unknown board 'arty' \(see: bnnhw boards; or give the path of"):
        find_board("arty")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file: give the path of a board's file"),
        ("BOARD = 3\n", "defines no BOARD of the class Board"),
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere'; see docs/adding-a-board.md"),
        ("def\n", "SyntaxError"),
        ("from bnnhw.toolchain.boards import Board\nBOARD = Board(name='x')\n", "TypeError"),
    ],
)
def test_a_wrong_file_is_refused(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        find_board(str(path))
    assert find_board("icebreaker").name == "icebreaker"


def test_a_file_takes_no_shipped_name(tmp_path: Path) -> None:
    """Else every design for that board would go to another one from then on."""
    own = folder("boards") / "icebreaker.py"
    assert find_board(str(own)).name == "icebreaker"
    copy = tmp_path / "mine.py"
    for name in ("ulx3s_85f", "Bitsy"):
        copy.write_text(own.read_text().replace('name="icebreaker"', f'name="{name}"'))
        with pytest.raises(InputError, match=f"mine.py: a board of `bnnhw boards` is called {name}: give yours"):
            find_board(str(copy))
        assert find_board(name).part == {"ulx3s_85f": "ecp5-85f", "Bitsy": "ice40-up5k"}[name]


def test_boards_load_without_amaranth() -> None:
    code = "import sys; from bnnhw.toolchain import all_boards; all_boards(); sys.exit('amaranth' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
