"""What a wrapper shows to the design around it: its signals, and what its streams carry. Plain numbers, no circuits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bnnhw.generate.ports import Ports


@dataclass(frozen=True)
class Signal:
    """A port of the module.

    Parameters
    ----------
    bits
        Its width.
    meaning
        In a few words, for the page of a package.
    """

    name: str
    bits: int
    direction: Literal["input", "output"]
    meaning: str


@dataclass(frozen=True)
class Channel:
    """A stream of beats: a beat is passed at a clock edge at which `valid` and `ready` are high.

    Parameters
    ----------
    valid, ready
        The handshake.
    fields
        What a beat carries. A *word* is all of them in one number, the first in the low bits.
    """

    valid: Signal
    ready: Signal
    fields: tuple[Signal, ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        return (*self.fields, self.valid, self.ready)

    @property
    def bits(self) -> int:
        """Of a word."""
        return sum(signal.bits for signal in self.fields)

    def word(self, *values: int) -> int:
        """The word with these values of the fields, in their order."""
        word = position = 0
        for signal, value in zip(self.fields, values, strict=True):
            word |= value << position
            position += signal.bits
        return word


@dataclass(frozen=True)
class Beat:
    """A beat that the accelerator gives: its word, and which bits of it mean anything."""

    word: int
    mask: int


class Bus:
    """What the design around an accelerator sees of it.

    Members
    -------
    name : str
        As the user calls the bus.
    ports : Ports
        The streams of the accelerator inside.
    clock, reset : Signal
    reset_active : int
        The level of `reset` that resets.
    """

    name: ClassVar[str]
    clock: ClassVar[Signal]
    reset: ClassVar[Signal]
    reset_active: ClassVar[int]

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All ports of the module, in the order in which the page and the template list them."""
        raise NotImplementedError

    @property
    def handshake(self) -> str:
        """How data passes, for the page: Markdown."""
        raise NotImplementedError

    @property
    def frame_layout(self) -> str:
        """How a frame is sent, for the page: Markdown."""
        raise NotImplementedError

    @property
    def result_layout(self) -> str:
        """How a result comes, for the page: Markdown."""
        raise NotImplementedError


class StreamBus(Bus):
    """A bus of one stream of frames in and one of results out.

    Members
    -------
    input, output : Channel
    """

    @property
    def input(self) -> Channel:
        raise NotImplementedError

    @property
    def output(self) -> Channel:
        raise NotImplementedError

    @property
    def signals(self) -> tuple[Signal, ...]:
        return (self.clock, self.reset, *self.input.signals, *self.output.signals)

    @property
    def handshake(self) -> str:
        i, o = self.input, self.output
        return (
            f"A beat passes at each rising edge of `{self.clock.name}` at which valid and ready are both 1. Valid "
            "never waits for ready, and a beat that is offered stays as it is until it is taken; the module expects "
            f"the same of the sender. `{i.ready.name}` may depend on `{i.valid.name}` and `{o.ready.name}` within the "
            "cycle.\n\n"
            f"A frame ends with the beat that has `{i.fields[-1].name}`. One with too few or too many beats is "
            "answered like any other, with the error bit set and integers that mean nothing; the frames around it are "
            "not touched."
        )

    def sent(self, values: NDArray[np.integer]) -> list[list[int]]:
        """The words of the beats of each frame of integers (N, ...)."""
        raise NotImplementedError

    def answered(self, integers: NDArray[np.integer], label: int, *, error: bool = False) -> list[Beat]:
        """The beats of one result; of a damaged frame the integers mean nothing.

        Parameters
        ----------
        integers
            (elements,), those of the last layer.
        """
        raise NotImplementedError


def counted(number: int, what: str) -> str:
    """`number` of what is counted, in words of the page."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def placed(what: str, lanes: int, bits: int, net: str) -> str:
    """Where the elements of a beat `b` lie in the bits of a net: Markdown."""
    if lanes == 1:
        return f"{what} `b` in `{net}[{bits - 1}:0]`"
    return (
        f"the {what}s `{lanes}*b` to `{lanes}*b + {lanes - 1}`, {what} `{lanes}*b + k` in `{net}[{bits}*k +: {bits}]`"
    )


def lanes_of(integers: NDArray[np.integer], lanes: int) -> list[Sequence[int]]:
    """The integers of each beat; the last may have fewer than `lanes`."""
    flat = [int(value) for value in np.asarray(integers).reshape(-1)]
    return [flat[start : start + lanes] for start in range(0, len(flat), lanes)]


def packed(values: Sequence[int], bits: int) -> int:
    """`values` in two's complement, `bits` each, the first in the low bits."""
    mask = (1 << bits) - 1
    return sum((value & mask) << (k * bits) for k, value in enumerate(values))
