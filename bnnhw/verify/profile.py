"""Which unit stalls whom: the streams between the units of an accelerator, cycle by cycle, from a simulation.

A stream is **busy** in a cycle in which a beat goes over it; **starved** where its reader would take one and none is
there; **held** where one is there and its reader does not take it; and idle else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.dataflow.layers import INPUT
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.pipeline import Stage, pipeline
from bnnhw.dataflow.plan import Plan
from bnnhw.units import FrameStatus
from bnnhw.verify.record import Record, Stream

IDLE, STARVED, HELD, BUSY = range(4)
STATES = {"busy": BUSY, "held": HELD, "starved": STARVED}
States = NDArray[np.int8]


@dataclass(frozen=True)
class Link:
    """A stream between two units.

    Parameters
    ----------
    name
        As `bnnhw.verify.record` names it.
    source, reader
        Indices of the stages; the accelerator's own input comes from `INPUT`, and what reads its output is behind all.
    """

    name: str
    source: int
    reader: int


def links(stages: Sequence[Stage]) -> list[Link]:
    """All streams that can stall, in the order of their readers, and the accelerator's output."""
    return [*_links(stages), Link("o", len(stages) - 1, len(stages))]


def _links(stages: Sequence[Stage]) -> Iterator[Link]:
    for k, stage in enumerate(stages):
        if isinstance(stage.unit, FrameStatus):
            continue  # never stalls anything
        # What has a `status` has no second stream beside it.
        inputs = [end for end in stage.inputs if end[0] == INPUT or not isinstance(stages[end[0]].unit, FrameStatus)]
        for port, (source, _) in enumerate(inputs):
            yield Link(f"{stage.name}.i{port if len(inputs) > 1 else ''}", source, k)


def states(stream: Stream, cycles: int) -> States:
    """(cycles,) what a stream was in each cycle."""
    found = np.full(cycles, IDLE, np.int8)
    ends = [change.cycle for change in stream.changes[1:]] + [cycles]
    for change, end in zip(stream.changes, ends, strict=True):
        offered, taken = change.valid == "1", change.ready == "1"
        found[change.cycle : end] = {(1, 1): BUSY, (1, 0): HELD, (0, 1): STARVED, (0, 0): IDLE}[offered, taken]
    return found


@dataclass(frozen=True, eq=False)
class Profile:
    """A run, looked at.

    Parameters
    ----------
    model, part
        What ran.
    stages, links
        The units and the streams between them.
    layers
        Names of the layers.
    states
        Of each link, (cycles,).
    first, last
        The cycles that are counted: from the first result to the last beat of input, where there are such.
    ends
        The cycles in which a frame's result was complete.
    """

    model: str
    part: str
    stages: Sequence[Stage]
    links: Sequence[Link]
    layers: Sequence[str]
    states: Sequence[States]
    first: int
    last: int
    ends: Sequence[int]

    def place(self, stage: int) -> str:
        """The layer that a stage serves; ``input`` or ``output`` of those in front of and behind all layers."""
        layer = INPUT if stage in (INPUT, len(self.stages)) else self.stages[stage].layer
        if layer != INPUT:
            return self.layers[layer]
        return "input" if all(before.layer == INPUT for before in self.stages[: max(0, stage)]) else "output"

    def share(self, link: int, state: int) -> float:
        """Share of the counted cycles in which a link was in a state."""
        return float((self.states[link][self.first : self.last + 1] == state).mean())

    def to_dict(self) -> dict[str, Any]:
        """What `bnnhw.simulate` tells of it: shares of the cycles from ``first`` to ``last``."""
        layers = [self._layer(k, name) for k, name in enumerate(self.layers)]
        streams = [
            {
                "name": link.name,
                "from": self.place(link.source),
                "to": self.place(link.reader),
                **{name: round(self.share(k, state), 4) for name, state in STATES.items()},
            }
            for k, link in enumerate(self.links)
        ]
        pace = max(layers, key=lambda layer: layer["busy"])["name"]
        return {"first": self.first, "last": self.last, "slowest": pace, "layers": layers, "streams": streams}

    def _layer(self, index: int, name: str) -> dict[str, Any]:
        """A layer is as busy as the unit of it that computes."""
        worker = next(k for k, stage in enumerate(self.stages) if stage.layer == index and stage.unit.gives)
        inputs = [k for k, link in enumerate(self.links) if link.reader == worker]
        ways = np.array([self.states[k][self.first : self.last + 1] for k in inputs])
        busy = (ways == BUSY).all(0)
        # A unit of several inputs takes of all or of none: what is there is held for what is not.
        missing = ways == STARVED if len(inputs) == 1 else (ways == STARVED) | (ways == IDLE)
        starved = missing.any(0)
        held = (ways == HELD).any(0) & ~starved
        own = {k for k, stage in enumerate(self.stages) if stage.layer == index}
        sources = [self._origin(k, own) for k, gone in zip(inputs, missing, strict=True) if gone.any()]
        readers = [
            self.place(link.reader)
            for k, link in enumerate(self.links)
            if link.source in own and link.reader not in own and self.share(k, HELD) > 0
        ]
        return {
            "name": name,
            "busy": round(float(busy.mean()), 4),
            "starved": round(float(starved.mean()), 4),
            "waits_for": list(dict.fromkeys(sources)),
            "held": round(float(held.mean()), 4),
            "held_by": list(dict.fromkeys(readers)) if held.any() else [],
        }

    def _origin(self, link: int, own: Collection[int]) -> str:
        """The place that a link's beats come from, beyond the stages of its `own` layer."""
        source = self.links[link].source
        if source not in own:
            return self.place(source)
        return self._origin(next(k for k, before in enumerate(self.links) if before.reader == source), own)


def make_profile(plan: Plan, network: Network, record: Record, ends: Sequence[int]) -> Profile:
    """The profile of a run in which all `links` were watched."""
    stages = pipeline(plan, network)
    found = links(stages)
    seen = [states(record.streams[link.name], record.cycles) for link in found]
    taken = np.flatnonzero(seen[0] == BUSY)
    first, last = int(ends[0]), int(taken[-1])
    if last - first < 1:
        first, last = 0, record.cycles - 1
    layers = [layer.name for layer in network.layers]
    return Profile(plan.model, plan.part, stages, found, layers, seen, first, last, list(ends))
