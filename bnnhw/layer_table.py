"""What an engine and its programs agree on: the engine's shape, and the lines of a program, field by field.

The one description for the compiler that writes lines and the circuit that reads them; `docs/overlay.md` explains it.
A line is one word of each bank of the engine's memory. Tables below give the fields of a line, the lowest bits first.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import IntEnum

VERSION = 1
"""Of the lines' format: an engine takes programs of its own version alone."""

MAGIC = 0xB0
"""High byte of a program's first word; the low one is the version."""

SUM_START = 1
"""What both sums of an image begin with, so that one of nothing but zeros is not right."""

ADDRESS_BITS = 16
MAX_SIDE = 256
"""Rows and columns of a map."""
MAX_ORIGIN = 15
"""Padding above and on the left, and strides."""
TAP_BITS = 6
"""Of a tap's place in its window, down and across."""
MAX_RUN = 127
"""Slots that follow one in its run."""
LINE_BITS = 64
"""Of a line that fields are in; what is above them is zero."""


@dataclass(frozen=True)
class EngineShape:
    """The frozen shape of an engine: what a bitstream fixes, and programs are compiled for.

    Parameters
    ----------
    family
        ``"ice40"`` or ``"ecp5"``: how popcounts take their lanes (`bnnhw.arithmetic.weight_coding.MatchCoding`).
    lanes
        Bits of a word: channels that a PE counts at once, and rows of the array.
    pixels
        Columns of the array: output pixels, side by side, that share each weight.
    banks
        Of the memory; pixels that are neighbours lie in neighbouring banks.
    lines
        Words of each bank.
    memory
        ``"spram"`` or ``"block"``: what the banks are made of.
    weights
        Words of each row's weight cache.
    slots
        Of the slot memory: steps of a pass.
    width
        Bits of an accumulator.

    Raises
    ------
    ValueError
        If a number is not one that an engine can have.
    """

    family: str
    lanes: int
    pixels: int
    banks: int
    lines: int
    memory: str
    weights: int
    slots: int
    width: int

    def __post_init__(self) -> None:
        limits = {
            "lanes": (16, 32),
            "pixels": (1, self.banks),
            "banks": (2, 16),
            "lines": (64, 1 << ADDRESS_BITS),
            "weights": (2, 512),
            "slots": (8, 4096),
            "width": (self.lanes.bit_length() + 2, 32),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"an engine's {name} must be {low} to {high}, not {value!r}")
        for name in ("lanes", "pixels", "banks", "lines", "weights", "slots"):
            if (value := getattr(self, name)) & (value - 1):
                raise ValueError(f"an engine's {name} must be a power of two, not {value!r}")
        if self.banks * self.lanes < LINE_BITS or self.banks > self.lanes:
            raise ValueError(f"banks must hold {LINE_BITS} bits together, and be no more than lanes: {self}")
        if self.family not in ("ice40", "ecp5") or self.memory not in ("spram", "block"):
            raise ValueError(f"no engine of family {self.family!r} with memory {self.memory!r}")

    @property
    def rows(self) -> int:
        """Output channels of a pass: they are one word."""
        return self.lanes

    @property
    def macs_per_cycle(self) -> int:
        """Products of one bit by one bit."""
        return self.rows * self.lanes * self.pixels

    def collides(self, step: int) -> bool:
        """Whether pixels that are `step` columns apart lie in one bank."""
        return len({pixel * step % self.banks for pixel in range(self.pixels)}) < self.pixels

    def together(self, step: int) -> int:
        """How many pixels that are `step` columns apart are read at once."""
        return 1 if self.collides(step) else self.pixels

    @property
    def fingerprint(self) -> int:
        """16 bits that tell shapes apart, as a program's first line has them; of what banks are made, none does."""
        parts = [part.name for part in fields(self) if part.name != "memory"]
        text = ",".join(f"{name}={getattr(self, name)}" for name in parts)
        return zlib.crc32(text.encode()) & 0xFFFF

    def facts(self) -> dict[str, int | str]:
        """As program.json has them."""
        return asdict(self)


SHAPES: Mapping[str, EngineShape] = {
    "up5k": EngineShape("ice40", 16, 2, 4, 1 << 14, "spram", 256, 256, 22),
    "ecp5-85f": EngineShape("ecp5", 32, 4, 8, 1 << 13, "block", 512, 512, 24),
}
"""Shapes by the parts that they are meant for; whether an engine fits, place and route has to show."""


class Opcode(IntEnum):
    """What an entry of the layer table asks for."""

    END = 0
    READ = 1
    WRITE = 2
    SLOTS = 3
    PASS = 4
    INPUT = 5
    OUTPUT = 6


Fields = Mapping[str, int]

