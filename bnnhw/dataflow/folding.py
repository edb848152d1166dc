"""Finds PE, SIMD and memories of all layers together.

For a given interval C, a layer has few foldings worth a look: for each number of passes the narrowest SIMD that keeps
within C, that SIMD rounded up to a divisor or a power of two (which makes width converters cheap), and each choice of
memories. A dynamic programme over the layers then finds the fewest LUTs for every number of block RAMs, width
converters between neighbours included; it is exact over these candidates and the cost model. The fastest plan is
the smallest C, by bisection, for which that fits the part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import gcd, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.dataflow import cost
from bnnhw.dataflow.layers import ConcatLayer, Layer, MatrixLayer, Network, PoolLayer
from bnnhw.dataflow.plan import FOLDING_KEYS, MEMORIES, MEMORY_KEYS, Folding, LayerPlan, check_layer
from bnnhw.dataflow.structure import Convert, Slide, edge_units, layer_units, search_steps
from bnnhw.errors import PlanError
from bnnhw.parts import Part

# Adders between the registers of a popcount. Two levels of carry chains are about what the rest of a PE, an
# accumulator, takes.
POPCOUNT_LEVELS = 2
# How many vectors may share a fetched weight; more than these bring little, and the search would take longer.
REUSES = (1, 2, 4)
# More block RAMs than any part has.
PLENTY = 4096


@dataclass(frozen=True)
class Budget:
    """LUTs and block RAMs that an accelerator may take."""

    luts: float
    block_ram: int


@dataclass(frozen=True)
class Solution:
    """Foldings of all layers with their cost."""

    layers: tuple[LayerPlan, ...]
    luts: float
    block_ram: int


def fastest(network: Network, part: Part, budget: Budget, folding: Folding) -> Solution:
    """The plan with the smallest interval that fits `budget`.

    Raises
    ------
    PlanError
        If even the slowest plan does not fit.
    """
    slow = 2 * max(max(layer.macs, prod(layer.o_shape) * _taps(layer)) for layer in network.layers)
    best = solve(network, part, slow, budget, folding)
    if best is None:
        raise _too_large(network, part, slow, budget, folding)
    low, high = 0, slow
    while high - low > 1:
        middle = (low + high) // 2
        found = solve(network, part, middle, budget, folding)
        if found is None:
            low = middle
        else:
            best, high = found, middle
    return best


def _taps(layer: Layer) -> int:
    return layer.pool.geometry.taps if isinstance(layer, PoolLayer) else 1


def within(network: Network, part: Part, interval: int, budget: Budget, folding: Folding) -> Solution:
    """The smallest plan whose interval is at most `interval` cycles.

    Raises
    ------
    PlanError
        If no such plan fits `budget`; it tells what is too small.
    """
    found = solve(network, part, interval, budget, folding)
    if found is not None:
        return found
    if solve(network, part, interval, Budget(np.inf, PLENTY), folding) is None:
        raise PlanError(
            f"model {network.model}: no folding reaches {interval} cycles per inference: ask for fewer --fps"
        )
    raise _too_large(network, part, interval, budget, folding)


def solve(network: Network, part: Part, interval: int, budget: Budget, folding: Folding) -> Solution | None:
    """The fewest LUTs within `interval` cycles and `budget`, or None.

    The layers are taken in their order, and the width converter between each two of them is part of the choice. Where a
    layer reads others than the one before it, those converters are left out of the choice, and only counted at the end.
    Weights are used for several vectors only where block RAM is what is missing: that is all that it saves.
    """
    found = _solve(network, part, interval, budget, folding, (1,))
    if found is None and _solve(network, part, interval, replace(budget, block_ram=PLENTY), folding, (1,)) is not None:
        found = _solve(network, part, interval, budget, folding, REUSES)
    return found


def _solve(
    network: Network, part: Part, interval: int, budget: Budget, folding: Folding, reuses: tuple[int, ...]
) -> Solution | None:
    fixed = cost.luts(part, cost.fixed_features(network))
    columns = budget.block_ram + 1
    # A deep line buffer on one branch asks for as deep a FIFO on the other.
    branching = any(len(layer.inputs) > 1 for layer in network.layers)
    choices = [
        _candidates(layer, part, interval, columns - 1, folding.get(layer.name, {}), reuses, deep=not branching)
        for layer in network.layers
    ]
    if any(not layer_choices for layer_choices in choices):
        return None

    # best[p, b]: fewest LUTs of the layers so far with b block RAMs, the last of them having pe_values[p] rows.
    best: NDArray[np.float64] = np.full((1, columns), np.inf)
    best[0, 0] = fixed
    pe_values = [0]
    trail: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for k, candidates in enumerate(choices):
        layer = network.layers[k]
        before = network.layers[k - 1] if k and layer.inputs == (k - 1,) else None
        now_values = sorted({c.plan.pe for c in candidates})
        now = np.full((len(now_values), columns), np.inf)
        chosen = np.full(now.shape, -1)
        came = np.full(now.shape, -1)
        joins: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for index, candidate in enumerate(candidates):
            lanes = candidate.plan.i_lanes
            if lanes not in joins:
                costs = np.array([_join(part, before, layer, pe, lanes, interval) for pe in pe_values])
                reached = best + costs[:, None]
                source = reached.argmin(axis=0)
                joins[lanes] = source, reached[source, np.arange(columns)]
            source, reached = joins[lanes]
            value = reached + candidate.luts
            row, used = now_values.index(candidate.plan.pe), candidate.block_ram
            shifted = np.full(columns, np.inf)
            shifted[used:] = value[: columns - used]
            better = shifted < now[row]
            now[row][better] = shifted[better]
            chosen[row][better] = index
            came[row, used:][better[used:]] = source[: columns - used][better[used:]]
        trail.append((chosen, came))
        best, pe_values = now, now_values

    best = best + np.array([_join(part, network.layers[-1], None, pe, 1, interval) for pe in pe_values])[:, None]
    if not np.isfinite(best).any() or best.min() > budget.luts:
        return None
    row, used = (int(v) for v in np.unravel_index(best.argmin(), best.shape))
    total, total_used = float(best[row, used]), used
    plans: list[LayerPlan] = []
    for candidates, (chosen, came) in zip(reversed(choices), reversed(trail), strict=True):
        candidate = candidates[int(chosen[row, used])]
        row, used = int(came[row, used]), used - candidate.block_ram
        plans.append(candidate.plan)
    return Solution(tuple(reversed(plans)), total, total_used)


@dataclass(frozen=True)
class _Candidate:
    plan: LayerPlan
    luts: float
    block_ram: int


def unfolded(layer: Layer) -> LayerPlan:
    """The plan of a layer that takes one element at a time, everything but the weights in LUTs."""
    windowed = isinstance(layer, PoolLayer) or (isinstance(layer, MatrixLayer) and layer.window is not None)
    return LayerPlan(
        name=layer.name,
        kind=layer.kind,
        elements=prod(layer.i_shapes[0]),
        vectors=layer.vectors,
        mw=layer.mw * _taps(layer),
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
        popcount_levels=POPCOUNT_LEVELS if isinstance(layer, MatrixLayer) else None,
        input=layer.input.name,
        weight=layer.weight.name if isinstance(layer, MatrixLayer) else "",
        output="" if isinstance(layer, MatrixLayer) and layer.threshold is None else str(layer.dtype),
    )


def _candidates(
    layer: Layer,
    part: Part,
    interval: int,
    most_block_ram: int,
    wanted: Mapping[str, Any],
    reuses: tuple[int, ...],
    *,
    deep: bool,
) -> list[_Candidate]:
    """Foldings of one layer within `interval` cycles; `wanted` fixes what the user asks for; line buffers are `deep`
    where that costs nothing."""
    base = unfolded(layer)
    changes: dict[str, Any] = {key: wanted[key] for key in FOLDING_KEYS if key in wanted}
    base = replace(base, **changes)
    check_layer(base, "--folding")
    found: list[_Candidate] = []
    for pe, simd, lanes, rows, reuse in _foldings(layer, interval, wanted, reuses):
        plan = replace(base, pe=pe, simd=simd, lanes=lanes, window_rows=rows, reuse=reuse)
        if plan.cycles > interval or layer.vectors * plan.nf * search_steps(layer.thresholds) > interval:
            continue
        if lanes and plan.kind == "matrix" and layer.vectors * -(-layer.mw // gcd(lanes * rows, simd)) > interval:
            continue  # for the width converter between the window and the PEs
        for memories in _memories(plan, base, wanted):
            option = replace(plan, **memories)
            if deep and lanes and rows == 1 and option.window_memory == "block" and "window_depth" not in wanted:
                slide = next(unit for _, unit in layer_units(layer, option) if isinstance(unit, Slide))
                option = replace(option, window_depth=cost.free_depth(part, slide))
            used = cost.layer_block_rams(part, layer, option)
            if used <= most_block_ram:
                found.append(_Candidate(option, cost.luts(part, cost.layer_features(layer, option)), used))
    return _frontier(found)


def _memories(plan: LayerPlan, base: LayerPlan, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The choices of memory that make a difference."""
    matters = {
        "weight_memory": plan.kind == "matrix",
        "buffer_memory": plan.kind == "matrix" and plan.nf > 1,
        "threshold_memory": plan.kind in ("matrix", "threshold"),
        "window_memory": plan.lanes > 0,
    }
    options = [[getattr(base, key)] if key in wanted or not matters[key] else list(MEMORIES) for key in MEMORY_KEYS]
    return [dict(zip(MEMORY_KEYS, choice, strict=True)) for choice in product(*options)]


