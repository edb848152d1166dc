"""What a program means, in numpy, line by line: the engine without its circuits and without its time.

It shares the layout of fields with the compiler and the circuits, and no code: so a program that is right here and
wrong in simulation is a fault of the circuit, one that is wrong here a fault of the compiler.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.weight_coding import MatchCoding
from bnnhw.layer_table import (
    ADDRESS_BITS,
    DOUBLE_DISTANCE,
    EMIT_DISTANCE,
    ENTRIES,
    HEADER,
    LINE_BITS,
    MAGIC,
    SLOT,
    VERSION,
    EngineShape,
    Opcode,
    unpack,
)

Words = NDArray[np.uint32]
Array = NDArray[np.int64]


class ProgramFault(Exception):
    """A program that does what an engine must not be asked for."""


class Executor:
    """An engine of `shape` with a program in its memory.

    Parameters
    ----------
    image
        The words of all lines, from line 0 on.

    Raises
    ------
    ProgramFault
        If it is no program for this shape.
    """

    def __init__(self, shape: EngineShape, image: Sequence[int]) -> None:
        self._shape = shape
        lines = np.array(image, np.uint32).reshape(-1, shape.banks)
        head = unpack(HEADER, self._fields(lines[0]))
        wanted = {"version": VERSION, "magic": MAGIC, "lines": len(lines), "engine": shape.fingerprint}
        if head != wanted:
            raise ProgramFault(f"a program with the header {head} instead of {wanted}")
        self._program = lines
        self._coding = MatchCoding.of(shape.lanes, shape.family, spare=False)

    def run(self, frames: Sequence[Sequence[int]]) -> list[list[int]]:
        """The answers to frames of words: the words that are sent, the label last.

        Raises
        ------
        ProgramFault
            Where the program depends on what an engine does not promise.
        """
        self._begin(frames)
        sent: list[NDArray[np.uint32]] = []
        for words in self._program[1:]:
            line = self._fields(words)
            opcode = Opcode(line & 15)
            entry = unpack(ENTRIES[opcode], line)
            if opcode is Opcode.END:
                return [[int(word) for word in answer] for answer in np.stack(sent, axis=1)]
            if opcode is Opcode.READ:
                self._read = entry
            elif opcode is Opcode.WRITE:
                self._write = entry
            elif opcode is Opcode.SLOTS:
                rows = self._program[entry["source"] : entry["source"] + entry["count"]]
                self._slots = [slot for row in rows for slot in _run(unpack(SLOT, self._fields(row)))]
            elif opcode is Opcode.PASS:
                self._pass(entry)
            elif opcode is Opcode.INPUT:
                self._input(entry)
            else:
                sent += self._output(entry)
        raise ProgramFault("a layer table without an end")

    # ---- memory ----------------------------------------------------------------------------------

    def _begin(self, frames: Sequence[Sequence[int]]) -> None:
        self._frames = [list(frame) for frame in frames]
        shape = self._shape
        self._memory = np.zeros((len(frames), shape.lines, shape.banks), np.uint32)
        self._written = np.zeros((shape.lines, shape.banks), np.bool_)
        self._label = np.zeros(len(frames), np.int64)
        self._kept: tuple[Array, NDArray[np.bool_]] | None = None

    def _fields(self, words: Words) -> int:
        line = sum(int(word) << (self._shape.lanes * k) for k, word in enumerate(words))
        return line & ((1 << LINE_BITS) - 1)

    def _store(self, line: int, column: int, words: Words) -> None:
        """Writes the words (N,) of a column of a row that begins at `line`."""
        place = (line + column // self._shape.banks) % (1 << ADDRESS_BITS), column % self._shape.banks
        if not len(self._program) <= place[0] < self._shape.lines:
            raise ProgramFault(f"writes line {place[0]}: the program, or no memory")
        self._memory[:, place[0], place[1]] = words
        self._written[place] = True

    # ---- entries ---------------------------------------------------------------------------------

    def _input(self, entry: dict[str, int]) -> None:
        lanes, banks = self._shape.lanes, self._shape.banks
        mask = (1 << entry["keep"]) - 1 if entry["keep"] < lanes else (1 << lanes) - 1
        pitch = -(-entry["width"] // banks)
        for row in range(entry["rows"]):
            last = row % entry["groups"] == entry["groups"] - 1
            base = entry["base"] + row * pitch
            if last and entry["tail"] < lanes:
                self._bits(base, entry, mask)
                continue
            for column in range(entry["width"]):
                self._store(base, column, np.array([frame.pop(0) for frame in self._frames], np.uint32))
        if any(self._frames):
            raise ProgramFault("a frame that is longer than what the program takes")

    def _bits(self, base: int, entry: dict[str, int], mask: int) -> None:
        """A row of words that come bit by bit."""
        lanes = self._shape.lanes
        words = -(-entry["width"] * entry["tail"] // lanes)
        for sample, frame in enumerate(self._frames):
            row, self._frames[sample] = frame[:words], frame[words:]
            bits = sum(word << (lanes * k) for k, word in enumerate(row))
            held = 0
            for column in range(entry["width"]):
                for _ in range(entry["tail"]):
                    held, bits = (held << 1 | bits & 1) & ((1 << lanes) - 1), bits >> 1
                found = self._memory[:, base + column // self._shape.banks, column % self._shape.banks].copy()
                found[sample] = held & mask
                self._store(base, column, found)

    def _pass(self, entry: dict[str, int]) -> None:
        shape, read, write = self._shape, self._read, self._write
        lines = entry["count"] * shape.rows // shape.banks
        words = self._program[entry["source"] : entry["source"] + lines].reshape(entry["count"], shape.rows)
        ys = np.arange(write["height"]) * write["step_y"] - read["top"]
        xs = np.arange(write["width"]) * read["step_x"] - read["left"]
        # The array keeps its sums, and bits of words, from pass to pass, which means something for one group of pixels.
        alone = write["height"] == 1 and write["width"] <= (1 if write["single"] else shape.pixels)
        size = len(self._memory), write["height"], write["width"], shape.rows
        begun = alone and self._kept is not None and self._kept[0].shape == size
        if begun and self._kept is not None:
            sums, row_bits = self._kept
        else:
            sums, row_bits = np.zeros(size, np.int64), np.zeros(size, np.bool_)
        going_on = begun
        earlier, emitted = [sums] * DOUBLE_DISTANCE, -EMIT_DISTANCE
        given: list[tuple[int, Words]] = []
        for place, slot in enumerate(self._slots):
            weights = np.zeros(shape.rows, np.int64)
            if slot["count"] or slot["own"] or slot["add"]:
                if slot["word"] >= len(words):
                    raise ProgramFault(f"slot {place} takes word {slot['word']} of {len(words)} words of weights")
                weights = words[slot["word"]].astype(np.int64)
            if slot["count"] or slot["own"]:
                found = self._gather(slot, ys, xs)
                added = self._equal(found, weights, own=bool(slot["own"]))
            elif slot["add"]:
                added = (weights ^ (1 << (shape.lanes - 1))) - (1 << (shape.lanes - 1))
            elif slot["double"]:
                if place < DOUBLE_DISTANCE and not going_on:
                    raise ProgramFault(f"slot {place} doubles a sum that is not there yet")
                added = earlier[0]
            else:
                added = np.zeros((), np.int64)
            if not (begun or slot["first"]):
                raise ProgramFault(f"slot {place} goes on with a sum that nothing began")
            begun = True
            sums = self._wrapped(added + (0 if slot["first"] else sums))
            earlier = [*earlier[1:], sums]
            if slot["toggle"]:
                row_bits = (row_bits & (not slot["fresh"])) ^ ((sums < 0) if slot["below"] else (sums >= 0))
            if slot["emit"]:
                if place - emitted < EMIT_DISTANCE or slot["count"] or slot["own"]:
                    raise ProgramFault(f"slot {place} gives a word too early")
                emitted = place
                power = np.uint32(1) << np.arange(shape.rows, dtype=np.uint32)
                given.append((slot["offset"], (row_bits * power).sum(axis=-1).astype(np.uint32)))
        self._kept = (sums, row_bits) if alone else None
        if not alone:
            self._check_spacing()
        for offset, maps in given:
            for row in range(write["height"]):
                base = (entry["base"] + offset + row * write["row_step"]) % (1 << ADDRESS_BITS)
                for column in range(write["width"]):
                    self._store(base, column, maps[:, row, column])

    def _check_spacing(self) -> None:
        """The first word of a group of pixels comes late enough after the last one of the group before."""
        places = [place for place, slot in enumerate(self._slots) if slot["emit"]]
        if places and places[0] + len(self._slots) - places[-1] < EMIT_DISTANCE:
            raise ProgramFault("passes that are too short")

    def _gather(self, slot: dict[str, int], ys: Array, xs: Array) -> Words:
        """The words (N, rows, columns) that a slot reads."""
        shape, read = self._shape, self._read
        y, x = ys + slot["down"], xs + slot["across"]
        inside = ((y >= 0) & (y < read["height"]))[:, None] & ((x >= 0) & (x < read["width"]))
        rows = read["base"] + np.arange(len(ys)) * read["row_step"] + slot["offset"]
        line = (rows[:, None] + x // shape.banks) % (1 << ADDRESS_BITS)
        line, bank = np.where(inside, line, 0), np.broadcast_to(x % shape.banks, inside.shape)
        if not self._written[line, bank][inside].all():
            raise ProgramFault("reads what nothing wrote")
        lanes = self._write["tail"] if slot["edge"] else shape.lanes
        outside = np.uint32((1 << lanes) - 1 if slot["fill"] else 0)
        return np.where(inside, self._memory[:, line, bank], outside)

    def _equal(self, found: Words, weights: Array, *, own: bool) -> Array:
        """How many lanes are equal, (N, rows, columns, rows of the array)."""
        shape = self._shape
        bits = [(found >> np.uint32(lane)).astype(np.int64) & 1 for lane in range(shape.lanes)]
        if own:
            return np.stack([bits[row] ^ 1 ^ int(weights[row] & 1) for row in range(shape.rows)], axis=-1)
        # The weights are coded for a popcount: what they were is what codes to them.
        plain = self._decoded(weights)
        equal = np.array((~(found[..., None].astype(np.int64) ^ plain)) & ((1 << shape.lanes) - 1), np.uint64)
        return np.bitwise_count(equal).astype(np.int64)

    def _decoded(self, weights: Array) -> Array:
        lanes = [weights >> lane & 1 for lane in range(self._shape.lanes)]
        for lane in self._coding.parities:
            lanes[lane] = lanes[lane] ^ lanes[lane - 1] ^ lanes[lane + 1]
        for lane in self._coding.inverted:
            lanes[lane] = lanes[lane] ^ 1
        return sum((bit << lane for lane, bit in enumerate(lanes)), np.zeros_like(weights))

    def _wrapped(self, sums: Array) -> Array:
        half = 1 << (self._shape.width - 1)
        return ((sums + half) & (2 * half - 1)) - half

    def _output(self, entry: dict[str, int]) -> list[Words]:
        lanes, planes = self._shape.lanes, entry["planes"]
        words = self._memory[:, entry["base"] : entry["base"] + entry["groups"] * planes, 0]
        if entry["rank"]:
            self._rank(words.reshape(len(words), entry["groups"], planes), lanes, entry["tail"])
        sent = list(words.T) if entry["send"] else []
        return [*sent, self._label.astype(np.uint32)] if entry["final"] else sent

    def _rank(self, words: Words, lanes: int, tail: int) -> None:
        """The first of the largest binary numbers whose bits are the words, the highest first."""
        bits = (words[..., None] >> np.arange(lanes, dtype=np.uint32) & 1).astype(np.int64)
        weights = 1 << np.arange(words.shape[2] - 1, -1, -1)
        numbers = np.tensordot(bits, weights, axes=([2], [0])).reshape(len(words), -1)
        self._label = numbers[:, : numbers.shape[1] - lanes + tail].argmax(axis=1)


def _run(slot: dict[str, int]) -> list[dict[str, int]]:
    """The slots that one stands for."""
    return [
        {**slot, "offset": slot["offset"] + k, "word": slot["word"] + (0 if slot["same"] else k)}
        for k in range(slot["run"] + 1)
    ]
