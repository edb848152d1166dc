"""Foldings of one layer that are worth a look within an interval, each with its cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from math import gcd, prod
from typing import Any, NamedTuple

from bnnhw.arithmetic.plane_products import SMALL_TABLE
from bnnhw.arithmetic.thresholds import MAX_PARALLEL_THRESHOLDS, threshold_cycles
from bnnhw.dataflow import cost
from bnnhw.dataflow.layers import INPUT, ConcatLayer, Layer, MatrixLayer, PoolLayer
from bnnhw.dataflow.plan import (
    FOLDING_KEYS,
    LOGIC,
    MEMORIES,
    MEMORY_KEYS,
    LayerPlan,
    check_layer,
)
from bnnhw.dataflow.structure import (
    Buffer,
    FrameGather,
    FrameScatter,
    Scatter,
    Slide,
    Unit,
    framed,
    layer_units,
)
from bnnhw.errors import PlanError
from bnnhw.parts import Part

# Adders between the registers of a popcount. Two levels of carry chains are about what the rest of a PE, an
# accumulator, takes.
POPCOUNT_LEVELS = 2
# How many vectors of a frame may share a fetched weight; more than these bring little, and the search would take
# longer.
REUSES = (1, 2, 4)
# How many frames may.
FRAMES = (1, 2, 3, 4)
# Where a vector may take no more cycles than this, its weights may as well be folded into logic, which takes one.
WHOLE = 4
# Units that hold vectors before and after they are multiplied.
OUTER = (Buffer, Scatter, FrameGather, FrameScatter)


def taps_of(layer: Layer) -> int:
    """Taps of each of a pool's windows; 1 for other layers."""
    return layer.pool.geometry.taps if isinstance(layer, PoolLayer) else 1


class Tail(NamedTuple):
    """What matters of a layer to the one behind it: its rows, and how many frames it works on and gives side by
    side."""

    pe: int
    reuse: int
    frames: int


class Head(NamedTuple):
    """What matters of a layer to the one before it: its lanes, and how many frames it works on and takes side by
    side."""

    lanes: int
    reuse: int
    frames: int


class Candidate(NamedTuple):
    plan: LayerPlan
    luts: float
    block_ram: int
    head: Head
    tail: Tail
    buffer_memory: str


def unfolded(layer: Layer) -> LayerPlan:
    """The plan of a layer that takes one element at a time, everything but the weights in LUTs."""
    windowed = isinstance(layer, PoolLayer) or (isinstance(layer, MatrixLayer) and layer.window is not None)
    return LayerPlan(
        name=layer.name,
        kind=layer.kind,
        elements=prod(layer.i_shapes[0]),
        vectors=layer.vectors,
        mw=layer.mw * taps_of(layer),
        mh=layer.mh,
        pe=1,
        simd=1,
        reuse=1,
        lanes=1 if windowed else 0,
        window_rows=1,
        window_depth=0,
        fifos=(0,) * len(layer.inputs),
        weight_memory="block",
        buffer_memory="lut",
        threshold_memory="lut",
        window_memory="lut",
        weight_latency=1,
        popcount_levels=POPCOUNT_LEVELS if isinstance(layer, MatrixLayer) else None,
        input=layer.input.name,
        weight=layer.weight.name if isinstance(layer, MatrixLayer) else "",
        output="" if isinstance(layer, MatrixLayer) and layer.threshold is None else str(layer.dtype),
    )


