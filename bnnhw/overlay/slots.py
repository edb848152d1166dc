"""The slots of a pass: what the array does for each group of pixels, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.weight_coding import MatchCoding
from bnnhw.layer_table import ADDRESS_BITS, DOUBLE_DISTANCE, EMIT_DISTANCE, MAX_RUN, EngineShape
from bnnhw.overlay.products import Block, Count

Array = NDArray[np.int64]
Slot = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Part:
    """What the array does in a pass.

    Parameters
    ----------
    slots
        For each group of pixels.
    words
        (passes, words, rows) of the weight caches.
    """

    slots: tuple[Slot, ...]
    words: NDArray[np.uint64]


class PassBuilder:
    """Slots, and the words of the weight caches that they use.

    Several passes have the same slots and different words.

    Parameters
    ----------
    shape
        The engine's.
    passes
        How many have these slots.
    base
        Line that the offsets of what is read are counted from.
    """

    def __init__(self, shape: EngineShape, passes: int, base: int) -> None:
        self.shape = shape
        self._passes = passes
        self._base = base
        self._coding = MatchCoding.of(shape.lanes, shape.family, spare=False)
        self._words: dict[bytes, int] = {}
        self._columns: list[NDArray[np.uint64]] = []
        self._changed = 0  # the slot that last changed the sum
        self._emitted = -EMIT_DISTANCE
        self._level: Array = np.zeros((), np.int64)  # what was taken from the sum
        self.slots: list[Slot] = []

    def count(self, counts: Sequence[Count]) -> None:
        """A new sum: of `counts`, the highest exponents first, in units of the lowest."""
        self._level = np.zeros((), np.int64)
        exponent = counts[0].exponent
        for k, count in enumerate(counts):
            for _ in range(exponent - count.exponent - 1):
                self.double()
            self._slot(**self._read(count), word=self._word(self._weight(count)), first=int(k == 0))
            if count.exponent < exponent:
                # It doubles the sum without the count that came between.
                self._slot(double=1)
            exponent = count.exponent

    def double(self) -> None:
        """Twice the sum."""
        while len(self.slots) - self._changed < DOUBLE_DISTANCE:
            self.slots.append({})
        self._slot(double=1)

    def add(self, numbers: Array, **flags: int) -> None:
        """Adds `numbers` (passes, rows) to the sums, in one slot or more; the last of them has the `flags`."""
        low, high = -(1 << (self.shape.lanes - 1)), (1 << (self.shape.lanes - 1)) - 1
        rest = numbers.astype(np.int64)
        while True:
            now = np.clip(rest, low, high)
            rest = rest - now
            done = not rest.any()
            self._slot(add=1, word=self._word(now & ((1 << self.shape.lanes) - 1)), **(flags if done else {}))
            if done:
                return

    def toggles(self, levels: Sequence[Array], place: int) -> None:
        """A word whose bits change, from 0 on, at each of the `levels` (passes, rows) that the sum reaches; it goes to
        line `place`. The sum stays less the last level."""
        for k, level in enumerate(levels):
            numbers = (self._level - level).astype(np.int64)
            self._level = level
            self.toggle(numbers, fresh=k == 0, place=place if k == len(levels) - 1 else None)

    def toggle(self, numbers: Array, *, fresh: bool, place: int | None) -> None:
        """Adds `numbers` to the sums, and changes the bits of those that are not negative then; where there is a
        `place` for it, the word is complete."""
        if place is not None:
            self._await_emit()
        self.add(numbers, toggle=1, fresh=int(fresh), **({} if place is None else self._emit(place)))

    def bits(self, places: Sequence[int], *, signed: bool) -> None:
        """The highest bits of the sum, each a word that goes to one of the lines `places`; the very first of them the
        other way round if it is `signed`."""
        for k, place in enumerate(places):
            self._await_emit()
            doubled = {"double": 1} if k else {}
            below = int(k > 0 or not signed)
            self._slot(**doubled, toggle=1, below=below, fresh=1, **self._emit(place))

    def finish(self) -> Part:
        """All slots, enough of them that the next group of pixels gives its first word late enough."""
        first = next(place for place, slot in enumerate(self.slots) if slot.get("emit"))
        while first + len(self.slots) - self._emitted < EMIT_DISTANCE:
            self.slots.append({})
        return self._part(self.slots)

    def split(self) -> list[Part]:
        """All slots in parts that the engine has room for: where there is one group of pixels, sums stay from pass to
        pass."""
        parts: list[list[Slot]] = [[]]
        words: set[int] = set()
        runs: list[dict[str, int]] = []
        for place, slot in enumerate(self.slots):
            # A sum that is doubled without what came between must not have a pass's end there.
            atom = self.slots[place : place + 2]
            atom = atom if len(atom) == 2 and atom[1].get("double") else atom[:1]
            new = words | {other["word"] for other in atom if "word" in other}
            if not slot.get("double") and (len(new) > self.shape.weights or len(runs) + len(atom) > self.shape.slots):
                parts.append([])
                words, runs = set(), []
            words |= {slot["word"]} if "word" in slot else set()
            _join(runs, slot)
            parts[-1].append(slot)
        return [self._part(part) for part in parts]

    def _part(self, slots: Sequence[Slot]) -> Part:
        """Slots that read line after line as one, and their words alone, in the order of their use."""
        places: dict[int, int] = {}
        runs: list[dict[str, int]] = []
        for slot in slots:
            placed = {"word": places.setdefault(slot["word"], len(places))} if "word" in slot else {}
            _join(runs, {**slot, **placed})
        none = np.zeros((self._passes, 0, self.shape.rows), np.uint64)
        words = np.stack([self._columns[word] for word in places], axis=1) if places else none
        return Part(tuple(runs), words)

    # ---- the parts of a slot ---------------------------------------------------------------------

    def _slot(self, **values: int) -> None:
        self._changed = len(self.slots)
        if values.get("emit"):
            self._emitted = len(self.slots)
        self.slots.append(values)

    def _await_emit(self) -> None:
        while len(self.slots) - self._emitted < EMIT_DISTANCE:
            self.slots.append({})

    def _emit(self, place: int) -> dict[str, int]:
        return {"emit": 1, "offset": place}

    def _read(self, count: Count) -> dict[str, int]:
        block = count.block
        store = block.store
        offset = store.base - self._base + block.down * store.row_lines + store.offset(count.plane, block.group)
        return {
            "count": int(not block.own),
            "own": int(block.own),
            "offset": offset % (1 << ADDRESS_BITS),
            "down": block.down,
            "across": block.across + store.taps - 1,
            "fill": _fill(block, count.plane),
            "edge": int(block.group == store.groups - 1),
        }

    def _weight(self, count: Count) -> NDArray[np.int64]:
        """The words (passes, rows) of the bits of a count's weights."""
        if count.block.own:
            return count.signs.astype(np.int64)
        lanes = self._coding.weights([count.signs[..., lane].astype(np.int64) for lane in range(self.shape.lanes)])
        return sum((bits << lane for lane, bits in enumerate(lanes)), np.zeros(count.signs.shape[:-1], np.int64))

    def _word(self, words: Array) -> int:
        """The place of these words (passes, rows) in the caches."""
        column = np.broadcast_to(words, (self._passes, self.shape.rows)).astype(np.uint64)
        key = column.tobytes()
        if key not in self._words:
            self._words[key] = len(self._columns)
            self._columns.append(column)
        return self._words[key]


