"""Cycles of a plan: the handshakes of its units, run without their data.

Every unit of the gateware has a twin here that knows only when it offers a beat and when it takes one. Running the
twins gives latency and interval just as the hardware has them, stalls included; tests hold the two against each
other, to the cycle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import gcd

from bnnhw.dataflow.layers import Layer, Network
from bnnhw.dataflow.plan import LayerPlan, Plan

# A threshold unit compares up to so many thresholds at once and searches more.
MOST_PARALLEL_THRESHOLDS = 3


@dataclass(frozen=True)
class Cycles:
    """Cycles of a plan.

    Parameters
    ----------
    latency
        From the cycle that takes a frame's first beat to the one that gives its last, on an idle accelerator.
    interval
        Between the last beats of two frames, frames following each other without a gap and nothing stalling outside.
    """

    latency: int
    interval: int


def popcount_latency(width: int, levels: int | None) -> int:
    """Registers in a popcount of `width` bits with one after every so many `levels` of its tree."""
    if levels is None or width == 1:
        return 0
    height = 1
    while width > 3:
        height, width = height + 1, width // 2
    return -(-height // levels)


def search_steps(thresholds: int) -> int:
    """Cycles that a threshold unit takes per beat."""
    return 1 if thresholds <= MOST_PARALLEL_THRESHOLDS else thresholds.bit_length()


def measure(plan: Plan, network: Network) -> Cycles:
    """Latency and interval of `plan`, from a run of as many frames as the units can hold, and until three intervals
    agree."""
    source, *units = chain = _chain(plan, network)
    assert isinstance(source, _Source)
    ends: list[int] = []
    cycle = 0
    enough = 2 * len(plan.layers) + 4
    while len(ends) < enough or len({b - a for a, b in zip(ends[-4:-1], ends[-3:], strict=True)}) > 1:
        offers = [(True, source.closes())]
        for unit in units:
            offers.append(unit.offer(*offers[-1]))
        ready = True
        taken = [ready]
        for unit, (valid, last) in zip(reversed(units), reversed(offers[:-1]), strict=True):
            ready = unit.accept(valid, last, ready)
            taken.append(ready)
        taken.reverse()
        if offers[-1] == (True, True):
            ends.append(cycle)
        for k, unit in enumerate(chain):
            inward = offers[k - 1] if k else (False, False)
            unit.step(inward[0] and taken[k - 1], inward[1], offers[k][0] and taken[k])
        cycle += 1
    return Cycles(latency=ends[0], interval=ends[-1] - ends[-2])


class _Unit(ABC):
    """One unit's control. Within a cycle: `offer` forwards, then `accept` backwards, then `step`."""

    @abstractmethod
    def offer(self, valid: bool, last: bool) -> tuple[bool, bool]:
        """Whether a beat is offered, and whether it closes a frame, given what is offered to the unit."""

    @abstractmethod
    def accept(self, valid: bool, last: bool, ready: bool) -> bool:
        """Whether the offered beat is taken, if there is one, given what the next unit does."""

    def step(self, took: bool, last: bool, gave: bool) -> None:
        """The clock edge; `last` is that of the beat that was offered to the unit."""


class _Source(_Unit):
    """Frames of `beats` beats without a gap; the frame guard adds nothing to whole frames."""

    def __init__(self, beats: int) -> None:
        self._beats = beats
        self._beat = 0

    def closes(self) -> bool:
        return self._beat == self._beats - 1

    def offer(self, valid: bool, last: bool) -> tuple[bool, bool]:
        return True, self.closes()

    def accept(self, valid: bool, last: bool, ready: bool) -> bool:
        return False

    def step(self, took: bool, last: bool, gave: bool) -> None:
        if gave:
            self._beat = (self._beat + 1) % self._beats


class _VectorBuffer(_Unit):
    def __init__(self, beats: int, repeats: int) -> None:
        self._beats, self._total = beats, beats * repeats
        self._full = self._filled = self._read = 0
        self._out: tuple[bool, bool] = (False, False)
        self._may_read = False

    def offer(self, valid: bool, last: bool) -> tuple[bool, bool]:
        return self._out

    def accept(self, valid: bool, last: bool, ready: bool) -> bool:
        self._may_read = ready or not self._out[0]
        return self._full < 2

    def step(self, took: bool, last: bool, gave: bool) -> None:
        full = self._full
        if took:
            self._filled += 1
            if self._filled == self._beats:
                self._filled, self._full = 0, self._full + 1
        if self._may_read:
            self._out = (full > 0, False)
            if full:
                self._read += 1
                if self._read == self._total:
                    self._read, self._full, self._out = 0, self._full - 1, (True, True)