def candidates_of(
    layer: Layer,
    part: Part,
    interval: int,
    wanted: Mapping[str, Any],
    reuse: int,
    *,
    joins: tuple[bool, bool],
    deep: bool,
) -> list[Candidate]:
    """Foldings of one layer within `interval` cycles, with each weight used `reuse` times; `wanted` fixes what the user
    asks for; line buffers are `deep` where that costs nothing. `joins` tells whether frames may come from and go to its
    neighbours side by side."""
    base = unfolded(layer)
    if wanted.get("weight_memory") == LOGIC:
        wanted = {"pe": layer.mh, "simd": layer.mw, **wanted}
    changes: dict[str, Any] = {key: wanted[key] for key in FOLDING_KEYS if key in wanted}
    base = replace(base, **changes)
    check_layer(base, "--folding")
    found: list[Candidate] = []
    for pe, simd, lanes, rows in _foldings(layer, interval, wanted, reuse):
        plan = replace(base, pe=pe, simd=simd, lanes=lanes, window_rows=rows, reuse=reuse)
        searches = layer.vectors * plan.nf * threshold_cycles(layer.thresholds)
        if plan.cycles > interval or searches > plan.frames * interval:
            continue
        if lanes and plan.kind == "matrix" and layer.vectors * -(-layer.mw // gcd(lanes * rows, simd)) > interval:
            continue  # for the width converter between the window and the PEs
        options = [replace(plan, **memories) for memories in _memories(layer, plan, base, wanted)]
        if deep and lanes and "window_depth" not in wanted:
            options = [option for shallow in options for option in _window_depths(layer, part, shallow, interval)]
        outer = _outer_units(layer, part, plan, base, wanted, joins)
        for option in options:
            luts, used = _cost(part, (unit for _, unit in layer_units(layer, option) if not isinstance(unit, OUTER)))
            for some in outer:
                # Behind constant weights the memory is part of what multiplies.
                memory = option.buffer_memory if option.weight_memory == LOGIC else some.buffer_memory
                total = luts + some.luts, used + some.block_ram
                found.append(Candidate(option, *total, some.head, some.tail, memory))
    return _frontier(found)


def _outer_units(
    layer: Layer, part: Part, plan: LayerPlan, base: LayerPlan, wanted: Mapping[str, Any], joins: tuple[bool, bool]
) -> list[Candidate]:
    """The choices of what holds vectors before and after they are multiplied, and their cost alone."""
    holds = plan.kind == "matrix" and (plan.nf > 1 or plan.reuse > 1)
    memories = MEMORIES if holds and "buffer_memory" not in wanted else (base.buffer_memory,)
    found = []
    heads, tails = (sorted({1, plan.frames if some else 1}) for some in joins)
    options = [replace(plan, buffer_memory=memory) for memory in memories]
    for option, i_frames, o_frames in product(options, heads, tails):
        units = layer_units(layer, option, opens=i_frames == 1, closes=int(o_frames == 1))
        luts, used = _cost(part, (unit for _, unit in units if isinstance(unit, OUTER)))
        head, tail = Head(plan.i_lanes, plan.frames, i_frames), Tail(plan.pe, plan.frames, o_frames)
        found.append(Candidate(option, luts, used, head, tail, option.buffer_memory))
    return _frontier(found)


def _cost(part: Part, units: Iterable[Unit]) -> tuple[float, int]:
    """LUTs and block RAMs of some units."""
    luts, used = 0.0, 0
    for unit in units:
        luts += cost.luts(part, cost.unit_features(unit))
        used += cost.unit_block_rams(part, unit)
    return luts, used


def _window_depths(layer: Layer, part: Part, plan: LayerPlan, interval: int) -> list[LayerPlan]:
    """`plan` with line buffers of a depth with which it keeps within `interval`."""
    slide = next(unit for _, unit in layer_units(layer, plan) if isinstance(unit, Slide))
    found = []
    for depth in cost.window_depths(part, slide):
        wait = cost.window_wait(replace(slide, depth=depth), interval, first=layer.inputs == (INPUT,))
        if plan.cycles + wait <= interval:
            found.append(replace(plan, window_depth=depth))
    return found


def _memories(layer: Layer, plan: LayerPlan, base: LayerPlan, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The choices of memory that make a difference, in the units that multiply."""
    matters = {
        "weight_memory": plan.kind == "matrix",
        "buffer_memory": False,  # see `_outer_units`
        # Small tables of starting values and of thresholds compared at once never are better in block RAM.
        "threshold_memory": plan.kind in ("matrix", "threshold")
        and (plan.nf > SMALL_TABLE or layer.thresholds > MAX_PARALLEL_THRESHOLDS),
        "window_memory": plan.lanes > 0,
    }
    choices = {key: MEMORIES if some else (getattr(base, key),) for key, some in matters.items()}
    if plan.kind == "matrix" and plan.nf * plan.sf == plan.reuse == 1:
        # Each weight has a multiplier of its own: it becomes part of it, and is not read from anywhere.
        choices |= {"weight_memory": (LOGIC,), "buffer_memory": MEMORIES}
    options = [(getattr(base, key),) if key in wanted else choices[key] for key in MEMORY_KEYS]
    return [dict(zip(MEMORY_KEYS, choice, strict=True)) for choice in product(*options)]


def _foldings(layer: Layer, interval: int, wanted: Mapping[str, Any], reuse: int) -> set[tuple[int, int, int, int]]:
    """PE, SIMD, lanes and window rows that are worth a look."""
    per_vector = interval // layer.vectors
    if isinstance(layer, MatrixLayer):
        return _matrix_foldings(layer, interval, wanted, reuse)
    taps = taps_of(layer)
    channels = layer.mh if not isinstance(layer, ConcatLayer) else gcd(*(shape[-1] for shape in layer.i_shapes))
    found = {wanted[key] for key in ("pe", "simd", "lanes") if key in wanted} or _divisors(channels)
    windowed = isinstance(layer, PoolLayer)
    return {(n, n, n if windowed else 0, 1) for n in found if layer.mh * taps <= n * per_vector}


def _matrix_foldings(
    layer: MatrixLayer, interval: int, wanted: Mapping[str, Any], reuse: int
) -> set[tuple[int, int, int, int]]:
    if framed(layer):
        pairs = _pairs(layer, interval * reuse, wanted)
    elif reuse <= layer.vectors:
        pairs = _pairs(layer, interval // -(-layer.vectors // reuse), wanted)
    else:
        return set()
    if layer.window is None:
        return {(pe, simd, 0, 1) for pe, simd in pairs}
    found: set[tuple[int, int, int, int]] = set()
    taps, channels = layer.window.geometry.taps, layer.i_shapes[0][-1]
    for rows in _window_rows(layer, wanted):
        slowest = min(interval // layer.vectors * rows / taps, interval / prod(layer.i_shapes[0][:2]))
        lanes = {simd: _window_lanes(channels, rows, slowest, simd, wanted) for _, simd in pairs}
        found |= {(pe, simd, some, rows) for pe, simd in pairs for some in lanes[simd]}
    return found


def _window_rows(layer: MatrixLayer, wanted: Mapping[str, Any]) -> set[int]:
    assert layer.window is not None
    possible = {1, layer.window.geometry.kernel[0]}
    if "window_rows" not in wanted:
        return possible
    if wanted["window_rows"] not in possible:
        some = " or ".join(str(n) for n in sorted(possible))
        raise PlanError(f"--folding: layer {layer.name}: window_rows must be {some}, not {wanted['window_rows']!r}")
    return {wanted["window_rows"]}


def _divisors(number: int) -> set[int]:
    return {n for n in range(1, number + 1) if number % n == 0}


def _window_lanes(channels: int, rows: int, slowest: float, simd: int, wanted: Mapping[str, Any]) -> set[int]:
    """Channels at a time for which a pixel takes no longer than `slowest` cycles: the fewest, and those that fit `simd`
    without or with half a converter, when `rows` taps come at once."""
    if "lanes" in wanted:
        return {wanted["lanes"]}
    enough = {n for n in _divisors(channels) if channels <= n * slowest}
    if not enough:
        return set()
    even = {n for n in enough if n * rows % simd == 0 or simd % (n * rows) == 0}
    return {min(enough)} | ({min(even)} if even else set()) | {n for n in enough if n * rows == simd}


def _pairs(layer: MatrixLayer, interval: int, wanted: Mapping[str, Any]) -> set[tuple[int, int]]:
    """Pairs of PE and SIMD that are worth a look, for `interval` cycles per vector or group of vectors."""
    if "pe" in wanted:
        rows = {wanted["pe"]}
    else:
        rows = {-(-layer.mh // nf) for nf in range(1, min(layer.mh, interval) + 1)}
    pairs: set[tuple[int, int]] = set()
    for pe in rows:
        if "simd" in wanted:
            pairs.add((pe, wanted["simd"]))
            continue
        sf = interval // -(-layer.mh // pe)
        if sf < 1:
            continue
        narrow = -(-layer.mw // sf)
        rounded = {narrow, cost.power_of_two(narrow), next(d for d in range(narrow, layer.mw + 1) if layer.mw % d == 0)}
        if layer.window is not None:
            # Whole pixels, or an even part of one, need at most half a width converter behind the window.
            channels = layer.i_shapes[0][-1]
            rounded |= {
                -(-narrow // channels) * channels,
                *(d for d in _divisors(channels) if narrow <= d < 2 * narrow),
            }
        pairs |= {(pe, simd) for simd in rounded if simd <= layer.mw}
    if interval <= WHOLE and not {"pe", "simd"} & set(wanted):
        pairs.add((layer.mh, layer.mw))
    return pairs


def _frontier(candidates: list[Candidate]) -> list[Candidate]:
    """Those that no other of the same head and tail beats in both LUTs and block RAMs."""
    kept: dict[tuple[Head, Tail], list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: (c.block_ram, c.luts)):
        rivals = kept.setdefault((candidate.head, candidate.tail), [])
        if not rivals or candidate.luts < rivals[-1].luts:
            rivals.append(candidate)
    return [candidate for rivals in kept.values() for candidate in rivals]
