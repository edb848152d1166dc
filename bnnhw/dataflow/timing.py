"""Cycles of a plan: the handshakes of its units, run without their data.

Every unit of the gateware has a twin in `twins` that knows only when it offers a beat and when it takes one. Running
the twins gives latency and interval just as the hardware has them, stalls included; tests hold the two against each
other, to the cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bnnhw.dataflow import structure as units
from bnnhw.dataflow import twins
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
        Between the last beats of two frames, frames following each other without a gap and nothing stalling outside.
    """

    latency: int
    interval: int


def measure(plan: Plan, network: Network) -> Cycles:
    """Latency and interval of `plan`, from a run of frames until three intervals agree.

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
        chain: list[tuple[Twin, list[tuple[int, int]]]] = [(twins.Source(plan.input_beats), [])]
        for stage in units.structure(plan, network):
            # The source comes before the stages, and its number is INPUT there.
            chain.append((twin(stage.unit), [(source - INPUT, output) for source, output in stage.inputs]))
        for _ in range(2 if network.affine_scores else 1):
            chain.append((twins.Register(), [(len(chain) - 1, 0)]))
        self._twins = [unit for unit, _ in chain]
        # Each output feeds one input, over an edge.
        edges = {source: number for number, source in enumerate(source for _, inputs in chain for source in inputs)}
        self._last = edges[len(chain) - 1, 0] = len(edges)
        self._work = [
            _Place(unit, [edges[source] for source in inputs], [edges[key] for key in sorted(edges) if key[0] == k])
            for k, (unit, inputs) in enumerate(chain)
        ]
        # What is on each edge, as twins give and take it: a list of one.
        self._beats: list[Sequence[Beat]] = [[NONE]] * len(edges)
        self._ready: list[Sequence[bool]] = [[True]] * len(edges)

    def settle(self) -> Cycles:
        """Runs until three intervals agree."""
        ends: list[int] = []
        start: int | None = None
        while len(ends) < 4 or len({b - a for a, b in zip(ends[-4:-1], ends[-3:], strict=True)}) > 1:
            cycle = self._cycles
            self._clock()
            if start is None and self._ready[0][0]:
                start = cycle  # edge 0 is the source's
            if self._beats[self._last][0] == twins.LAST:
                ends.append(cycle)
        return Cycles(latency=ends[0] - (start or 0), interval=ends[-1] - ends[-2])

    def fifo_levels(self) -> list[int]:
        """The most beats that each FIFO held, in the order of the plan."""
        return [unit.most for unit in self._twins if isinstance(unit, twins.StreamFifo)]

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
    return twins.MatrixVectorUnit(plan.sf, plan.nf, 1 + units.popcount_latency(plan.simd, plan.popcount_levels))


def _thresholds(unit: units.Thresholds) -> Twin:
    count, steps = unit.layer.thresholds, units.search_steps(unit.layer.thresholds)
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
    units.Thresholds: _thresholds,
    units.Offset: lambda unit: twins.Register(),
    units.Slide: _slide,
    units.Pool: lambda unit: twins.Pool(unit.plan.nf),
    units.Add: lambda unit: twins.Add(len(unit.layer.inputs)),
    units.Concat: lambda unit: twins.Concat(len(unit.layer.inputs)),
    units.Convert: lambda unit: twins.width_converter(unit.elements, unit.i_lanes, unit.o_lanes),
    units.Split: lambda unit: twins.VectorSplit(unit.beats),
    units.Join: lambda unit: twins.VectorJoin(unit.vectors),
    units.Fork: lambda unit: twins.Fork(unit.readers),
    units.Fifo: lambda unit: twins.StreamFifo(unit.depth),
}