def _foldings(
    layer: Layer, interval: int, wanted: Mapping[str, Any], reuses: tuple[int, ...]
) -> set[tuple[int, int, int, int, int]]:
    """PE, SIMD, lanes, window rows and reuse that are worth a look."""
    per_vector = interval // layer.vectors
    if isinstance(layer, MatrixLayer):
        return _matrix_foldings(layer, interval, wanted, reuses)
    taps = _taps(layer)
    channels = layer.mh if not isinstance(layer, ConcatLayer) else gcd(*(shape[-1] for shape in layer.i_shapes))
    found = {wanted[key] for key in ("pe", "simd", "lanes") if key in wanted} or _divisors(channels)
    windowed = isinstance(layer, PoolLayer)
    return {(n, n, n if windowed else 0, 1, 1) for n in found if layer.mh * taps <= n * per_vector}


def _matrix_foldings(
    layer: MatrixLayer, interval: int, wanted: Mapping[str, Any], reuses: tuple[int, ...]
) -> set[tuple[int, int, int, int, int]]:
    found: set[tuple[int, int, int, int, int]] = set()
    for reuse in (wanted["reuse"],) if "reuse" in wanted else (n for n in reuses if n <= layer.vectors):
        pairs = _pairs(layer, interval // -(-layer.vectors // reuse), wanted)
        if layer.window is None:
            found |= {(pe, simd, 0, 1, reuse) for pe, simd in pairs}
            continue
        taps, channels = layer.window.geometry.taps, layer.i_shapes[0][-1]
        for rows in _window_rows(layer, wanted):
            slowest = min(interval // layer.vectors * rows / taps, interval / prod(layer.i_shapes[0][:2]))
            lanes = {simd: _window_lanes(channels, rows, slowest, simd, wanted) for _, simd in pairs}
            found |= {(pe, simd, some, rows, reuse) for pe, simd in pairs for some in lanes[simd]}
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
    return pairs


def _frontier(candidates: list[_Candidate]) -> list[_Candidate]:
    """Those that no other of the same lanes at both ends beats in both LUTs and block RAMs."""
    kept: dict[tuple[int, int], list[_Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: (c.block_ram, c.luts)):
        rivals = kept.setdefault((candidate.plan.pe, candidate.plan.i_lanes), [])
        if not rivals or candidate.luts < rivals[-1].luts:
            rivals.append(candidate)
    return [candidate for rivals in kept.values() for candidate in rivals]


def _join(part: Part, before: Layer | None, layer: Layer | None, pe: int, lanes: int, interval: int) -> float:
    """LUTs of what brings `before`, in beats of `pe`, to `layer`; infinite if it would be the slowest unit."""
    if before is None:
        return 0.0
    taken = layer.i_shapes[0] if layer is not None else (before.mh * before.vectors,)
    bits, total = before.o_width, 0.0
    for _, unit in edge_units(bits, before.o_shape, pe, taken, lanes, 0):
        if isinstance(unit, Convert) and not unit.wires:
            chunk = gcd(unit.i_lanes, unit.o_lanes)
            vectors = before.mh * before.vectors // unit.elements
            if vectors * -(-unit.elements // chunk) > interval + unit.i_lanes // chunk:
                return np.inf
        total += 0.0 if isinstance(unit, Convert) and unit.wires else cost.luts(part, cost.unit_features(unit))
    return total


def _too_large(network: Network, part: Part, interval: int, budget: Budget, folding: Folding) -> PlanError:
    """What the smallest plan needs and the part does not have."""
    fits_luts = solve(network, part, interval, Budget(np.inf, budget.block_ram), folding)
    if fits_luts is None:
        matrices = [layer for layer in network.layers if isinstance(layer, MatrixLayer)]
        bits = sum(layer.mw * layer.mh * layer.weight.bits for layer in matrices)
        have = f"{budget.block_ram} block RAMs of {part.block_ram_bits} bits"
        return PlanError(
            f"model {network.model} does not fit {part.name}: {bits:,} weight bits do not go into {have} and its LUTs; "
            "take a larger board, or a smaller model"
        )
    return PlanError(
        f"model {network.model} does not fit {part.name} at {interval:,} cycles per inference: "
        f"about {fits_luts.luts:,.0f} LUTs are needed and {budget.luts:,.0f} may be used; "
        "take a larger board, fewer --fps or a smaller model"
    )
