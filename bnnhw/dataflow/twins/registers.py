"""Twins of units with a register at their output."""

from __future__ import annotations

from collections.abc import Sequence

from bnnhw.arithmetic.adder_graphs import Schedule
from bnnhw.dataflow.twins.base import CLOSING, ENDLESS, GOING, NOTHING, STALLED, TAKEN, Beat, Registered


class _Direct(Registered):
    """A unit whose inputs stall while a beat waits at its output."""

    __slots__ = ()

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if ready[0] or self._out is NOTHING else STALLED


class Register(_Direct):
    """A beat per cycle through one register: thresholds compared at once, offsets, label select."""

    __slots__ = ()
    reactive = True

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return ENDLESS if gave[0] and self._out is GOING and not inputs[0][1] else 1
        return 1 if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if took[0]:
            self._out = CLOSING if inputs[0][1] else GOING
        elif gave[0]:
            self._out = NOTHING


class Collect(_Direct):
    """The half of a width converter that collects chunks into beats of `per_beat`."""

    __slots__ = ("_index", "_per_beat")
    reactive = True

    def __init__(self, per_beat: int) -> None:
        super().__init__()
        self._per_beat = per_beat
        self._index = 0

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return 1 if inputs[0][1] or self._out is not NOTHING else max(1, self._per_beat - self._index - 1)
        return 1 if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._out = NOTHING
        if took[0]:
            self._index += times
            if inputs[0][1]:
                self._index, self._out = 0, CLOSING
            elif self._index == self._per_beat:
                self._index, self._out = 0, GOING


class Pool(_Direct):
    """One beat of each group of taps, `chunks` of them a pixel."""

    __slots__ = ("_chunk", "_chunks")
    reactive = True

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self._chunks = chunks
        self._chunk = 0

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return 1 if inputs[0][1] or self._out is not NOTHING else ENDLESS
        return 1 if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._out = NOTHING
        if took[0] and inputs[0][1]:
            self._chunk += 1
            self._out = GOING
            if self._chunk == self._chunks:
                self._chunk, self._out = 0, CLOSING


class Add(Register):
    """A beat of `inputs` streams at a time through one register."""

    __slots__ = ("_stalled", "_taken")
    reactive = False  # what it waits for may be at one of its inputs only

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self._taken, self._stalled = [True] * inputs, [False] * inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        if not ready[0] and self._out is not NOTHING:
            return self._stalled
        for valid, _ in inputs:
            if not valid:
                return self._stalled
        return self._taken


class MatrixVectorUnit(Registered):
    """`nf` passes of `sf` beats a vector; `stages` registers from a pass's last beat to its sums, the output's not
    counted. The output is a register of its own, or without `registered` the last accumulators, which cannot go on
    while it waits."""

    __slots__ = ("_beat", "_nf", "_pass", "_pipe", "_registered", "_sf")

    def __init__(self, sf: int, nf: int, stages: int, *, registered: bool) -> None:
        super().__init__()
        self._sf, self._nf, self._registered = sf, nf, registered
        self._beat = self._pass = 0
        self._pipe = [NOTHING] * stages  # ends of passes, the oldest last

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if ready[0] or self._out is NOTHING or self._goes_on else STALLED

    @property
    def _goes_on(self) -> bool:
        """Whether all before the output goes on although that waits."""
        return self._registered and self._pipe[-1] is NOTHING

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if not gave[0] and self._out is not NOTHING and not self._goes_on:
            return ENDLESS
        if gave[0] or any(entry is not NOTHING for entry in self._pipe):
            return 1
        return max(1, self._sf - self._beat - 1) if took[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] or self._out is NOTHING:
            self._out = self._pipe[-1]
        elif not self._goes_on:
            return
        entry = NOTHING
        if took[0]:
            self._beat += times
            if self._beat == self._sf:
                self._beat, entry = 0, GOING
                self._pass += 1
                if self._pass == self._nf:
                    self._pass, entry = 0, CLOSING
        self._pipe.insert(0, entry)
        self._pipe.pop()


class ConstantMatrixUnit(Registered):
    """The pipeline of a matrix folded into logic, and the FIFO at its end; only vectors for which there is a place come
    in."""

    __slots__ = ("_held", "_most", "_pipe", "_waiting")

    def __init__(self, pipeline: Schedule) -> None:
        super().__init__()
        self._most = pipeline.held
        self._pipe = [False] * pipeline.stages  # vectors on their way, the oldest last
        self._held = self._waiting = 0  # vectors in the unit, and of these in the FIFO's memory

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if self._held < self._most else STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        moves = took[0] or gave[0] or True in self._pipe or (self._waiting and self._out is NOTHING)
        return 1 if moves else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] or self._out is NOTHING:
            self._out = CLOSING if self._waiting else NOTHING
            self._waiting -= self._out is CLOSING
        self._waiting += self._pipe.pop()
        self._pipe.insert(0, took[0])
        self._held += took[0] - gave[0]


class Search(Registered):
    """The threshold unit that searches, `steps` cycles a beat."""

    __slots__ = ("_last", "_left", "_steps")

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps
        self._left = 0  # steps to go; 0 is idle
        self._last = False

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        idle = self._left == 0 or (self._left == 1 and (ready[0] or self._out is NOTHING))
        return TAKEN if idle else STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0] or gave[0]:
            return 1
        if self._left == 1:
            return 1 if self._out is NOTHING else ENDLESS
        return max(1, self._left - 1) if self._left else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] or self._out is NOTHING:
            self._out = NOTHING
            if self._left == 1:
                self._out, self._left = CLOSING if self._last else GOING, 0
        if self._left > 1:
            self._left -= times
        if took[0]:
            self._left, self._last = self._steps, inputs[0][1]