def _join(runs: list[dict[str, int]], slot: Slot) -> None:
    """Puts `slot` behind `runs`, as one more of the last of them where it continues that."""
    if not (runs and _continues(runs[-1], slot)):
        runs.append({**slot, "run": 0})
        return
    run = runs[-1]
    run["same"] = int(slot.get("word") == run.get("word"))
    run["run"] += 1


def _continues(run: Slot, slot: Slot) -> bool:
    """Whether `slot` is the next one of a run."""
    past = run["run"] + 1
    apart = {"offset", "word", "run", "same"}
    if past > MAX_RUN or {k: v for k, v in slot.items() if k not in apart} != {
        k: v for k, v in run.items() if k not in apart
    }:
        return False
    # Lines follow each other where lines are read; nothing that is given may be part of a run.
    lines = slot.get("offset", 0) == run.get("offset", 0) + past if slot.get("count") else "offset" not in slot
    steps = {0, 1} if past == 1 else {1 - run["same"]}
    return lines and slot.get("word", 0) - run.get("word", 0) in {past * step for step in steps}


def _fill(block: Block, plane: int) -> int:
    encoding = block.store.encoding
    dtype = encoding.dtype
    value = block.padding if dtype.contains(block.padding) else dtype.min
    return int(encoding.bits(np.array(value))[plane])
