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
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.dataflow import cost
from bnnhw.dataflow.layers import Layer, Network
from bnnhw.dataflow.plan import FOLDING_KEYS, MEMORIES, Folding, LayerPlan, check_layer
from bnnhw.dataflow.timing import search_steps
from bnnhw.errors import PlanError
from bnnhw.parts import Part

# Adders between the registers of a popcount. Two levels of carry chains are about what the rest of a PE, an
# accumulator, takes.
POPCOUNT_LEVELS = 2


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
    slow = max(layer.macs for layer in network.layers) * 2
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
    if solve(network, part, interval, Budget(np.inf, 10**6), folding) is None:
        raise PlanError(
            f"model {network.model}: no folding reaches {interval} cycles per inference: ask for fewer --fps"
        )
    raise _too_large(network, part, interval, budget, folding)


def solve(network: Network, part: Part, interval: int, budget: Budget, folding: Folding) -> Solution | None:
    """The fewest LUTs within `interval` cycles and `budget`, or None."""
    fixed = cost.luts(part, cost.fixed_features(network))
    columns = min(budget.block_ram, part.block_ram) + 1
    choices = [_candidates(layer, part, interval, columns - 1, folding.get(layer.name, {})) for layer in network.layers]
    if any(not layer_choices for layer_choices in choices):
        return None

    # best[p, b]: fewest LUTs of the layers so far with b block RAMs, the last of them having pe_values[p] rows.
    best: NDArray[np.float64] = np.full((1, columns), np.inf)
    best[0, 0] = fixed
    pe_values = [0]
    trail: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for k, candidates in enumerate(choices):
        before = network.layers[k - 1] if k else None
        now_values = sorted({c.plan.pe for c in candidates})
        now = np.full((len(now_values), columns), np.inf)
        chosen = np.full(now.shape, -1)
        came = np.full(now.shape, -1)
        for index, candidate in enumerate(candidates):
            joins = np.array([_join(part, before, pe, candidate.plan.simd, interval) for pe in pe_values])
            reached = best + joins[:, None]
            source = reached.argmin(axis=0)
            value = reached[source, np.arange(columns)] + candidate.luts
            row, used = now_values.index(candidate.plan.pe), candidate.block_ram
            shifted = np.full(columns, np.inf)
            shifted[used:] = value[: columns - used]
            better = shifted < now[row]
            now[row][better] = shifted[better]
            chosen[row][better] = index
            came[row, used:][better[used:]] = source[: columns - used][better[used:]]
        trail.append((chosen, came))
        best, pe_values = now, now_values

    last = network.layers[-1]
    best = best + np.array([_join(part, last, pe, 1, interval) for pe in pe_values])[:, None]
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


def _candidates(
    layer: Layer, part: Part, interval: int, most_block_ram: int, wanted: Mapping[str, Any]
) -> list[_Candidate]:
    """Foldings of one layer within `interval` cycles; `wanted` fixes what the user asks for."""
    base = LayerPlan(
        name=layer.name,
        mw=layer.mw,
        mh=layer.mh,
        pe=1,
        simd=1,
        weight_memory="block",
        buffer_memory="lut",
        threshold_memory="lut",
        popcount_levels=POPCOUNT_LEVELS,
        input=layer.input.name,
        weight=layer.weight.name,
        output=layer.threshold.dtype.name if layer.threshold else "",
    )
    changes: dict[str, Any] = {key: wanted[key] for key in FOLDING_KEYS if key in wanted}
    base = replace(base, **changes)
    check_layer(base, "--folding")
    found: list[_Candidate] = []
    for pe, simd in _foldings(layer, interval, wanted):
        plan = replace(base, pe=pe, simd=simd)
        if plan.nf * max(plan.sf, search_steps(layer.thresholds)) > interval:
            continue
        options = [
            [getattr(base, key)] if key in wanted else list(MEMORIES)
            for key in ("weight_memory", "buffer_memory", "threshold_memory")
        ]
        for weight, buffer, threshold in product(*options):
            option = replace(plan, weight_memory=weight, buffer_memory=buffer, threshold_memory=threshold)
            used = cost.layer_block_rams(part, layer, option)
            if used <= most_block_ram:
                found.append(_Candidate(option, cost.luts(part, cost.layer_features(layer, option)), used))
    return _frontier(found)


def _foldings(layer: Layer, interval: int, wanted: Mapping[str, Any]) -> set[tuple[int, int]]:
    """Pairs of PE and SIMD that are worth a look."""
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
        pairs |= {(pe, simd) for simd in rounded if simd <= layer.mw}
    return pairs


def _frontier(candidates: list[_Candidate]) -> list[_Candidate]:
    """Those that no other of the same PE and SIMD beats in both LUTs and block RAMs."""
    kept: dict[tuple[int, int], list[_Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: (c.block_ram, c.luts)):
        rivals = kept.setdefault((candidate.plan.pe, candidate.plan.simd), [])
        if not rivals or candidate.luts < rivals[-1].luts:
            rivals.append(candidate)
    return [candidate for rivals in kept.values() for candidate in rivals]


def _join(part: Part, before: Layer | None, pe: int, lanes: int, interval: int) -> float:
    """LUTs of the width converter between two layers; infinite if it would be the slowest unit."""
    if before is None:
        return 0.0
    chunk = gcd(pe, lanes)
    nf = -(-before.mh // pe)
    if nf * (pe // chunk) > interval + pe // chunk:
        return np.inf
    return cost.luts(part, cost.converter_features(cost.element_bits(before), pe, lanes))


def _too_large(network: Network, part: Part, interval: int, budget: Budget, folding: Folding) -> PlanError:
    """What the smallest plan needs and the part does not have."""
    fits_luts = solve(network, part, interval, Budget(np.inf, budget.block_ram), folding)
    if fits_luts is None:
        bits = sum(layer.macs * layer.weight.bits for layer in network.layers)
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
