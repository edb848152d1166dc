"""Foldings of one layer that are worth a look within an interval, each with its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple, TypeVar

from bnnhw.dataflow.area import cost, link_luts, multipliers
from bnnhw.dataflow.layers import INPUT, MEMORIES, Layer, LayerPlan, MatrixPlan
from bnnhw.dataflow.layers.base import SPRAM, Section
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
    """A folding with its cost; `memories` are what the plan's should be."""

    luts: float
    block_ram: int
    spram: int
    head: Head
    tail: Tail
    folded: LayerPlan
    memories: tuple[dict[str, Any], ...]

    @property
    def plan(self) -> LayerPlan:
        return replace(self.folded, **{key: kind for some in self.memories for key, kind in some.items()})


class Option(NamedTuple):
    """Memories of some units, and what these take then. Where a line buffer is among them and has a depth of its own,
    `window` is what it belongs to."""

    luts: float
    block_ram: int
    spram: int
    memories: tuple[dict[str, Any], ...]
    window: SlidingWindow | None


# What takes LUTs and block RAMs.
Taking = TypeVar("Taking", Candidate, Option)


class Held(NamedTuple):
    """Memories of what holds vectors before and after they are multiplied, and what these units take where a layer
    takes and gives so many frames side by side."""

    luts: float
    block_ram: int
    memories: dict[str, Any]
    i_frames: int
    o_frames: int


