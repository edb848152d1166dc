"""FIFO: beats that wait between two units; of two beats, a skid buffer."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.parts import Part
from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, STALLED, TAKEN, Beat, Registered
from bnnhw.units.memories import block_rams, written_kind


@dataclass(frozen=True)
class StreamFifo(Unit):
    """Keeps up to `depth` beats of `width` bits, and one more at the output."""

    width: int
    depth: int
    kind: str

    @property
    def latency(self) -> int:
        return 2

    def cycle_model(self) -> WaitingBeats:
        return WaitingBeats(self.depth)

    def features(self) -> Features:
        waiting = self.depth * self.width if self.kind == "registers" else 0.0
        return {"fifo": 1.0, "fifo_bit": self.width, "buffer_bit": waiting}

    def block_rams(self, part: Part) -> int:
        return block_rams(part, self.width + 1, self.depth) if self.kind == "block" else 0


def skid_buffer(width: int, family: str) -> StreamFifo:
    """A FIFO of two beats, behind which a stall begins anew in a register."""
    return StreamFifo(width, 2, written_kind("lut", family))


class WaitingBeats(Registered):
    """`depth` beats, and one at the output.

    Attributes
    ----------
    deepest
        The least depth with which none had to wait.
    """

    __slots__ = ("_depth", "_held", "deepest")
    records = ("deepest",)

    def __init__(self, depth: int) -> None:
        super().__init__()
        self._depth = depth
        self.deepest = 0
        self._held: deque[list[Beat]] = deque()

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if len(self._held) < self._depth else STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return 1 if took[0] or gave[0] or (self._held and self._out is NOTHING) else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if took[0]:
            self.deepest = max(self.deepest, len(self._held) + 1)
        if gave[0] or self._out is NOTHING:
            self._out = self._held.popleft() if self._held else NOTHING
        if took[0]:
            self._held.append(CLOSING if inputs[0][1] else GOING)
