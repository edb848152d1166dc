"""Twins of the units between which several frames go side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from bnnhw.dataflow.twins.base import CLOSING, ENDLESS, GOING, NONE, NOTHING, Beat, Twin


class FrameGather(Twin):
    """Up to `frames` vectors of `beats` beats, side by side `repeats` times; the sizes of groups at the second output.

    Attributes
    ----------
    sizes
        Of the groups that were told to the second output; its reader takes them out.
    crowded
        Vectors since the last group that was not full.
    """

    __slots__ = (
        "_beats",
        "_filled",
        "_frames",
        "_held",
        "_out",
        "_read",
        "_reads",
        "_size",
        "_told",
        "crowded",
        "sizes",
    )

    def __init__(self, beats: int, repeats: int, frames: int) -> None:
        self._beats, self._reads, self._frames = beats, beats * repeats, frames
        self._filled = self._held = self._read = self._size = 0
        self._out: Sequence[Beat] = NOTHING
        self._told = True  # whether the group's size was taken
        self.sizes: deque[int] = deque()
        self.crowded = 0

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return [self._out[0], NONE if self._told else CLOSING[0]]

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return [self._held < 2 * self._frames]

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if gave[1]:
            return 1
        most = max(1, self._beats - self._filled - 1) if took[0] else ENDLESS
        if gave[0] or self._out is NOTHING:
            if self._read:
                return min(most, max(1, self._reads - self._read - 1)) if self._out is GOING else 1
            if self._out is not NOTHING or (self._held and self._told):
                return 1
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        held = self._held
        self._told = self._told or gave[1]
        if took[0]:
            self._filled += times
            if self._filled == self._beats:
                self._filled = 0
                self._held += 1
        if not gave[0] and self._out is not NOTHING:
            return
        self._out = NOTHING
        if not self._read:
            if not held or not self._told:
                return
            self._size = min(self._frames, held)
            self._told = False
            self.sizes.append(self._size)
            self.crowded = self.crowded + self._size if self._size == self._frames else 0
        self._out = GOING
        self._read += times
        if self._read == self._reads:
            self._read, self._out = 0, CLOSING
            self._held -= self._size


class FrameScatter(Twin):
    """Groups in beats of all their vectors, given one after the other; `groups` sizes may wait.

    Attributes
    ----------
    sizes
        Of the groups whose sizes come to the second input: those of the gather.
    """

    __slots__ = ("_beat", "_beats", "_filled", "_full", "_groups", "_known", "_out", "_vector", "sizes")

    def __init__(self, beats: int, groups: int) -> None:
        self._beats, self._groups = beats, groups
        self._filled = self._full = self._beat = self._vector = 0
        self._known: deque[int] = deque()
        self._out: Sequence[Beat] = NOTHING
        self.sizes: deque[int] = deque()

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return [self._full < 2, len(self._known) < self._groups]

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[1]:
            return 1
        most = max(1, self._beats - self._filled - 1) if took[0] else ENDLESS
        if gave[0] or self._out is NOTHING:
            if self._full and self._known:
                return min(most, max(1, self._beats - self._beat - 1)) if self._out is GOING else 1
            if self._out is not NOTHING:
                return 1
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        goes = self._full and self._known
        if took[0]:
            self._filled += times
            if self._filled == self._beats:
                self._filled = 0
                self._full += 1
        if gave[0] or self._out is NOTHING:
            self._out = NOTHING
            if goes:
                self._out = GOING
                self._beat += times
                if self._beat == self._beats:
                    self._beat, self._out = 0, CLOSING
                    self._vector += 1
                    if self._vector == self._known[0]:
                        self._vector = 0
                        self._full -= 1
                        self._known.popleft()
        if took[1]:
            self._known.append(self.sizes.popleft())
