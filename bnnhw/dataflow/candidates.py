"""Foldings of one layer that are worth a look within an interval, each with its cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from bnnhw.dataflow.area import cost
from bnnhw.dataflow.layers import INPUT, LOGIC, MEMORIES, Layer, LayerPlan, MatrixPlan
from bnnhw.parts import Part
from bnnhw.units import SlidingWindow

# How many vectors of a frame may share a fetched weight; more than these bring little, and the search would take
# longer.
VECTORS = (1, 2, 4)
# How many frames may.
FRAMES = (1, 2, 3, 4)


class Tail(NamedTuple):
    """What matters of a layer to the one behind it: its rows, and how many frames it works on and gives side by
    side."""

    pe: int
    batch: int
    frames: int


class Head(NamedTuple):
    """What matters of a layer to the one before it: its lanes, and how many frames it works on and takes side by
    side."""

    lanes: int
    batch: int
    frames: int


class Candidate(NamedTuple):
    """A folding with its cost; `buffer_memory` is what the plan's should be, where it has one."""

    plan: LayerPlan
    luts: float
    block_ram: int
    head: Head
    tail: Tail
    buffer_memory: str | None


def candidates_of(
    layer: Layer,
    part: Part,
    interval: int,
    wanted: Mapping[str, Any],
    batch: int,
    *,
    joins: tuple[bool, bool],
    deep: bool,
) -> list[Candidate]:
    """Foldings of one layer within `interval` cycles, with each weight used `batch` times; `wanted` fixes what the user
    asks for; line buffers are `deep` where that costs nothing. `joins` tells whether frames may come from and go to its
    neighbours side by side."""
    wanted = layer.completed(wanted)
    layer.check_folding(wanted)
    base = replace(layer.unfolded(), **wanted)
    base.check("--folding")
    deepened = deep and layer.windowed and "window_depth" not in wanted
    found: list[Candidate] = []
    for folding in layer.foldings(interval, wanted, batch):
        plan = replace(base, **folding)
        if not layer.within(plan, interval):
            continue
        outer = _outer(layer, part, plan, wanted, joins)
        for memories in layer.memories(plan, wanted):
            option = replace(plan, **memories)
            for deepest in _window_depths(layer, part, option, interval) if deepened else (option,):
                luts, used = cost(part, (unit for _, unit in layer.inner_units(deepest, part.family)))
                for some in outer:
                    memory = some.buffer_memory
                    if isinstance(deepest, MatrixPlan) and deepest.weight_memory == LOGIC:
                        # It is part of what multiplies.
                        memory = deepest.buffer_memory
                    total = luts + some.luts, used + some.block_ram
                    found.append(Candidate(deepest, *total, some.head, some.tail, memory))
    return _frontier(found)


def _outer(
    layer: Layer, part: Part, plan: LayerPlan, wanted: Mapping[str, Any], joins: tuple[bool, bool]
) -> list[Candidate]:
    """The choices of what holds vectors before and after they are multiplied, and their cost alone."""
    if not isinstance(plan, MatrixPlan):
        return [Candidate(plan, 0.0, 0, Head(plan.i_lanes, 1, 1), Tail(plan.pe, 1, 1), None)]
    found = []
    heads, tails = (sorted({1, plan.frames if some else 1}) for some in joins)
    free = (plan.nf > 1 or plan.batch > 1) and "buffer_memory" not in wanted
    options = [replace(plan, buffer_memory=memory) for memory in MEMORIES] if free else [plan]
    for option, i_frames, o_frames in product(options, heads, tails):
        units = layer.outer_units(option, part.family, opens=i_frames == 1, closes=int(o_frames == 1))
        luts, used = cost(part, (unit for _, unit in units))
        head, tail = Head(plan.i_lanes, plan.frames, i_frames), Tail(plan.pe, plan.frames, o_frames)
        found.append(Candidate(option, luts, used, head, tail, option.buffer_memory))
    return _frontier(found)


def _window_depths(layer: Layer, part: Part, plan: LayerPlan, interval: int) -> Iterator[LayerPlan]:
    """`plan` with line buffers of a depth with which it keeps within `interval`."""
    window = next(unit for _, unit in layer.inner_units(plan, part.family) if isinstance(unit, SlidingWindow))
    for depth in window.depths(part):
        wait = replace(window, depth=depth).wait(interval, first=layer.inputs == (INPUT,))
        if plan.cycles + wait <= interval:
            yield replace(plan, window_depth=depth)  # type: ignore[call-arg]


def _frontier(candidates: list[Candidate]) -> list[Candidate]:
    """Those that no other of the same head and tail beats in both LUTs and block RAMs."""
    kept: dict[tuple[Head, Tail], list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: (c.block_ram, c.luts)):
        rivals = kept.setdefault((candidate.head, candidate.tail), [])
        if not rivals or candidate.luts < rivals[-1].luts:
            rivals.append(candidate)
    return [candidate for rivals in kept.values() for candidate in rivals]
