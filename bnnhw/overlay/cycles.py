"""How many cycles a program takes, exactly: from the layer table alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.layer_table import EMIT_DISTANCE, FRAME_STEP, HANDOVER, SLOT, EngineShape, Opcode, unpack
from bnnhw.overlay.program import Entry, Program, line_value

# Asking for an entry, waiting for it, reading it; a READ or WRITE asks for the next one as it is read.
ENTRY_CYCLES, SHORT_ENTRY_CYCLES = 3, 2
# Of what an entry starts: the start itself; and the last cycle of a frame, or of an answer.
START, CLOSE = 1, 1
# The last word of a pass is on its way while the next entry is.
LAST_WORD = EMIT_DISTANCE - HANDOVER
# Asking for a word of an answer, waiting for it, taking it.
WORD_CYCLES = 3


@dataclass(frozen=True)
class Step:
    """An entry of the layer table, and its cycles.

    Parameters
    ----------
    cycles
        All of them, if frames are there when they are asked for and answers are taken as they come.
    fetching
        Those of them in which slots or weights come from the memory.
    """

    opcode: Opcode
    fields: dict[str, int]
    cycles: int
    fetching: int = 0


def steps(program: Program) -> list[Step]:
    """The entries of a program with their cycles."""
    shape, found = program.shape, []
    write: dict[str, int] = {}
    slots = 0
    for opcode, fields in program.entries:
        if opcode is Opcode.WRITE:
            write = fields
        if opcode is Opcode.SLOTS:
            lines = program.lines[fields["source"] : fields["source"] + fields["count"]]
            slots = sum(unpack(SLOT, line_value(shape, words))["run"] + 1 for words in lines)
        found.append(_step(shape, (opcode, fields), write, slots))
    return found


def program_cycles(program: Program) -> int:
    """Cycles from frame to frame, if each one is there when it is asked for and its answer is taken as it comes."""
    return sum(step.cycles for step in steps(program))


def _step(shape: EngineShape, entry: Entry, write: dict[str, int], slots: int) -> Step:
    opcode, fields = entry
    if opcode is Opcode.SLOTS:
        return Step(opcode, fields, ENTRY_CYCLES + fields["count"], fields["count"])
    if opcode is Opcode.PASS:
        fetched = fields["count"] * shape.rows // shape.banks
        together = 1 if write["single"] else shape.pixels
        groups = write["height"] * -(-write["width"] // together)
        return Step(opcode, fields, ENTRY_CYCLES + fetched + START + groups * slots + LAST_WORD, fetched)
    if opcode is Opcode.INPUT:
        return Step(opcode, fields, ENTRY_CYCLES + START + sum(_row_cycles(shape, fields)) + CLOSE)
    if opcode is Opcode.OUTPUT:
        words = fields["groups"] * fields["planes"]
        answered = words * (WORD_CYCLES + fields["send"]) + fields["groups"] + fields["final"]
        return Step(opcode, fields, ENTRY_CYCLES + START + answered + CLOSE)
    short = opcode in (Opcode.READ, Opcode.WRITE)
    return Step(opcode, fields, SHORT_ENTRY_CYCLES if short else ENTRY_CYCLES)


def _row_cycles(shape: EngineShape, fields: dict[str, int]) -> Sequence[int]:
    """Cycles of each row of a frame."""
    last = fields["width"] if fields["tail"] == shape.lanes else _bit_cycles(shape, fields)
    return [
        last if row % fields["groups"] == fields["groups"] - 1 else fields["width"] for row in range(fields["rows"])
    ]


def _bit_cycles(shape: EngineShape, fields: dict[str, int]) -> int:
    """Cycles of a row whose bits come one behind the other: one until its first word is there, then some for each
    pixel."""
    cycles, left = 1, 0
    for _ in range(fields["width"]):
        need = fields["tail"]
        while need:
            left = left or shape.lanes
            taken = FRAME_STEP if min(need, left) >= FRAME_STEP else 1
            need, left, cycles = need - taken, left - taken, cycles + 1
    return cycles