LESS_ONE = frozenset({"tail", "keep", "height", "width", "groups", "planes", "rows"})
"""Fields that are never 0: a line has one less."""

# A program's first line; its words are LINE_BITS / 4 bits each.
HEADER: Fields = {"version": 8, "magic": 8, "lines": 16, "engine": 16}

ENTRIES: Mapping[Opcode, Fields] = {
    # The answer is complete: wait for the next frame, from the first entry on.
    Opcode.END: {"opcode": 4},
    # The map that is read, until a frame or an answer comes: rows above and columns left of it, the line of that
    # corner's row (modulo the address), lines from a row of windows to the next, and its size.
    Opcode.READ: {
        "opcode": 4, "top": 4, "left": 4, "step_x": 4, "base": 16, "row_step": 16, "height": 8, "width": 8,
    },
    # The map that is written: rows, columns, lines from row to row; rows from a window to the one below, in the map
    # that is read; lanes of the last word of a pixel in that map. `single`: one pixel at a time.
    Opcode.WRITE: {
        "opcode": 4, "step_y": 4, "tail": 7, "single": 1, "height": 8, "width": 8, "row_step": 16,
    },
    # Fills the slot memory with `count` lines from `source` on.
    Opcode.SLOTS: {"opcode": 4, "spare": 12, "source": 16, "count": 16},
    # Fills the weight caches with `count` words a row from `source` on, then goes over the map; its results go to
    # `base`.
    Opcode.PASS: {"opcode": 4, "spare": 12, "source": 16, "base": 16, "count": 16},
    # Waits for a frame: `rows` of `width` words to `base`, one row behind the other. Of each `groups` rows, the last
    # has words of `tail` bits that come bit by bit, unless it is all lanes; a word keeps `keep` of the last bits.
    Opcode.INPUT: {"opcode": 4, "tail": 6, "keep": 6, "base": 16, "rows": 16, "width": 8, "groups": 8},
    # Sends, or ranks, `groups` times `planes` words from `base` on, the highest plane first; `final` with the label.
    Opcode.OUTPUT: {
        "opcode": 4, "send": 1, "rank": 1, "final": 1, "spare": 1, "tail": 8, "base": 16, "groups": 8, "planes": 8,
    },
}  # fmt: skip

SLOT: Fields = {
    # Of the line that is read, from the first one of the row of windows on; where `emit`, of what is written.
    "offset": 16,
    # The word of the weight caches.
    "word": 9,
    # Of the tap, in the map that is read.
    "down": TAP_BITS,
    "across": TAP_BITS,
    # Counts the lanes in which the word that is read and the weights are equal, or looks at each row's own lane alone;
    # adds the weights' word as a number; adds the sum as it was `DOUBLE_DISTANCE` slots before, which doubles it and
    # leaves what came between as it is. Nothing of these: adds nothing.
    "count": 1,
    "own": 1,
    "add": 1,
    "double": 1,
    # The sum starts anew from what is added.
    "first": 1,
    # The row's bit changes where the sum is not below zero, or where it is `below`; `fresh`: it was 0 before.
    "toggle": 1,
    "below": 1,
    "fresh": 1,
    # The row's bits are a word that is to be written; the word before it is written now.
    "emit": 1,
    # Outside the map there are words of this bit, at an `edge` as many lanes of it as the map's last words have.
    "fill": 1,
    "edge": 1,
    # So many slots more follow that are like this one, each with the next line, and the next word unless it is the
    # same.
    "run": 7,
    "same": 1,
}

DOUBLE_DISTANCE = 2
"""Slots from the last one of a sum to the one that doubles it."""
EMIT_DISTANCE = 5
"""Slots from one that gives a word to the next one that does."""
FRAME_STEP = 3
"""Bits that a frame reader takes in a cycle where a pixel has as many left: the channels of a picture in colours; each
further number to choose from would cost it wider multiplexers."""
HANDOVER = 2
"""Cycles before a pass's last word is written, in which the next entry is asked for and awaited."""


def pack(layout: Fields, values: Mapping[str, int]) -> int:
    """The line with these fields; those that are not named are 0.

    Raises
    ------
    ValueError
        If a value does not fit its field, or there is no such field.
    """
    if unknown := set(values) - set(layout):
        raise ValueError(f"no fields {', '.join(sorted(unknown))}")
    line, place = 0, 0
    for name, bits in layout.items():
        value = values.get(name, 0) - (name in LESS_ONE and name in values)
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{name} must be 0 to {(1 << bits) - 1}, not {value!r}")
        line |= value << place
        place += bits
    return line


def unpack(layout: Fields, line: int) -> dict[str, int]:
    """The fields of a line."""
    found, place = {}, 0
    for name, bits in layout.items():
        found[name] = (line >> place & ((1 << bits) - 1)) + (name in LESS_ONE)
        place += bits
    return found
