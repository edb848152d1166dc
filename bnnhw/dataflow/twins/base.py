"""What all twins share, and those that hold nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

Beat = tuple[bool, bool]  # whether one is offered, and whether it closes a vector

NONE: Beat = (False, False)
MORE: Beat = (True, False)
LAST: Beat = (True, True)

# Nothing changes any more, unless something else does.
ENDLESS = 1 << 60

# What is handed out is made once: callers read it and leave it as it is.
NOTHING, GOING, CLOSING = [NONE], [MORE], [LAST]
TAKEN, STALLED = [True], [False]


class Twin(ABC):
    """One unit's control. Within a cycle: `offers` forwards, then `accepts` backwards, then `step`."""

    __slots__ = ()

    # Whether nothing changes in a unit with one input and one output while neither has a beat.
    reactive = False

    @abstractmethod
    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        """What each output offers, given what each input is offered."""

    @abstractmethod
    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        """Whether each input takes the beat offered to it, if there is one, given whether each output's is taken."""

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        """How many clock edges like this one may come at once, since offers and accepts stay as they are till then."""
        return 1 if True in took or True in gave else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        """The clock edge, given the inputs and outputs over which a beat went; `times` edges alike, see `leap`."""


class Source(Twin):
    """Frames of `beats` beats without a gap; the frame guard adds nothing to whole frames."""

    __slots__ = ("_beat", "_beats")

    def __init__(self, beats: int) -> None:
        self._beats = beats
        self._beat = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return CLOSING if self._beat == self._beats else GOING

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ()

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return max(1, self._beats - self._beat) if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._beat = 1 if self._beat == self._beats else self._beat + times


class Registered(Twin):
    """A unit that offers what stands in a register at its one output."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        self._out = NOTHING

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out


class Wire(Twin):
    """A unit without registers: one threshold."""

    __slots__ = ()
    reactive = True

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return ENDLESS


class Chain(Twin):
    """Two units of one input and one output each, one behind the other, as one."""

    __slots__ = ("_between", "_first", "_ready", "_second")

    def __init__(self, first: Twin, second: Twin) -> None:
        self._first, self._second = first, second
        self._between: Sequence[Beat] = NOTHING
        self._ready: Sequence[bool] = STALLED

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        self._between = self._first.offers(inputs)
        return self._second.offers(self._between)

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        self._ready = self._second.accepts(self._between, ready)
        return self._first.accepts(inputs, self._ready)

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        moved = TAKEN if self._ready[0] and self._between[0][0] else STALLED
        return min(self._first.leap(took, inputs, moved), self._second.leap(moved, self._between, gave))

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        moved = TAKEN if self._ready[0] and self._between[0][0] else STALLED
        between = self._between
        self._first.step(took, inputs, moved, times)
        self._second.step(moved, between, gave, times)
