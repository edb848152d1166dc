"""Cycles of a plan: the handshakes of its units, run without their data.

Every unit of the gateware has a twin in `twins` that knows only when it offers a beat and when it takes one. Running
the twins gives latency and interval just as the hardware has them, stalls included; tests hold the two against each
other, to the cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from bnnhw.arithmetic.thresholds import threshold_cycles
from bnnhw.dataflow import constant, twins
from bnnhw.dataflow import structure as units
from bnnhw.dataflow.layers import INPUT, Network
from bnnhw.dataflow.plan import Plan
from bnnhw.dataflow.twins import NONE, Beat, Twin
from bnnhw.dataflow.twins.base import STALLED, TAKEN

# Deeper than any FIFO can fill.
UNLIMITED = 1 << 40


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
    """Latency and interval of `plan`, from a run of frames until the last ones repeat those before, see `_Run.settle`.

    Raises
    ------
    RuntimeError
        If nothing moves: an inner error, since `with_fifos` sees to it that it does.
    """
    return _Run(plan, network).settle()


def with_fifos(plan: Plan, network: Network) -> Plan:
    """`plan` with as deep FIFOs in front of joins as they ever fill where nothing else stalls.

    Found by running the twins with FIFOs that are never full: as deep as they got, they change nothing. That is also
    enough to rule out deadlock, whatever stalls: what a unit takes and gives depends on how many beats it took and gave
    before, and on nothing else. Were a join to wait for one branch, and the fork for the other, then the other's FIFO
    would be full, and with it each unit of that branch as far ahead as, or further than, it was when in the run the
    same beat left the fork. There each of them took that beat's share, so each of them does.
    """
    joins = [k for k, layer in enumerate(network.layers) if len(layer.inputs) > 1]
    if not joins:
        return plan
    layers = list(plan.layers)
    for k in joins:
        layers[k] = replace(layers[k], fifos=(UNLIMITED,) * len(layers[k].fifos))
    run = _Run(replace(plan, layers=tuple(layers)), network)
    run.settle()
    deepest = iter(run.fifo_levels())
    for k in joins:
        layers[k] = replace(layers[k], fifos=tuple(next(deepest) for _ in layers[k].fifos))
    return replace(plan, layers=tuple(layers))


class _Run:
    """The twins of an accelerator, clocked together."""

    def __init__(self, plan: Plan, network: Network) -> None:
        self._cycles = 0
        self._fifos: list[twins.StreamFifo] = []
        chain: list[tuple[Twin, list[tuple[int, int]]]] = [(twins.Source(plan.input_beats), [])]
        for stage in units.structure(plan, network):
            # The source comes before the stages, and its number is INPUT there.
            inputs = [(source - INPUT, output) for source, output in stage.inputs]
            made = twin(stage.unit)
            if isinstance(made, twins.FrameScatter):
                gather = chain[inputs[1][0]][0]
                assert isinstance(gather, twins.FrameGather)
                made.sizes = gather.sizes
            if isinstance(stage.unit, units.Fifo):
                assert isinstance(made, twins.StreamFifo)
                self._fifos.append(made)
            chain.append((made, inputs))
        # The label select: a register each for scores, for each round of lanes, and for what it gives.
        for _ in range(1 + network.affine_scores + (plan.output_lanes - 1).bit_length()):
            chain.append((twins.Register(), [(len(chain) - 1, 0)]))
        self._twins = [unit for unit, _ in chain]
        # Each output feeds one input, over an edge.
        edges = {source: number for number, source in enumerate(source for _, inputs in chain for source in inputs)}
        self._last = edges[len(chain) - 1, 0] = len(edges)
        self._gathers = [unit for unit in self._twins if isinstance(unit, twins.FrameGather)]
        # Ends of frames, in front of each gather and at the end.
        gathered = [edges[inputs[0]] for unit, inputs in chain if isinstance(unit, twins.FrameGather)]
        self._edges = [*gathered, self._last]
        self._ends: dict[int, list[int]] = {edge: [] for edge in self._edges}
        self._start: int | None = None
        self._group = plan.group
        self._work = [
            _Place(unit, [edges[source] for source in inputs], [edges[key] for key in sorted(edges) if key[0] == k])
            for k, (unit, inputs) in enumerate(chain)
        ]
        # What is on each edge, as twins give and take it: a list of one.
        self._beats: list[Sequence[Beat]] = [[NONE]] * len(edges)
        self._ready: list[Sequence[bool]] = [[True]] * len(edges)

    def settle(self) -> Cycles:
        """Runs until it is clear what goes on for ever.

        That is when the ends of frames have come three times in the same pattern. A gather whose groups are not full
        keeps up with what comes, in a pattern of its own that may be long: then the pattern of what comes is looked at
        instead. So it is where more frames go than come, for that has an end.
        """
        interval = None
        while interval is None:
            before = len(self._ends[self._last])
            self.ends(before + 1)
            interval = self._interval(len(self._gathers))
        total, frames = interval.as_integer_ratio()
        return Cycles(self.ends(1)[0], total if frames == 1 else total / frames)

    def ends(self, frames: int) -> list[int]:
        """Cycles from the first beat of the first frame to the last one of each of `frames` frames."""
        found = self._ends[self._last]
        while len(found) < frames:
            cycle = self._cycles
            self._clock()
            if self._start is None and self._ready[0][0]:
                self._start = cycle  # edge 0 is the source's
            for edge, ends in self._ends.items():
                if self._beats[edge][0] == twins.LAST and self._ready[edge][0]:
                    ends.append(cycle)
        return [end - (self._start or 0) for end in found[:frames]]

    def _interval(self, section: int) -> Fraction | None:
        """Interval of frames behind so many gathers, or None if it is not clear yet."""
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
        return [unit.most for unit in self._fifos]

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
        times, work = twins.ENDLESS, []
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
        if times == twins.ENDLESS:
            raise RuntimeError(f"nothing moves any more after {self._cycles} cycles")
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
    """A twin among the others: its methods, and the numbers of its edges."""

    __slots__ = ("accepts", "asleep", "i", "ins", "leap", "o", "offers", "outs", "reactive", "simple", "step")

    def __init__(self, unit: Twin, ins: list[int], outs: list[int]) -> None:
        self.offers, self.accepts, self.step, self.leap = unit.offers, unit.accepts, unit.step, unit.leap
        self.ins, self.outs = ins, outs
        self.simple = len(ins) == len(outs) == 1
        self.i, self.o = (ins[0], outs[0]) if self.simple else (0, 0)
        self.reactive = unit.reactive
        self.asleep = False


def twin(unit: units.Unit) -> Twin:
    """The twin of a unit of the structure."""
    return _TWINS[type(unit)](unit)


def _matrix(unit: units.Matrix) -> Twin:
    plan = unit.plan
    stages = unit.weight_latency + unit.registered + unit.layer.product.latency(plan.simd, plan.popcount_levels)
    return twins.MatrixVectorUnit(plan.sf, plan.nf, stages, registered=unit.registered)


def _constant(unit: units.Constant) -> Twin:
    return twins.ConstantMatrixUnit(constant.pipeline(unit.layer, unit.plan.popcount_levels))


def _thresholds(unit: units.Thresholds) -> Twin:
    count, steps = unit.layer.thresholds, threshold_cycles(unit.layer.thresholds)
    return twins.Wire() if count == 1 else twins.Register() if steps == 1 else twins.Search(steps)


def _slide(unit: units.Slide) -> Twin:
    return twins.SlidingWindow(
        unit.channels // unit.lanes,
        unit.height,
        unit.width,
        unit.geometry,
        channels_outer=unit.channels_outer,
        tall=unit.tall,
        depth=unit.depth,
    )


_TWINS: dict[type[units.Unit], Callable[[Any], Twin]] = {
    units.Buffer: lambda unit: twins.VectorBuffer(unit.beats, unit.repeats, vectors=unit.vectors, total=unit.total),
    units.Scatter: lambda unit: twins.VectorScatter(unit.beats, unit.vectors, unit.total),
    units.Matrix: _matrix,
    units.Constant: _constant,
    units.Thresholds: _thresholds,
    units.Offset: lambda unit: twins.Register(),
    units.Slide: _slide,
    units.Pool: lambda unit: twins.Pool(unit.plan.nf),
    units.Add: lambda unit: twins.Add(len(unit.layer.inputs)),
    units.Concat: lambda unit: twins.Concat(len(unit.layer.inputs)),
    units.FrameGather: lambda unit: twins.FrameGather(unit.beats, unit.repeats, unit.frames),
    units.FrameScatter: lambda unit: twins.FrameScatter(unit.beats, unit.groups),
    units.Convert: lambda unit: twins.width_converter(unit.elements, unit.i_lanes, unit.o_lanes),
    units.Split: lambda unit: twins.VectorSplit(unit.beats),
    units.Join: lambda unit: twins.VectorJoin(unit.vectors),
    units.Fork: lambda unit: twins.Fork(unit.readers),
    units.Fifo: lambda unit: twins.StreamFifo(unit.depth),
    units.Slack: lambda unit: twins.StreamFifo(2),
}
