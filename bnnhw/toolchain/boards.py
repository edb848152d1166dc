"""The boards: one small file each in the folder ``boards/``, which defines BOARD."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bnnhw.errors import InputError, PlanError
from bnnhw.hints import did_you_mean, did_you_mean_file
from bnnhw.line import BASE_BAUD, BRIDGES, fastest, rates_of
from bnnhw.parts import PARTS, Part
from bnnhw.resources import folder

Pins = tuple[str, int]
"""Name and number of a resource of the board's Amaranth platform."""


@dataclass(frozen=True)
class Flash:
    """The flash from which a board configures its FPGA, and which designs read afterwards.

    Parameters
    ----------
    programmer
        Command that writes a file into it from `address` on; the file's path follows.
    address
        Where the image of memories begins (`bnnhw.memory_image`): behind the bitstream, where erasing one leaves the
        other.
    pins
        Resource of the platform, with the members ``cs``, ``clk`` and the pair ``dq``: out of the FPGA, and into it.
    """

    programmer: tuple[str, ...]
    address: int = 0x20000
    pins: Pins = ("spi_flash_2x", 0)


@dataclass(frozen=True)
class Board:
    """One board.

    Parameters
    ----------
    name, aliases
        What users call it; '_' and '-' are the same, and case does not count.
    title, url
        Its maker's name for it, and where it is described.
    part
        Name of its FPGA in `bnnhw.parts.PARTS`.
    clock_mhz
        Frequency of its oscillator.
    platform
        Makes its Amaranth platform. A function, because importing the platforms takes long.
    pll
        The primitive that makes the accelerator's clock: see `bnnhw.gateware.pll`.
    nextpnr
        Options that select device and package.
    clock, uart
        Resources of the platform.
    link_divider
        How many cycles of the oscillator one of the host link takes, 1 or 2, 4, 8: above 1 where the oscillator is too
        fast for the link on this part.
    bridge
        What connects the link to the computer, of `bnnhw.line.BRIDGES`: it decides on the link's fast rate.
    leds
        Resource that shows ``busy``, ``activity`` or ``error`` of the link.
    host_link
        How the computer is connected, in words.
    programmer
        Command that loads a bitstream; the bitstream's path follows.
    programmer_source
        Where the programmer comes from.
    flash
        From which a design reads what its bitstream does not hold; None where that comes over the link alone.
    """

    name: str
    title: str
    url: str
    part: str
    clock_mhz: float
    platform: Callable[[], Any]
    pll: str
    nextpnr: tuple[str, ...]
    clock: Pins
    programmer: tuple[str, ...]
    programmer_source: str
    host_link: str
    uart: Pins = ("uart", 0)
    link_divider: int = 1
    bridge: str = "debugger"
    leds: Mapping[str, Pins] = field(default_factory=dict)
    flash: Flash | None = None
    aliases: tuple[str, ...] = ()

    @property
    def device(self) -> Part:
        return PARTS[self.part]

    @property
    def link_mhz(self) -> float:
        """Frequency of the host link's clock."""
        return self.clock_mhz / self.link_divider

    def fast_baud(self, wanted: int | None = None) -> int | None:
        """The rate that the host link can go to from the base rate, in bits per second; None for none.

        Parameters
        ----------
        wanted
            What a user asks for; None for the fastest that bridge and clock allow.

        Raises
        ------
        PlanError
            If the clock of the link cannot give `wanted`.
        """
        if wanted is None:
            return fastest(self.link_mhz * 1e6, BRIDGES[self.bridge])
        if wanted == BASE_BAUD:
            return None
        try:
            rates_of(self.link_mhz * 1e6, wanted)
        except ValueError as error:
            raise PlanError(f"board {self.name} cannot have --baud {wanted}: {error}") from None
        return wanted

    @property
    def bitstream(self) -> str:
        """File name of a bitstream for this board."""
        return f"{self.name}.{'bin' if self.device.family == 'ice40' else 'bit'}"

    def to_dict(self) -> dict[str, Any]:
        """What users are told of it."""
        return {
            "name": self.name,
            "title": self.title,
            "part": self.part,
            "lut4": self.device.lut4,
            "block_ram": self.device.block_ram,
            "block_ram_kbit": self.device.block_ram * self.device.block_ram_bits // 1024,
            "clock_mhz": self.clock_mhz,
            "host_link": self.host_link,
            "baud": self.fast_baud() or BASE_BAUD,
            "url": self.url,
        }


# The boards of users' own files, by name: what was compiled for one knows it by its name alone.
_OWN: dict[str, Board] = {}


@cache
def all_boards() -> tuple[Board, ...]:
    """All boards, in the order of their names."""
    return tuple(sorted((_load(path) for path in folder("boards").glob("*.py")), key=lambda board: board.name))


def find_board(name: str) -> Board:
    """The board that a user calls `name`, or whose file that is.

    Raises
    ------
    InputError
        If there is none, or the file is not one of a board, or its board has the name of another one that is shipped.
    """
    if name.endswith(".py"):
        board = _load(Path(name))
        if not Path(name).resolve().is_relative_to(folder("boards").resolve()):
            if _shipped(board.name) is not None:
                raise InputError(f"{name}: a board of `bnnhw boards` is called {board.name}: give yours another name")
            _OWN[_normal(board.name)] = board
        return board
    if not name:
        raise InputError("the design is for a part without a board: compile it with --board for what needs one")
    wanted = _normal(name)
    if wanted in _OWN:
        return _OWN[wanted]
    shipped = _shipped(wanted)
    if shipped is not None:
        return shipped
    hint = did_you_mean(name, [board.name for board in all_boards()])
    raise InputError(f"unknown board {name!r}{hint} (see: bnnhw boards; or give the path of a board's file)")


def _shipped(name: str) -> Board | None:
    """The board of those that come with bnnhw that has this name or alias."""
    wanted = _normal(name)
    return next((one for one in all_boards() if wanted in map(_normal, (one.name, *one.aliases))), None)


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _load(path: Path) -> Board:
    """The board that a file defines.

    Raises
    ------
    InputError
        If it is not there, cannot be run, or defines no board of a known part.
    """
    remedy = "see docs/adding-a-board.md for what a board's file holds"
    if not path.is_file():
        hint = did_you_mean_file(path) or ":"
        raise InputError(f"{path}: no such file{hint} give the path of a board's file, or a name of `bnnhw boards`")
    spec = importlib.util.spec_from_file_location(f"bnnhw_board_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # it is the user's program: whatever goes wrong in it is told, not shown as a traceback
        raise InputError(f"{path}: {type(error).__name__}: {error}; {remedy}") from None
    board = getattr(module, "BOARD", None)
    if not isinstance(board, Board):
        raise InputError(f"{path}: defines no BOARD of the class Board: {remedy}")
    if board.part not in PARTS:
        raise InputError(f"{path}: unknown part {board.part!r}: there are {', '.join(PARTS)}")
    if board.bridge not in BRIDGES:
        raise InputError(f"{path}: unknown bridge {board.bridge!r}: there are {', '.join(BRIDGES)}")
    return board
