"""Twins of units that pass beats on as they come."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from bnnhw.dataflow.twins.base import CLOSING, ENDLESS, GOING, NONE, NOTHING, STALLED, TAKEN, Beat, Chain, Twin, Wire
from bnnhw.dataflow.twins.registers import Collect


class Cut(Twin):
    """The half of a width converter that cuts beats of `per_beat` chunks; a vector is `chunks` chunks."""

    __slots__ = ("_final", "_index", "_per_beat")
    reactive = True

    def __init__(self, per_beat: int, chunks: int) -> None:
        self._per_beat, self._final = per_beat, (chunks - 1) % per_beat + 1
        self._index = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        if not inputs[0][1]:
            return inputs
        return CLOSING if self._index == self._final else GOING

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        ends = self._index == (self._final if inputs[0][1] else self._per_beat)
        return ready if ends else STALLED

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._index = 1 if took[0] else self._index + 1


def width_converter(elements: int, i_lanes: int, o_lanes: int) -> Twin:
    """From `i_lanes` to `o_lanes` lanes a beat, `elements` a vector: a cut, a collection, both or none."""
    chunk = gcd(i_lanes, o_lanes)
    cut = Cut(i_lanes // chunk, -(-elements // chunk))
    collect = Collect(o_lanes // chunk)
    if i_lanes == chunk:
        return Wire() if o_lanes == chunk else collect
    return cut if o_lanes == chunk else Chain(cut, collect)


class Fork(Twin):
    """Each beat to `readers` readers, to each in its own time."""

    __slots__ = ("_done",)

    def __init__(self, readers: int) -> None:
        self._done = [False] * readers

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        beat = inputs[0]
        return [NONE if done else beat for done in self._done]

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        for done, takes in zip(self._done, ready, strict=True):
            if not (done or takes):
                return STALLED
        return TAKEN

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return 1 if True in self._done else ENDLESS
        return 1 if True in gave else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        for k, given in enumerate(gave):
            if took[0]:
                self._done[k] = False
            elif given:
                self._done[k] = True


class Concat(Twin):
    """A vector of each of `inputs` streams in turn, made one."""

    __slots__ = ("_stalled", "_taken", "_turn")

    def __init__(self, inputs: int) -> None:
        self._turn = 0
        self._taken = [[k == turn for k in range(inputs)] for turn in range(inputs)]
        self._stalled = [False] * inputs

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        valid, last = inputs[self._turn]
        if not valid:
            return NOTHING
        return CLOSING if last and self._turn + 1 == len(self._taken) else GOING

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return self._taken[self._turn] if ready[0] else self._stalled

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return 1 if gave[0] and inputs[self._turn][1] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] and inputs[self._turn][1]:
            self._turn = (self._turn + 1) % len(self._taken)


class VectorJoin(Twin):
    """Every `vectors` vectors made one."""

    __slots__ = ("_index", "_vectors")
    reactive = True

    def __init__(self, vectors: int) -> None:
        self._vectors = vectors
        self._index = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        if inputs[0][1]:
            return CLOSING if self._index == self._vectors else GOING
        return inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return 1 if gave[0] and inputs[0][1] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] and inputs[0][1]:
            self._index = 1 if self._index == self._vectors else self._index + 1


class VectorSplit(Twin):
    """Every `beats` beats made a vector."""

    __slots__ = ("_beat", "_beats")
    reactive = True

    def __init__(self, beats: int) -> None:
        self._beats = beats
        self._beat = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        if inputs[0][0]:
            return CLOSING if self._beat == self._beats else GOING
        return NOTHING

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return max(1, self._beats - self._beat) if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._beat = 1 if self._beat == self._beats else self._beat + times
