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
from typing import Any

from bnnhw.dataflow.layers import INPUT
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.pipeline import pipeline
from bnnhw.dataflow.plan import Plan
from bnnhw.units import FrameStatus
from bnnhw.units.cycle_model import ENDLESS, GOING, LAST, NONE, STALLED, TAKEN, Beat, CycleModel, Wire
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
        # What goes into wires comes out of them.
        wires = [k for k, model in models.items() if isinstance(model, Wire)]
        for k in wires:
            edges[k, 0] = edges[inputs[k][0]]
            del models[k]
        # Those between layers; a skid buffer is part of one.
        self._fifos = [m for k, m in models.items() if isinstance(m, WaitingBeats) and not stages[k].part]
        self._gathers = [model for model in models.values() if isinstance(model, GatheredFrames)]
        # Ends of frames, in front of each gather and at the end.
        gathered = [edges[inputs[k][0]] for k, model in models.items() if isinstance(model, GatheredFrames)]
        self._edges = [*gathered, self._last]
        self._ends: dict[int, list[int]] = {edge: [] for edge in self._edges}
        # When the units were in a state, and how many frames had ended.
        self._seen: dict[tuple[Any, ...], tuple[int, int]] = {}
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

        That is when all units are as they were at the end of an earlier frame: what came between goes on for ever. It
        is also taken to be when the ends of frames have come three times in the same pattern, which is sooner where
        something fills up and nothing waits for it, or where groups of frames come. A gather whose groups are not full
        keeps up with what comes, in a pattern of its own that may be long: then the pattern of what comes is looked at
        instead. So it is where more frames go than come, for that has an end. Behind a FIFO that is never full, a
        gather need not get full, however slow what follows it is.
        """
        interval, ends = None, self._ends[self._last]
        while interval is None:
            self.ends(len(ends) + 1)
            interval = self._interval(len(self._gathers)) or self._recurred()
            if interval is None and groups is not None and len(ends) > groups * self._group:
                interval = Fraction(ends[-1] - ends[-1 - self._group], self._group)
        total, frames = interval.as_integer_ratio()
        return Cycles(self.ends(1)[0], total if frames == 1 else total / frames)

    def _recurred(self) -> Fraction | None:
        """The mean interval of frames since all units were as they are now at a frame's end, or None.

        Not where frames are gathered: their groups would have to be as they were as well, which takes longer than it
        takes to see what becomes of them.
        """
        if self._gathers:
            return None
        self._catch_up()
        state, now = tuple(place.state() for place in self._work), (self._cycles, len(self._ends[self._last]))
        cycles, frames = self._seen.setdefault(state, now)
        return Fraction(now[0] - cycles, now[1] - frames) if frames < now[1] else None

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
        self._catch_up()
        if self._gathers[section - 1].crowded >= 3 * self._group:
            return here
        # Either what follows the gather is slower, and it will be full, or no pattern is to be expected.
        return before if here is None and len(ends) > 8 * self._group else None

    def fifo_levels(self) -> list[int]:
        """The most beats that each FIFO held, in the order of the plan."""
        self._catch_up()
        return [model.deepest for model in self._fifos]

    def _clock(self) -> None:
        """One clock cycle, or as many as pass until something changes.

        The time goes here. So a unit is left alone until its own time is up or what its neighbours say changes, and
        then makes up for the cycles since with one step; what they say is compared by identity, as models hand out the
        same few objects. Units with one input and one output, nearly all, are handled without a list of theirs.
        """
        beats, ready, now = self._beats, self._ready, self._cycles
        for place in self._work:
            offered = beats[place.i] if place.simple else [beats[k][0] for k in place.ins]
            if now < place.until and (offered is place.offered if place.simple else offered == place.offered):
                continue
            if place.since < now:
                place.step(place.took, place.offered, place.gave, now - place.since)
            place.since, place.offered, place.moves = now, offered, True
            if place.simple:
                beats[place.o] = place.offers(offered)
            else:
                for edge, beat in zip(place.outs, place.offers(offered), strict=True):
                    beats[edge] = [beat]
        moved = []
        for place in reversed(self._work):
            taken = ready[place.o] if place.simple else [ready[k][0] for k in place.outs]
            if not place.moves:
                if taken is place.taken if place.simple else taken == place.taken:
                    continue
                if place.since < now:
                    place.step(place.took, place.offered, place.gave, now - place.since)
                    place.since = now
            place.taken, place.moves = taken, False
            moved.append(place)
            if place.simple:
                ready[place.i] = place.accepts(place.offered, taken)
            else:
                for edge, takes in zip(place.ins, place.accepts(place.offered, taken), strict=True):
                    ready[edge] = TAKEN if takes else STALLED
        soonest = ENDLESS
        for place in moved:
            offered, taken = place.offered, place.taken
            if place.simple:
                place.took = TAKEN if offered[0][0] and ready[place.i][0] else STALLED
                place.gave = TAKEN if taken[0] and beats[place.o][0][0] else STALLED
            else:
                place.took = [ready[k][0] and beat[0] for k, beat in zip(place.ins, offered, strict=True)]
                place.gave = [takes and beats[k][0][0] for k, takes in zip(place.outs, taken, strict=True)]
            leap = place.leap(place.took, offered, place.gave)
            place.until = now + leap
            soonest = min(soonest, leap)
        self._cycles = now + 1 if soonest == 1 else min(place.until for place in self._work)
        if self._cycles >= ENDLESS:
            raise RuntimeError(f"deadlock after {now} cycles")

    def _catch_up(self) -> None:
        """Brings all units to the present."""
        for place in self._work:
            if place.since < self._cycles:
                place.step(place.took, place.offered, place.gave, self._cycles - place.since)
                place.since = self._cycles


def _repeated(ends: list[int], group: int) -> Fraction | None:
    """The mean interval of frames whose `ends` came three times in the same pattern, of any number of groups."""
    for frames in range(group, (len(ends) - 1) // 3 + 1, group):
        span = ends[-1] - ends[-1 - frames]
        if all(ends[-k] - ends[-k - frames] == span for k in range(2, 2 * frames + 2)):
            return Fraction(span, frames)
    return None


class _Place:
    """A cycle model among the others: its methods, the numbers of its edges, and how it stands.

    From cycle `since` on, it is `offered` the same, what it offers is `taken` alike, and so it `took` and `gave`; left
    alone, it goes on so `until` another cycle. `moves` tells that this is being looked at.
    """

    __slots__ = (
        "accepts", "gave", "i", "ins", "leap", "moves", "o", "offered", "offers", "outs", "simple", "since", "state",
        "step", "taken", "took", "until",
    )  # fmt: skip

    def __init__(self, model: CycleModel, ins: list[int], outs: list[int]) -> None:
        self.offers, self.accepts, self.step, self.leap = model.offers, model.accepts, model.step, model.leap
        self.state = model.state
        self.ins, self.outs = ins, outs
        self.simple = len(ins) == len(outs) == 1
        self.i, self.o = (ins[0], outs[0]) if self.simple else (0, 0)
        self.since = self.until = 0
        self.moves = False
        self.offered: Sequence[Beat] = ()
        self.taken: Sequence[bool] = ()
        self.took: Sequence[bool] = ()
        self.gave: Sequence[bool] = ()
