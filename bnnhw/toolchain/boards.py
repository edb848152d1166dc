"""The boards: one small file each in the folder ``boards/``, which defines BOARD."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bnnhw.errors import InputError
from bnnhw.hints import did_you_mean
from bnnhw.parts import PARTS, Part
from bnnhw.resources import folder

Pins = tuple[str, int]
"""Name and number of a resource of the board's Amaranth platform."""


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
    baud
        Bits per second of the host link.
    leds
        Resource that shows ``busy``, ``activity`` or ``error`` of the link.
    host_link
        How the computer is connected, in words.
    programmer
        Command that loads a bitstream; the bitstream's path follows.
    programmer_source
        Where the programmer comes from.
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
    baud: int = 1_000_000
    leds: Mapping[str, Pins] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def device(self) -> Part:
        return PARTS[self.part]

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
            "url": self.url,
        }


@cache
def all_boards() -> tuple[Board, ...]:
    """All boards, in the order of their names."""
    return tuple(sorted((_load(path) for path in folder("boards").glob("*.py")), key=lambda board: board.name))


def find_board(name: str) -> Board:
    """The board that a user calls `name`.

    Raises
    ------
    InputError
        If there is none; the message lists all.
    """
    wanted = _normal(name)
    for board in all_boards():
        if wanted in map(_normal, (board.name, *board.aliases)):
            return board
    names = [board.name for board in all_boards()]
    raise InputError(f"unknown board {name!r}{did_you_mean(name, names) or ';'} there are {', '.join(names)}")


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _load(path: Path) -> Board:
    spec = importlib.util.spec_from_file_location(f"bnnhw_board_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    board = module.BOARD
    assert isinstance(board, Board)
    return board