class Candidates:
    """Foldings of one layer that are worth a look, for any interval.

    What units take is reckoned once for each of their sizes: most foldings of an interval are made of parts that
    others have as well.

    Parameters
    ----------
    layer, part
        What is folded, and for what.
    wanted
        What the user asks for.
    joins
        Whether frames may come from and go to its neighbours side by side.
    deep
        Whether line buffers are deep where that costs nothing.
    share
        How many hard multipliers it may take.
    link
        Whether the network's input comes over the link of a board.
    loads
        Whether its weights may lie in memories that are loaded.

    Raises
    ------
    PlanError
        If the layer cannot have what is `wanted`.
    """

    def __init__(
        self,
        layer: Layer,
        part: Part,
        wanted: Mapping[str, Any],
        *,
        joins: tuple[bool, bool],
        deep: bool,
        share: int,
        link: bool = False,
        loads: bool = False,
    ) -> None:
        wanted = layer.completed(wanted)
        layer.check_folding(wanted)
        self._layer, self._part, self._wanted = layer, part, wanted
        self._base = replace(layer.unfolded(), **wanted)
        self._base.check("--folding")
        self._joins, self._share, self._loads = joins, share, loads and layer.loads
        self._link = link and INPUT in layer.inputs
        self._deepened = deep and layer.windowed and "window_depth" not in wanted
        self._options: dict[tuple[int, tuple[int, ...]], list[Option]] = {}
        self._held: dict[tuple[int, ...], list[Held]] = {}
        # Of each folding: what it is made of, and what comes of it where some of its line buffers are too shallow.
        self._folded: dict[tuple[int, ...], tuple[LayerPlan, list[list[Option]]]] = {}
        self._made: dict[tuple[tuple[int, ...], tuple[bool, ...]], list[Candidate]] = {}

    def within(self, interval: int, batch: int) -> list[Candidate]:
        """Those within `interval` cycles, with each weight used `batch` times."""
        found: dict[tuple[Head, Tail], list[Candidate]] = {}
        layer, first = self._layer, self._layer.inputs == (INPUT,)
        for folding in layer.foldings(interval, self._wanted, batch):
            key = tuple(folding.values())
            if key not in self._folded:
                plan = replace(self._base, **folding)
                parts = enumerate(layer.sections(plan, self._part.family))
                self._folded[key] = plan, [self._section(k, section, plan) for k, section in parts]
            plan, sections = self._folded[key]
            if not layer.within(plan, interval):
                continue
            slack = interval - plan.cycles
            shallow = tuple(
                option.window is not None and option.window.wait(interval, first=first) > slack
                for options in sections
                for option in options
            )
            if (key, shallow) not in self._made:
                self._made[key, shallow] = self._together(plan, sections, shallow)
            for candidate in self._made[key, shallow]:
                found.setdefault((candidate.head, candidate.tail), []).append(candidate)
        return [candidate for rivals in found.values() for candidate in _frontier(rivals)]

    def _together(self, plan: LayerPlan, sections: list[list[Option]], shallow: tuple[bool, ...]) -> list[Candidate]:
        """The choices of all units of `plan`, of which some line buffers are too `shallow`."""
        left = iter(shallow)
        made = [Option(0.0, 0, 0, (), None)]
        for options in sections:
            some = _frontier([option for option in options if not next(left)])
            made = [
                Option(a.luts + b.luts, a.block_ram + b.block_ram, a.spram + b.spram, a.memories + b.memories, None)
                for a in made
                for b in some
            ]
        made = _frontier(made)
        lanes, pe, frames = plan.i_lanes, plan.pe, plan.frames
        beat = lanes * self._layer.input.bits
        link = link_luts(self._part, beat) - link_luts(self._part, 0) if self._link else 0.0
        found: dict[tuple[Head, Tail], list[Candidate]] = {}
        for held in self._around(plan):
            ends = Head(lanes, frames, held.i_frames), Tail(pe, frames, held.o_frames)
            found.setdefault(ends, []).extend(
                Candidate(
                    a.luts + held.luts + link,
                    a.block_ram + held.block_ram,
                    a.spram,
                    *ends,
                    plan,
                    (*a.memories, held.memories),
                )
                for a in made
            )
        return [candidate for rivals in found.values() for candidate in _frontier(rivals)]

    def _section(self, k: int, section: Section, plan: LayerPlan) -> list[Option]:
        """The choices of section `k` of the units of `plan` that compute."""
        key = k, section.sizes
        if key not in self._options:
            free = {name: kinds for name, kinds in section.memories.items() if name not in self._wanted}
            if self._loads and free.get("weight_memory") == MEMORIES:
                free["weight_memory"] = (*MEMORIES, SPRAM)
            found: list[Option] = []
            for choice in product(*free.values()):
                memories: dict[str, Any] = dict(zip(free, choice, strict=True))
                option = replace(plan, **memories) if memories else plan
                if option.spram > self._part.spram or not option.loadable:
                    continue
                for depth in self._depths(section, option):
                    deep = replace(option, **depth) if depth else option
                    units = [unit for _, unit in section.units(deep, self._part.family)]
                    if multipliers(self._part, units) > self._share:
                        continue
                    window = next((unit for unit in units if isinstance(unit, SlidingWindow)), None)
                    found.append(Option(*cost(self._part, units), (memories, depth), window if depth else None))
            # A deeper line buffer may be needed where a cheaper one is too shallow.
            self._options[key] = found if any(option.window for option in found) else _frontier(found)
        return self._options[key]

    def _depths(self, section: Section, plan: LayerPlan) -> list[dict[str, Any]]:
        """The choices of the depth of the section's line buffer."""
        units = (unit for _, unit in section.units(plan, self._part.family)) if self._deepened else ()
        for unit in units:
            if isinstance(unit, SlidingWindow):
                return [{"window_depth": depth} for depth in unit.depths(self._part)]
        return [{}]

    def _around(self, plan: LayerPlan) -> list[Held]:
        """The choices of what holds vectors before and after they are multiplied."""
        if not isinstance(plan, MatrixPlan):
            return [Held(0.0, 0, {}, 1, 1)]
        key = plan.pe, plan.simd, plan.batch
        if key not in self._held:
            heads, tails = (sorted({1, plan.frames if some else 1}) for some in self._joins)
            free = (plan.nf > 1 or plan.batch > 1) and "buffer_memory" not in self._wanted
            choices: list[dict[str, Any]] = [{"buffer_memory": memory} for memory in MEMORIES] if free else [{}]
            found = self._held[key] = []
            for memories, i_frames, o_frames in product(choices, heads, tails):
                option = replace(plan, **memories) if memories else plan
                units = self._layer.outer_units(
                    option, self._part.family, opens=i_frames == 1, closes=int(o_frames == 1)
                )
                some = cost(self._part, (unit for _, unit in units))
                found.append(Held(some.luts, some.block_ram, memories, i_frames, o_frames))
        return self._held[key]


def _frontier(choices: list[Taking]) -> list[Taking]:
    """Those that no other beats in LUTs, block RAMs and single-port RAMs."""
    kept: list[Taking] = []
    for choice in sorted(choices, key=lambda c: (c.spram, c.block_ram, c.luts)):
        # Of those with as few single-port RAMs, each takes more block RAMs and fewer LUTs than the one before.
        if kept and kept[-1].spram == choice.spram and choice.luts >= kept[-1].luts:
            continue
        if choice.spram and any(
            one.spram < choice.spram and one.block_ram <= choice.block_ram and one.luts <= choice.luts for one in kept
        ):
            continue
        kept.append(choice)
    return kept
