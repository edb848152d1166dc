"""Cycles of a plan: the handshakes of its units, run without their data.

Every unit has a cycle model that knows only when it offers a beat and when it takes one (`bnnhw.units.cycle_model`).
Running them gives latency and interval just as the hardware has them, stalls included; tests hold the two against each
other, to the cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from bnnhw.dataflow.layers import INPUT
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.pipeline import pipeline
from bnnhw.dataflow.plan import Plan
from bnnhw.units import FrameStatus
from bnnhw.units.cycle_model import ENDLESS, GOING, LAST, NONE, STALLED, TAKEN, Beat, CycleModel
from bnnhw.units.frame_gather import GatheredFrames
from bnnhw.units.stream_fifo import WaitingBeats

# Deeper than any FIFO can fill.
UNLIMITED = 1 << 40
# Groups of frames after which what goes on behind such FIFOs is taken to go on for ever.
MAX_GROUPS = 32


@dataclass(frozen=True)
class Cycles:
    """Cycles of a plan.

    Parameters
    ----------
    latency
        From the cycle that takes a frame's first beat to the one that gives its last, on an idle accelerator.
    interval
        Between the last beats of two frames, frames following each other without a gap and nothing stalling outside;
        the mean where several frames come at a time.
    """

    latency: int
    interval: float


@lru_cache(maxsize=16)  # asked for when a plan is made, and again for its estimate
def measure(plan: Plan, network: Network) -> Cycles:
    """Latency and interval of `plan`, from a run of frames until the last ones repeat those before, see `Run.settle`.

    Raises
    ------
    RuntimeError
        If nothing moves: an inner error, since `with_fifos` sees to it that it does.
    """
    return Run(plan, network).settle()


def with_fifos(plan: Plan, network: Network) -> Plan:
    """`plan` with as deep FIFOs in front of joins as they ever fill where nothing else stalls.

    Found by running the cycle models with FIFOs that are never full: as deep as they got, they change nothing. That is
    also enough to rule out deadlock, whatever stalls: what a unit takes and gives depends on how many beats it took and
    gave before, and on nothing else. Were a join to wait for one branch, and the fork for the other, then the other's
    FIFO would be full, and with it each unit of that branch as far ahead as, or further than, it was when in the run
    the same beat left the fork. There each of them took that beat's share, so each of them does.
    """
    joins = [k for k, layer in enumerate(network.layers) if len(layer.inputs) > 1]
    if not joins:
        return plan
    layers = list(plan.layers)
    for k in joins:
        layers[k] = replace(layers[k], fifos=(UNLIMITED,) * len(layers[k].fifos))
    run = Run(replace(plan, layers=tuple(layers)), network)
    run.settle(MAX_GROUPS)
    deepest = iter(run.fifo_levels())
    for k in joins:
        layers[k] = replace(layers[k], fifos=tuple(next(deepest) for _ in layers[k].fifos))
    return replace(plan, layers=tuple(layers))


class Run:
    """The cycle models of an accelerator, clocked together."""

    def __init__(self, plan: Plan, network: Network) -> None:
        self._cycles = 0
        stages = pipeline(plan, network)
        # A frame's status is there before its last beat, and there is room for those of all frames inside: it never
        # stalls anything.
        apart = {k for k, stage in enumerate(stages) if isinstance(stage.unit, FrameStatus)}
        # What is at the input is always there.
        edges = {(INPUT, 0): 0}
        inputs: list[list[tuple[int, int]]] = []
        for k, stage in enumerate(stages):
            inputs.append([] if k in apart else [source for source in stage.inputs if source[0] not in apart])
            for source in inputs[-1]:
                edges.setdefault(source, len(edges))
        self._last = edges[len(stages) - 1, 0] = len(edges)
        models = {k: stage.unit.cycle_model() for k, stage in enumerate(stages) if k not in apart}
        # Those between layers; a skid buffer is part of one.
        self._fifos = [m for k, m in models.items() if isinstance(m, WaitingBeats) and not stages[k].part]
        self._gathers = [model for model in models.values() if isinstance(model, GatheredFrames)]
        # Ends of frames, in front of each gather and at the end.
        gathered = [edges[inputs[k][0]] for k, model in models.items() if isinstance(model, GatheredFrames)]
        self._edges = [*gathered, self._last]
        self._ends: dict[int, list[int]] = {edge: [] for edge in self._edges}
        self._start: int | None = None
        self._group = plan.group
        self._work = [
            _Place(model, [edges[source] for source in inputs[k]], [edges[key] for key in sorted(edges) if key[0] == k])
            for k, model in models.items()
        ]
        # What is on each edge, as the models give and take it: a list of one.
        self._beats: list[Sequence[Beat]] = [[NONE]] * len(edges)
        self._beats[edges[INPUT, 0]] = GOING
        self._ready: list[Sequence[bool]] = [[True]] * len(edges)

    def settle(self, groups: int | None = None) -> Cycles:
        """Runs until it is clear what goes on for ever, or for the given number of `groups` of frames.

        That is when the ends of frames have come three times in the same pattern. A gather whose groups are not full
        keeps up with what comes, in a pattern of its own that may be long: then the pattern of what comes is looked at
        instead. So it is where more frames go than come, for that has an end. Behind a FIFO that is never full, a
        gather need not get full, however slow what follows it is.
        """
        interval, ends = None, self._ends[self._last]
        while interval is None:
            self.ends(len(ends) + 1)
            interval = self._interval(len(self._gathers))
            if interval is None and groups is not None and len(ends) > groups * self._group:
                interval = Fraction(ends[-1] - ends[-1 - self._group], self._group)
        total, frames = interval.as_integer_ratio()
        return Cycles(self.ends(1)[0], total if frames == 1 else total / frames)

    def ends(self, frames: int) -> list[int]:
        """Cycles from the first beat of the first frame to the last one of each of `frames` frames."""
        found = self._ends[self._last]
        while len(found) < frames:
            cycle = self._cycles
            self._clock()
            if self._start is None and self._ready[0][0]:
                self._start = cycle
            for edge, ends in self._ends.items():
                if self._beats[edge][0] == LAST and self._ready[edge][0]:
                    ends.append(cycle)
        return [end - (self._start or 0) for end in found[:frames]]

    def _interval(self, section: int) -> Fraction | None:
        """Interval of frames behind the given number of gathers, or None if it is not clear yet."""
        ends = self._ends[self._edges[section]]
        here = _repeated(ends, self._group)
        if not section:
            return here
        before = self._interval(section - 1)
        if before is None or (here is not None and here <= before):
            return before
        if self._gathers[section - 1].crowded >= 3 * self._group:
            return here
        # Either what follows the gather is slower, and it will be full, or no pattern is to be expected.
        return before if here is None and len(ends) > 8 * self._group else None

    def fifo_levels(self) -> list[int]:
        """The most beats that each FIFO held, in the order of the plan."""
        return [model.deepest for model in self._fifos]

    def _clock(self) -> None:
        """One clock cycle, or as many as pass until something changes.

        The time goes here, so units with one input and one output, nearly all, are handled without a list of theirs,
        and those that only react are left alone while there is nothing to react to.
        """
        beats, ready = self._beats, self._ready
        awake = []
        for place in self._work:
            if place.simple:
                offered = beats[place.i]
                if place.asleep and not offered[0][0]:
                    continue
                beats[place.o] = place.offers(offered)
            else:
                for edge, beat in zip(place.outs, place.offers([beats[k][0] for k in place.ins]), strict=True):
                    beats[edge] = [beat]
            awake.append(place)
        for place in reversed(awake):
            if place.simple:
                ready[place.i] = place.accepts(beats[place.i], ready[place.o])
            else:
                taken = place.accepts([beats[k][0] for k in place.ins], [ready[k][0] for k in place.outs])
                for edge, takes in zip(place.ins, taken, strict=True):
                    ready[edge] = [takes]
        times, work = ENDLESS, []
        for place in awake:
            if place.simple:
                i, o = place.i, place.o
                took = TAKEN if ready[i][0] and beats[i][0][0] else STALLED
                gave = TAKEN if ready[o][0] and beats[o][0][0] else STALLED
                offered = beats[i]
                place.asleep = place.reactive and took is STALLED and not beats[o][0][0]
            else:
                took = [ready[k][0] and beats[k][0][0] for k in place.ins]
                gave = [ready[k][0] and beats[k][0][0] for k in place.outs]
                offered = [beats[k][0] for k in place.ins]
            work.append((place.step, took, offered, gave))
            if times > 1:
                times = min(times, place.leap(took, offered, gave))
        if times == ENDLESS:
            raise RuntimeError(f"deadlock after {self._cycles} cycles")
        for step, took, offered, gave in work:
            step(took, offered, gave, times)
        self._cycles += times


def _repeated(ends: list[int], group: int) -> Fraction | None:
    """The mean interval of frames whose `ends` came three times in the same pattern, of any number of groups."""
    for frames in range(group, (len(ends) - 1) // 3 + 1, group):
        span = ends[-1] - ends[-1 - frames]
        if all(ends[-k] - ends[-k - frames] == span for k in range(2, 2 * frames + 2)):
            return Fraction(span, frames)
    return None


class _Place:
    """A cycle model among the others: its methods, and the numbers of its edges."""

    __slots__ = ("accepts", "asleep", "i", "ins", "leap", "o", "offers", "outs", "reactive", "simple", "step")

    def __init__(self, model: CycleModel, ins: list[int], outs: list[int]) -> None:
        self.offers, self.accepts, self.step, self.leap = model.offers, model.accepts, model.step, model.leap
        self.ins, self.outs = ins, outs
        self.simple = len(ins) == len(outs) == 1
        self.i, self.o = (ins[0], outs[0]) if self.simple else (0, 0)
        self.reactive = model.reactive
        self.asleep = False