class _MatrixVectorUnit(_Unit):
    def __init__(self, sf: int, nf: int, stages: int) -> None:
        self._sf, self._nf = sf, nf
        self._beat = self._pass = 0
        self._pipe: list[tuple[bool, bool]] = [(False, False)] * stages  # (ends a pass, and a vector)
        self._out = (False, False)
        self._enable = True

    def offer(self, valid: bool, last: bool) -> tuple[bool, bool]:
        return self._out

    def accept(self, valid: bool, last: bool, ready: bool) -> bool:
        self._ready = ready or not self._out[0]
        self._enable = self._ready or not self._pipe[-1][0]
        return self._enable

    def step(self, took: bool, last: bool, gave: bool) -> None:
        if self._ready:
            self._out = self._pipe[-1]
        if not self._enable:
            return
        entry = (False, False)
        if took:
            self._beat += 1
            if self._beat == self._sf:
                self._beat, self._pass = 0, self._pass + 1
                entry = (True, self._pass == self._nf)
                self._pass %= self._nf
        self._pipe = [entry, *self._pipe[:-1]]


class _Register(_Unit):
    """A beat per cycle through one register: parallel thresholds, label select."""

    def __init__(self) -> None:
        self._out = (False, False)
        self._ready = True

    def offer(self, valid: bool, last: bool) -> tuple[bool, bool]:
        return self._out

    def accept(self, valid: bool, last: bool, ready: bool) -> bool:
        self._ready = ready or not self._out[0]
        return self._ready

    def step(self, took: bool, last: bool, gave: bool) -> None:
        if self._ready:
            self._out = (took, took and last)


class _Search(_Unit):
    """The threshold unit that searches."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._left = 0  # steps to go; 0 is idle
        self._last = False
        self._out = (False, False)
        self._ready = self._finish = False

    def offer(self, valid: bool, last: bool) -> tuple[bool, bool]:
        return self._out

    def accept(self, valid: bool, last: bool, ready: bool) -> bool:
        self._ready = ready or not self._out[0]
        self._finish = self._left == 1 and self._ready
        return self._left == 0 or self._finish

    def step(self, took: bool, last: bool, gave: bool) -> None:
        if self._ready:
            self._out = (self._finish, self._finish and self._last)
        if self._left > 1:
            self._left -= 1
        elif self._finish:
            self._left = 0
        if took:
            self._left, self._last = self._steps, last


class _Cut(_Unit):
    """The half of a width converter that cuts beats into chunks."""

    def __init__(self, per_beat: int, chunks: int) -> None:
        self._per_beat, self._final = per_beat, (chunks - 1) % per_beat + 1
        self._index = 0

    def _ends(self, last: bool) -> bool:
        return self._index + 1 == (self._final if last else self._per_beat)

    def offer(self, valid: bool, last: bool) -> tuple[bool, bool]:
        return valid, valid and last and self._ends(last)

    def accept(self, valid: bool, last: bool, ready: bool) -> bool:
        return ready and self._ends(last)

    def step(self, took: bool, last: bool, gave: bool) -> None:
        if gave:
            self._index = 0 if took else self._index + 1


class _Collect(_Register):
    """The half of a width converter that collects chunks into beats."""

    def __init__(self, per_beat: int) -> None:
        super().__init__()
        self._per_beat = per_beat
        self._index = 0

    def step(self, took: bool, last: bool, gave: bool) -> None:
        ends = took and (last or self._index + 1 == self._per_beat)
        super().step(ends, last, gave)
        if took:
            self._index = 0 if ends else self._index + 1


def _chain(plan: Plan, network: Network) -> list[_Unit]:
    chain: list[_Unit] = [_Source(plan.input_beats)]
    lanes = [*(layer.simd for layer in plan.layers[1:]), 1]
    for layer, folded, o_lanes in zip(network.layers, plan.layers, lanes, strict=True):
        chain += layer_chain(layer, folded)
        chunk = gcd(folded.pe, o_lanes)
        if folded.pe > chunk:
            chain.append(_Cut(folded.pe // chunk, -(-folded.mh // chunk)))
        if o_lanes > chunk:
            chain.append(_Collect(o_lanes // chunk))
    chain += [_Register() for _ in range(2 if network.affine_scores else 1)]
    return chain


def layer_chain(layer: Layer, plan: LayerPlan) -> list[_Unit]:
    units: list[_Unit] = []
    if plan.nf > 1:
        units.append(_VectorBuffer(plan.sf, plan.nf))
    units.append(_MatrixVectorUnit(plan.sf, plan.nf, 1 + popcount_latency(plan.simd, plan.popcount_levels)))
    if layer.thresholds > 1:
        steps = search_steps(layer.thresholds)
        units.append(_Register() if steps == 1 else _Search(steps))
    return units
