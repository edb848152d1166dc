"""Program: what an engine is loaded with to run one network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.bits import pack_words, unpack_words
from bnnhw.layer_table import ENTRIES, HEADER, LINE_BITS, MAGIC, SUM_START, VERSION, EngineShape, Opcode, pack, unpack
from bnnhw.overlay.store import Store

Entry = tuple[Opcode, dict[str, int]]


@dataclass(frozen=True, eq=False)
class Program:
    """A network for an engine of one shape.

    Parameters
    ----------
    shape
        The engine's.
    model, digest
        The graph's name, and the digest of all that it computes.
    lines
        What goes into the memory from line 0 on, (lines, banks) words: header, layer table, slots and weights.
    input
        What a frame becomes.
    result
        The last layer's integers, as they are sent.
    memory
        Lines that it takes, the program itself and all maps.
    """

    shape: EngineShape
    model: str
    digest: str
    lines: NDArray[np.uint32]
    input: Store
    result: Store
    memory: int

    # ---- frames ----------------------------------------------------------------------------------

    def frames(self, values: NDArray[np.integer]) -> list[list[int]]:
        """The words of each frame of integers (N, ...): see `bnnhw.gateware.engine.input`.

        Raises
        ------
        ValueError
            If a value is not one of the input's format.
        """
        store = self.input
        maps = values.reshape(len(values), store.height, store.width, store.channels)
        planes = store.encoding.bits(maps)  # planes, N, rows, columns, channels
        lanes = self.shape.lanes
        found: list[list[int]] = [[] for _ in range(len(values))]
        for row in range(store.height):
            for plane in range(store.encoding.planes):
                for group in range(-(-store.channels // lanes)):
                    bits = planes[plane, :, row, :, group * lanes : (group + 1) * lanes]
                    if bits.shape[-1] < lanes:
                        # They come bit by bit, so that the first one comes to be in the highest lane.
                        bits = bits[:, :, ::-1]
                    flat = bits.reshape(len(values), -1)
                    padded = np.pad(flat, [(0, 0), (0, -flat.shape[1] % lanes)]).astype(np.int64)
                    for frame, some in zip(found, padded.reshape(len(values), -1, lanes), strict=True):
                        frame += pack_words(some, 1)
        return found

    def results(self, answers: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The integers (N, channels) and labels (N,) in answers of an engine: words of planes, and the label."""
        store, lanes = self.result, self.shape.lanes
        integers = np.zeros((len(answers), store.groups, lanes), np.int64)
        weights = list(reversed(store.encoding.weights))
        for sample, answer in enumerate(answers):
            bits = unpack_words(answer[:-1], 1, lanes).reshape(store.groups, len(weights), lanes)
            integers[sample] = np.tensordot(bits, np.array(weights), axes=([1], [0])) + store.encoding.offset
        labels = np.array([answer[-1] for answer in answers], np.int64)
        return integers.reshape(len(answers), -1)[:, : store.channels], labels

    # ---- what it is made of ----------------------------------------------------------------------

    @property
    def entries(self) -> list[Entry]:
        """The layer table."""
        return decoded(self.shape, self.lines)

    @property
    def image(self) -> list[int]:
        """What is loaded: the words of all lines, and two sums of them."""
        words = self.lines.reshape(-1).tolist()
        return [*words, *checksum(words, self.shape.lanes)]


def checksum(words: Sequence[int], bits: int) -> tuple[int, int]:
    """The two words that follow a program's: with them, the sum of all words is zero, and so is the sum of the sums up
    to each of them, in which order counts."""
    mask, first, second = (1 << bits) - 1, SUM_START, SUM_START
    for word in words:
        first = (first + word) & mask
        second = (second + first) & mask
    last = -(first + second) & mask
    return last, -(first + last) & mask


def line_words(shape: EngineShape, lines: Sequence[int]) -> NDArray[np.uint32]:
    """Lines of fields as words (lines, banks)."""
    mask = (1 << shape.lanes) - 1
    return np.array([[line >> shape.lanes * k & mask for k in range(shape.banks)] for line in lines], np.uint32)


def line_value(shape: EngineShape, words: NDArray[np.uint32]) -> int:
    """The fields of a line of words (banks,)."""
    line = sum(int(word) << shape.lanes * k for k, word in enumerate(words))
    return line & ((1 << LINE_BITS) - 1)


def header(shape: EngineShape, lines: int) -> int:
    """A program's first line."""
    return pack(HEADER, {"version": VERSION, "magic": MAGIC, "lines": lines, "engine": shape.fingerprint})


def decoded(shape: EngineShape, lines: NDArray[np.uint32]) -> list[Entry]:
    """The layer table of a program: from line 1 to its END."""
    found: list[Entry] = []
    for words in lines[1:]:
        line = line_value(shape, words)
        opcode = Opcode(line & 15)
        found.append((opcode, unpack(ENTRIES[opcode], line)))
        if opcode is Opcode.END:
            return found
    raise ValueError("a layer table without an end")
