"""Width converter (DWC): from beats of some lanes to beats of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from bnnhw.units.base import Features, Unit
from bnnhw.units.cycle_model import (
    CLOSING,
    ENDLESS,
    GOING,
    NOTHING,
    STALLED,
    TAKEN,
    Beat,
    CycleModel,
    Direct,
    Wire,
)

# Chunks of a beat from which on they are shifted into their places, where beats are always full.
SHIFTED = 16


@dataclass(frozen=True)
class WidthConverter(Unit):
    """From `i_lanes` to `o_lanes` lanes of `lane_bits` bits a beat, of each of `vectors` vectors of `elements`."""

    lane_bits: int
    elements: int
    i_lanes: int
    o_lanes: int
    vectors: int = 1

    @property
    def wires(self) -> bool:
        """Whether there is nothing to convert."""
        return self.i_lanes == self.o_lanes

    @property
    def chunk(self) -> int:
        """Lanes that move together."""
        return gcd(self.i_lanes, self.o_lanes)

    @property
    def latency(self) -> int:
        return int(self.o_lanes > self.chunk)

    def cycles(self, vectors: int) -> int:
        """Cycles that `vectors` vectors take, the first beat not waited for."""
        return vectors * -(-self.elements // self.chunk) - self.i_lanes // self.chunk

    def cycle_model(self) -> CycleModel:
        cut = CutBeats(self.i_lanes // self.chunk, -(-self.elements // self.chunk))
        collected = CollectedChunks(self.o_lanes // self.chunk)
        if self.i_lanes == self.chunk:
            return Wire() if self.o_lanes == self.chunk else collected
        return cut if self.o_lanes == self.chunk else Chain(cut, collected)

    def features(self) -> Features:
        features: Features = {}
        if self.i_lanes > self.chunk:
            features["cut_bit"] = self.vectors * self.lane_bits * self.i_lanes
        if self.o_lanes > self.chunk:
            places = self.o_lanes // self.chunk
            shifted = places >= SHIFTED and -(-self.elements // self.chunk) % places == 0
            features["shift_bit" if shifted else "collect_bit"] = self.vectors * self.lane_bits * self.o_lanes
        return features


class CutBeats(CycleModel):
    """The half that cuts beats of `per_beat` chunks; a vector is `chunks` chunks."""

    __slots__ = ("_final", "_index", "_per_beat")

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


class CollectedChunks(Direct):
    """The half that collects chunks into beats of `per_beat`."""

    __slots__ = ("_index", "_per_beat")

    def __init__(self, per_beat: int) -> None:
        super().__init__()
        self._per_beat = per_beat
        self._index = 0

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return 1 if inputs[0][1] or self._out is not NOTHING else self._per_beat - self._index
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


class Chain(CycleModel):
    """Both halves, one behind the other, as one."""

    __slots__ = ("_between", "_first", "_ready", "_second")

    def __init__(self, first: CycleModel, second: CycleModel) -> None:
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
