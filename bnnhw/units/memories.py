"""Memories of units: block RAMs by counting, LUTs by what a table of constants takes."""

from __future__ import annotations

from bnnhw.parts import Part


def written_kind(memory: str, family: str) -> str:
    """The kind of a memory that is written as well as read: ``lut`` of a plan is LUT RAM where a part has it."""
    if memory == "block":
        return memory
    return "lutram" if has_lut_ram(family) else "registers"


def has_lut_ram(family: str) -> bool:
    """Whether LUTs of these parts can be memories that are written."""
    return family == "ecp5"


def block_rams(part: Part, width: int, depth: int) -> int:
    """Block RAMs of a memory of `depth` words, in the best of the port widths that a block RAM can take."""
    best = 0
    w, d = part.block_ram_width, part.block_ram_depth
    while w:
        count = -(-width // w) * -(-depth // d)
        best = min(best or count, count)
        w, d = w // 2, d * 2
    return best


def table_luts(rows: int) -> float:
    """LUTs of one column of a table of `rows` arbitrary bits: 16 bits each, and multiplexers to choose among them."""
    return 0.0 if rows < 2 else 1.0 if rows <= 16 else rows / 16 * 4 / 3


def power_of_two(value: int) -> int:
    """The smallest power of two that is not below `value`."""
    return 1 << (value - 1).bit_length()
