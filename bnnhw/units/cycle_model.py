"""Cycle models: the handshakes of units without their data, cycle by cycle.

A cycle model knows only when its unit offers a beat and when it takes one. Tests hold each against its circuit, to the
cycle. Here is what all of them share, and those that several units have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any

# Whether one is offered, whether it closes a vector, and a number that it carries where a unit depends on one.
Beat = tuple[bool, bool, int]

NONE: Beat = (False, False, 0)
MORE: Beat = (True, False, 0)
LAST: Beat = (True, True, 0)

# Nothing changes any more, unless something else does.
ENDLESS = 1 << 60

# What is handed out is made once: callers read it and leave it as it is.
NOTHING, GOING, CLOSING = [NONE], [MORE], [LAST]
TAKEN, STALLED = [True], [False]


class CycleModel(ABC):
    """One unit's control. Within a cycle: `offers` forwards, then `accepts` backwards, then `step`."""

    __slots__ = ()

    # Attributes that tell of what was, and decide nothing.
    records: tuple[str, ...] = ()

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

    def state(self) -> tuple[Any, ...]:
        """All that decides what it will do."""
        names = (name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ()))
        return tuple(_frozen(getattr(self, name)) for name in names if name not in self.records)


def _frozen(value: Any) -> Any:
    if isinstance(value, CycleModel):
        return value.state()
    return tuple(_frozen(entry) for entry in value) if isinstance(value, (list, tuple, deque)) else value


class Registered(CycleModel):
    """A unit that offers what stands in a register at its one output."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        self._out = NOTHING

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out


class Direct(Registered):
    """A unit with inputs that stall while a beat waits at its output."""

    __slots__ = ()

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if ready[0] or self._out is NOTHING else STALLED


class Register(Direct):
    """A beat per cycle through one register."""

    __slots__ = ()

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return ENDLESS if gave[0] and self._out is GOING and not inputs[0][1] else 1
        return 1 if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if took[0]:
            self._out = CLOSING if inputs[0][1] else GOING
        elif gave[0]:
            self._out = NOTHING


class Wire(CycleModel):
    """A unit without registers that leaves beats as they are."""

    __slots__ = ()

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return ENDLESS


class DoubleBuffer(Registered):
    """Two places: what is complete in one goes out while the other fills."""

    __slots__ = ("_full",)

    def __init__(self) -> None:
        super().__init__()
        self._full = 0

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if self._full < 2 else STALLED

    @abstractmethod
    def _come(self, times: int) -> None:
        """Takes beats; a place is full with its last one."""

    @abstractmethod
    def _go(self, times: int) -> None:
        """Gives beats; a place is free with its last one."""

    @abstractmethod
    def _to_come(self) -> int:
        """Beats until a place is full."""

    @abstractmethod
    def _to_go(self) -> int:
        """Beats until one closes something."""

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        most = self._to_come() if took[0] else ENDLESS
        if gave[0] or self._out is NOTHING:
            if self._full:
                return min(most, self._to_go()) if self._out is GOING else 1
            if self._out is not NOTHING:
                return 1
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        full = self._full
        if took[0]:
            self._come(times)
        if gave[0] or self._out is NOTHING:
            self._out = NOTHING
            if full:
                self._out = GOING
                self._go(times)
