"""Slice: some beats of a frame, the others dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, TAKEN, Beat, CycleModel
from bnnhw.units.memories import table_luts


@dataclass(frozen=True)
class Slice(Unit):
    """Passes beats of `width` bits that are kept and drops the others: `chunks` tells of each beat of a vector whether
    it is, `vectors` of each vector of a frame, or of a part of a frame that repeats."""

    width: int
    chunks: tuple[bool, ...]
    vectors: tuple[bool, ...]

    gives = "codes"

    @property
    def latency(self) -> int:
        return 0

    def cycle_model(self) -> CycleModel:
        return KeptBeats(self.chunks, self.vectors)

    def features(self) -> Features:
        tables = [kept for kept in (self.chunks, self.vectors) if len(kept) > 1]
        # Of each a counter, and what it keeps.
        return {"cut_bit": sum((len(kept) - 1).bit_length() + table_luts(len(kept)) for kept in tables) + 1.0}


class KeptBeats(CycleModel):
    """The kept beats of vectors, and those of kept vectors only."""

    __slots__ = ("_beat", "_runs")

    def __init__(self, chunks: tuple[bool, ...], vectors: tuple[bool, ...]) -> None:
        self._beat = 0
        self._runs = _runs(chunks, vectors)

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        given, _ = self._runs[self._beat]
        return given if inputs[0][0] else NOTHING

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if self._runs[self._beat][0] is NOTHING else ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return self._runs[self._beat][1] if took[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if took[0]:
            self._beat = (self._beat + times) % len(self._runs)


@lru_cache(maxsize=64)
def _runs(chunks: tuple[bool, ...], vectors: tuple[bool, ...]) -> list[tuple[Sequence[Beat], int]]:
    """What becomes of each beat, and how many from it on become the same."""
    last = max(k for k, kept in enumerate(chunks) if kept)
    made = [
        (CLOSING if k == last else GOING) if kept and vector else NOTHING
        for vector in vectors
        for k, kept in enumerate(chunks)
    ]
    runs: list[tuple[Sequence[Beat], int]] = []
    length = 0
    for k in reversed(range(len(made))):
        length = length + 1 if k + 1 < len(made) and made[k] is made[k + 1] else 1
        runs.append((made[k], length))
    return runs[::-1]
