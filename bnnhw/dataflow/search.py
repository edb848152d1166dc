"""Finds PE, SIMD and memories of all layers together.

For a given interval C, a layer has few foldings worth a look: for each number of passes the narrowest SIMD that keeps
within C, that SIMD rounded up to a divisor or a power of two (which makes width converters cheap), and each choice of
memories and of how many vectors share a weight. A dynamic programme over the layers then finds the fewest LUTs for
every number of block RAMs and of single-port RAMs, width converters between neighbours included; it is exact over these
candidates and the cost model. The fastest plan is the smallest C, by bisection, for which that fits the part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from bnnhw.dataflow.area import cost, loader_luts
from bnnhw.dataflow.candidates import FRAMES, VECTORS, Candidate, Candidates, Head, Tail
from bnnhw.dataflow.folding_file import Folding
from bnnhw.dataflow.layers import Layer, LayerPlan, LookupLayer, WeightedLayer
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.pipeline import edge_units, joinable, label_select
from bnnhw.dataflow.plan import lanes_within
from bnnhw.errors import PlanError
from bnnhw.parts import Part
from bnnhw.units import FrameGuard, WidthConverter
from bnnhw.units.stream_fifo import skid_buffer

# More block RAMs than any part has, and more than those that have single-port RAMs, and more of these.
PLENTY, PLENTY_BESIDE, PLENTY_LOADED = 4096, 256, 16


@dataclass(frozen=True)
class Budget:
    """LUTs, block RAMs and single-port RAMs that an accelerator may take."""

    luts: float
    block_ram: int
    spram: int = 0

    def unlimited(self) -> Budget:
        """Plenty of everything; single-port RAMs where there are some."""
        return Budget(np.inf, PLENTY_BESIDE, PLENTY_LOADED) if self.spram else Budget(np.inf, PLENTY)


@dataclass(frozen=True)
class Solution:
    """Foldings of all layers with their cost."""

    layers: tuple[LayerPlan, ...]
    luts: float
    block_ram: int
    spram: int

    @property
    def interval(self) -> int:
        """Cycles per inference of its slowest layer."""
        return max(layer.cycles for layer in self.layers)


class Search:
    """Finds the foldings of all layers of a network on a part.

    Parameters
    ----------
    network, part
        What is folded, and for what.
    folding
        What the user asks of single layers.
    link
        Whether the accelerator is behind the link of a board.
    loads
        Whether weights may lie in single-port RAMs, as many as budgets have.

    Raises
    ------
    PlanError
        If a layer cannot have what `folding` asks for.
    """

    def __init__(
        self, network: Network, part: Part, folding: Folding, *, link: bool = False, loads: bool = False
    ) -> None:
        self._network, self._part = network, part
        self._wanted = [folding.get(layer.name, {}) for layer in network.layers]
        # A deep line buffer on one branch asks for as deep a FIFO on the other.
        deep = all(len(layer.inputs) <= 1 for layer in network.layers)
        # Hard multipliers are shared out beforehand: layers that could use some get equal parts.
        share = part.dsp // max(1, sum(layer.multiplies for layer in network.layers))
        self._candidates = [
            Candidates(
                layer,
                part,
                wanted,
                joins=(joinable(network, k), joinable(network, k + 1)),
                deep=deep,
                share=share,
                link=link,
                loads=loads,
            )
            for k, (layer, wanted) in enumerate(zip(network.layers, self._wanted, strict=True))
        ]

    def fastest(self, budget: Budget, slow: int | None = None) -> Solution:
        """The plan with the smallest interval that fits `budget`; of no more than `slow` cycles.

        Raises
        ------
        PlanError
            If even the slowest plan does not fit.
        """
        slow = slow or 2 * max(layer.work for layer in self._network.layers)
        best = self.solve(slow, budget)
        if best is None:
            raise self._too_large(slow, budget)
        # First with each weight used once when it is fetched, which is quick. More makes it faster by no more than its
        # number, if at all.
        low, high = 0, slow
        for frames, vectors in (((1,), (1,)), (FRAMES, VECTORS)):
            low, middle = low // max(*frames, *vectors), high - 1
            while low < middle < high:
                found = self.solve(middle, budget, frames, vectors)
                if found is not None:
                    best, high = found, middle
                elif middle == high - 1:
                    break
                else:
                    low = middle
                middle = (low + high) // 2
        return best

    def within(self, interval: int, budget: Budget) -> Solution:
        """The smallest plan whose interval is at most `interval` cycles.

        Raises
        ------
        PlanError
            If no such plan fits `budget`; it tells what is too small.
        """
        found = self.solve(interval, budget)
        if found is not None:
            return found
        if self.solve(interval, budget.unlimited()) is None:
            raise PlanError(
                f"model {self._network.model}: no folding reaches {interval} cycles per inference: ask for fewer --fps"
            )
        raise self._too_large(interval, budget)

    def solve(
        self,
        interval: int,
        budget: Budget,
        frames: tuple[int, ...] = FRAMES,
        vectors: tuple[int, ...] = VECTORS,
    ) -> Solution | None:
        """The fewest LUTs within `interval` cycles and `budget`, or None.

        The layers are taken in their order, and the width converter between each two of them is part of the choice.
        Where a layer reads others than the one before it, those converters are left out of the choice, and only counted
        at the end. Each weight is used for as many of `frames`, or of the `vectors` of a frame, as is best.
        """
        network = self._network
        choices: list[list[Candidate]] = []
        for layer, wanted, candidates in zip(network.layers, self._wanted, self._candidates, strict=True):
            batches = layer.batches(wanted, frames, vectors)
            choices.append([candidate for batch in batches for candidate in candidates.within(interval, batch)])
        return _solve(network, self._part, interval, budget, choices)

    def _too_large(self, interval: int, budget: Budget) -> PlanError:
        """What the smallest plan needs and the part does not have."""
        network, part = self._network, self._part
        fits_luts = self.solve(interval, replace(budget, luts=np.inf))
        if fits_luts is None:
            everything = self.solve(interval, budget.unlimited())
            if everything is not None and everything.spram > budget.spram > 0:
                return PlanError(
                    f"model {network.model} does not fit {part.name}: its folding takes {everything.spram} single-port "
                    f"RAMs (weight_memory spram), 16 bits of weights per cycle each, and there are {budget.spram}"
                )
            weighted = [layer for layer in network.layers if isinstance(layer, WeightedLayer)]
            bits = sum(layer.node.weight.size * layer.weight.bits for layer in weighted)
            have = f"{budget.block_ram} block RAMs of {part.block_ram_bits} bits and its LUTs"
            return PlanError(
                f"model {network.model} does not fit {part.name}: {bits:,} weight bits do not go into {have}; "
                "take a larger board, or a smaller model"
            )
        return PlanError(
            f"model {network.model} does not fit {part.name} at {interval:,} cycles per inference: "
            f"about {fits_luts.luts:,.0f} LUTs are needed and {budget.luts:,.0f} may be used; "
            "take a larger board, fewer --fps or a smaller model"
        )


def _solve(
    network: Network, part: Part, interval: int, budget: Budget, everything: list[list[Candidate]]
) -> Solution | None:
    # A column stands for b block RAMs and s single-port ones: b + s * stride. Between those of s and s + 1 are enough
    # columns of no meaning that the difference of two with a meaning is never one with another meaning.
    stride = (2 if budget.spram else 1) * (budget.block_ram + 1)
    columns = stride * (budget.spram + 1)
    ram = np.arange(columns)
    void = ram % stride > budget.block_ram
    choices = [
        [candidate for candidate in some if candidate.block_ram <= budget.block_ram and candidate.spram <= budget.spram]
        for some in everything
    ]
    if not all(choices):
        return None

    # best[p, b]: fewest LUTs of the layers so far with the RAMs of column b, the last of them giving what tails[p]
    # tells.
    best: NDArray[np.float64] = np.full((1, columns), np.inf)
    best[0, 0] = 0.0
    tails = [Tail(0, 1, 1)]
    trail: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for k, candidates in enumerate(choices):
        layer = network.layers[k]
        before = network.layers[k - 1] if k and layer.inputs == (k - 1,) else None
        now_tails = list(dict.fromkeys(c.tail for c in candidates))
        heads = {head: row for row, head in enumerate(dict.fromkeys(c.head for c in candidates))}
        # Of each head: the fewest LUTs up to this layer with the RAMs of column b, in column `columns + b`, and whose
        # they are.
        reached = np.full((len(heads), 2 * columns), np.inf)
        sources = np.zeros((len(heads), columns), np.int64)
        for head, row in heads.items():
            costs = np.array([_join(part, before, layer, tail, head, interval) for tail in tails])
            joined = best + costs[:, None]
            sources[row] = joined.argmin(axis=0)
            reached[row, columns:] = joined[sources[row], ram]
        now = np.full((len(now_tails), columns), np.inf)
        chosen, came = np.zeros(now.shape, np.int64), np.zeros(now.shape, np.int64)
        for row, tail in enumerate(now_tails):
            indices = np.array([index for index, candidate in enumerate(candidates) if candidate.tail == tail])
            some = [candidates[index] for index in indices]
            taken = np.array([candidate.block_ram + candidate.spram * stride for candidate in some])
            head_rows = np.array([heads[candidate.head] for candidate in some])
            luts = np.array([candidate.luts for candidate in some])
            values = reached[head_rows[:, None], columns + ram - taken[:, None]] + luts[:, None]
            values[:, void] = np.inf
            least = values.argmin(axis=0)
            now[row], chosen[row] = values[least, ram], indices[least]
            came[row] = sources[head_rows[least], ram - taken[least]]
        trail.append((chosen, came))
        best, tails = now, now_tails

    best = best + np.array([_end(part, network, tail, interval) for tail in tails])[:, None]
    if budget.spram:
        best[:, stride:] += loader_luts(part)
    if not np.isfinite(best).any() or best.min() > budget.luts:
        return None
    row, used = (int(v) for v in np.unravel_index(best.argmin(), best.shape))
    total, (total_single, total_used) = float(best[row, used]), divmod(used, stride)
    plans: list[LayerPlan] = []
    for candidates, (chosen, came) in zip(reversed(choices), reversed(trail), strict=True):
        candidate = candidates[int(chosen[row, used])]
        row, used = int(came[row, used]), used - candidate.block_ram - candidate.spram * stride
        plans.append(candidate.plan)
    return Solution(tuple(reversed(plans)), total, total_used, total_single)


def _join(part: Part, before: Layer | None, layer: Layer | None, tail: Tail, head: Head, interval: int) -> float:
    """LUTs of what brings `before`, with `tail`, to `layer`, with `head`; infinite if they do not go together, or if it
    would be the slowest unit."""
    if before is None:
        return 0.0
    # As many frames side by side in both are never brought one after the other in between, see `joined`.
    if tail.frames != head.frames or (head.frames == 1 and tail.batch == head.batch > 1):
        return np.inf
    taken = layer.i_shapes[0] if layer is not None else (before.mh * before.vectors,)
    luts, cycles = _brought(part, before.dtype.bits, before.o_shape, tail.pe, taken, head.lanes, head.frames)
    return luts if cycles <= head.frames * interval else np.inf


def _end(part: Part, network: Network, tail: Tail, interval: int) -> float:
    """LUTs of what is around the layers, the last of which has `tail`."""
    last = network.layers[-1]
    lanes = lanes_within(replace(last.unfolded(), pe=tail.pe), interval)
    around = cost(part, (FrameGuard(1, 1, 1), label_select(network, lanes, part.family))).luts
    if not isinstance(last, LookupLayer):  # which ends in a FIFO
        around += cost(part, (skid_buffer(network.result.bits * lanes),)).luts
    return around + _join(part, last, None, tail, Head(lanes, 1, 1), interval)


@lru_cache(maxsize=1 << 16)
def _brought(
    part: Part, bits: int, made: tuple[int, ...], pe: int, taken: tuple[int, ...], lanes: int, frames: int
) -> tuple[float, int]:
    """LUTs of what is between two layers, and the cycles that the slowest unit of it takes."""
    units = [unit for _, unit in edge_units(bits, made, pe, taken, lanes, 0, part.family, frames)]
    converters = [unit for unit in units if isinstance(unit, WidthConverter) and not unit.wires]
    luts = cost(part, (unit for unit in units if unit in converters or not isinstance(unit, WidthConverter))).luts
    return luts, max((unit.cycles(prod(made) // unit.elements) for unit in converters), default=0)
