"""Graph -> Plan: folding, memories, cycles and area of every layer."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import prod
from typing import Any

from bnnhw.dataflow import area
from bnnhw.dataflow.checks import check_belongs
from bnnhw.dataflow.clocks import reckoned_mhz
from bnnhw.dataflow.cycles import Cycles, measure, with_fifos
from bnnhw.dataflow.finn import by_layer
from bnnhw.dataflow.folding_file import Folding, check_names, load_folding
from bnnhw.dataflow.layers import INPUT, LayerPlan, LookupLayer
from bnnhw.dataflow.layers.base import SPRAM
from bnnhw.dataflow.layers.weighted import POPCOUNT_LEVELS
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.pipeline import Stage, memory_image, pipeline
from bnnhw.dataflow.plan import Plan, lanes_within, load_plan
from bnnhw.dataflow.search import Budget, Search, Solution
from bnnhw.errors import PlanError
from bnnhw.parts import MAX_CLOCK_MHZ, Part

__all__ = [
    "ESTIMATE_SCHEMA",
    "Cycles",
    "Network",
    "Plan",
    "Stage",
    "check_belongs",
    "check_clock",
    "estimate",
    "load_folding",
    "load_plan",
    "make_plan",
    "measure",
    "memory_image",
    "pipeline",
    "planned",
]

# Beyond this share of a part's LUTs, routing fails or the clock drops, by the part's family.
FILL = {"ice40": 0.86, "ecp5": 0.82}
# Tables read a few bits each and nothing stalls them: they route where hardly a LUT is left.
FILL_OF_TABLES = 0.93
# LUTs between registers of tables where those with fewer do not fit.
ROOMY_LEVELS = (4, 8)
# Without --fps a plan is as fast as this many LUTs allow: place and route of more takes long, and nobody asked for it.
UNASKED_LUTS = 6000
# Weights are loaded where a plan is faster by this factor for it, or where there is none without: an image in the flash
# is one more thing to keep in order.
LOADING_GAIN = 1.25
# How often a plan whose layers wait for each other is replaced by a faster one.
TRIES = 4
ESTIMATE_SCHEMA = 2


def make_plan(
    network: Network,
    part: Part,
    *,
    board: str = "",
    fps: float | None = None,
    clock_mhz: float | None = None,
    folding: Folding | None = None,
) -> Plan:
    """The plan of `network` on `part`, behind the link of a board.

    Parameters
    ----------
    fps
        Inferences per second to reach, with the fewest LUTs; None for as many as fit (within `UNASKED_LUTS`).
    clock_mhz
        The clock that `fps` is reckoned with; None for one that such a design reaches, see `clocks`.
    folding
        What the user asks of single layers, by name; the rest is found.

    Raises
    ------
    PlanError
        If the network does not fit, the folding names an unknown layer, or `fps` is out of reach.
    """
    wanted = by_layer(folding or {}, network.layers)
    check_names(wanted, [layer.name for layer in network.layers], network.model)
    if clock_mhz is not None:
        check_clock(clock_mhz)
    if fps is not None and not fps > 0:
        raise PlanError(f"--fps must be a positive number, not {fps}")
    planner = _Planner(network, part, wanted, board=board)
    if fps is not None:
        return planner.fast_enough(fps, clock_mhz)
    if all({"pe", "simd"} & {*layer.plan_type.choices} <= {*wanted.get(layer.name, {})} for layer in network.layers):
        layers = planner.within(1 << 40)
    else:
        layers = planner.fastest()
    clock = reckoned_mhz(part, layers) if clock_mhz is None else clock_mhz
    return planned(network, layers, board=board, part=part.name, clock_mhz=clock)


def check_clock(mhz: float) -> None:
    """Refuses a clock that no part has.

    Raises
    ------
    PlanError
        Naming the option.
    """
    if not 0 < mhz <= MAX_CLOCK_MHZ:
        raise PlanError(f"--clock-mhz must be above 0 and at most {MAX_CLOCK_MHZ:g}, not {mhz:g}")


def budget_of(part: Part, network: Network, *, link: bool = True) -> Budget:
    """What `part` has for the accelerator of `network`, behind the `link` of a board or alone."""
    fill = FILL_OF_TABLES if _tables_alone(network) else FILL[part.family]
    if not link:
        return Budget(fill * part.lut4, part.block_ram)
    return Budget(fill * part.lut4 - area.link_luts(part, 0), part.block_ram - area.link_block_rams(part, network))


def _tables_alone(network: Network) -> bool:
    """Whether it is nothing but tables, which take as many LUTs at any speed."""
    return all(isinstance(layer, LookupLayer) for layer in network.layers)


def unasked(budget: Budget) -> Budget:
    """What of `budget` a plan takes of which no speed is asked."""
    return replace(budget, luts=min(budget.luts, UNASKED_LUTS))


class _Planner:
    """Plans of a network on a part, with loaded weights where it cannot be helped, or helps much."""

    def __init__(self, network: Network, part: Part, wanted: Folding, *, board: str) -> None:
        self._network, self._part, self._wanted, self._board = network, part, wanted, board
        self._budget = budget_of(part, network, link=bool(board))
        asked = [name for name, choices in wanted.items() if choices.get("weight_memory") == SPRAM]
        if asked and not part.spram:
            raise PlanError(
                f"--folding: layer {asked[0]}: {part.name} has no single-port RAM for weight_memory {SPRAM}: "
                "take another memory, or a part of iCE40 UltraPlus"
            )
        # Each search with what it may take. What the user asks for decides; else without loading comes first, and
        # loading is for boards, whose link can do it.
        loaded = replace(self._budget, spram=part.spram)
        self._attempts = [] if asked else [(self._search(loads=False), self._budget)]
        if asked or (part.spram and board):
            self._attempts.append((self._search(loads=True), loaded))

    def _search(self, *, loads: bool, wanted: Folding | None = None) -> Search:
        asked = self._wanted if wanted is None else wanted
        return Search(self._network, self._part, asked, link=bool(self._board), loads=loads)

    def within(self, interval: int) -> tuple[LayerPlan, ...]:
        """The layers that take no more than `interval` cycles with the fewest LUTs."""
        *others, (last, most) = self._attempts
        for search, budget in others:
            if (found := search.solve(interval, budget)) is not None:
                return found.layers
        return last.within(interval, most).layers

    def fastest(self) -> tuple[LayerPlan, ...]:
        """The layers of the fastest plan."""
        if _tables_alone(self._network):
            return self._fastest_tables()
        refusal: PlanError | None = None
        best: Solution | None = None
        for search, budget in self._attempts:
            allowed = unasked(budget)
            if best is not None:
                enough = int(best.interval / LOADING_GAIN)
                if enough and search.solve(enough, allowed) is not None:
                    best = search.fastest(allowed, enough)
                continue
            try:
                best = search.fastest(allowed)
            except PlanError as error:
                refusal = error
        if best is None:
            assert refusal is not None
            raise refusal
        return best.layers

    def _fastest_tables(self) -> tuple[LayerPlan, ...]:
        """The layers of tables in the fewest cycles, and with registers as close together as there is room for then."""
        found: list[tuple[LayerPlan, ...]] = []
        for levels in (POPCOUNT_LEVELS, *ROOMY_LEVELS):
            names = [layer.name for layer in self._network.layers]
            asked = {name: {"popcount_levels": levels, **self._wanted.get(name, {})} for name in names}
            try:
                found.append(self._search(loads=False, wanted=asked).fastest(self._budget).layers)
            except PlanError:
                if levels == ROOMY_LEVELS[-1] and not found:
                    raise
            else:
                if all(layer.cycles == 1 for layer in found[-1]):
                    break
        return min(found, key=lambda layers: max(layer.cycles for layer in layers))

    def fast_enough(self, fps: float, clock_mhz: float | None) -> Plan:
        """The plan that gives `fps` inferences per second with the fewest LUTs, at the clock that it reaches by the
        table, or the one asked for."""
        network, part = self._network, self._part
        clock = reckoned_mhz(part, (layer.unfolded() for layer in network.layers)) if clock_mhz is None else clock_mhz
        while True:
            interval = int(clock * 1e6 / fps)
            if interval < 1:
                raise PlanError(
                    f"--fps {fps:g} at {clock:g} MHz is less than a cycle per inference: ask for at most "
                    f"{clock * 1e6:,.0f}"
                )
            plan = self._reaching(interval, clock)
            found = reckoned_mhz(part, plan.layers)
            if clock_mhz is not None or found >= clock:
                return plan
            # What the plan chose is slower than what it was reckoned with: there are few such kinds.
            clock = found

    def _reaching(self, interval: int, clock_mhz: float) -> Plan:
        """The plan that takes no more than `interval` cycles per inference with the fewest LUTs.

        Layers that keep within it one by one may still wait for each other, so the plan is measured, and where it is
        slower, one for a shorter interval is tried.
        """
        wanted = interval
        for _ in range(TRIES):
            layers = self.within(wanted)
            plan = planned(self._network, layers, board=self._board, part=self._part.name, clock_mhz=clock_mhz)
            found = measure(plan, self._network).interval
            if found <= interval:
                return plan
            wanted = int(wanted * interval / found)
        raise PlanError(
            f"model {self._network.model}: no folding was found that takes {interval:,} cycles per inference, only one "
            f"of {found:,.0f}: ask for fewer --fps"
        )


def planned(network: Network, layers: tuple[LayerPlan, ...], *, board: str, part: str, clock_mhz: float) -> Plan:
    """The plan that `layers` make, with the FIFOs that they need."""
    (first, _), *_ = network.readers(INPUT)
    simd = layers[first].i_lanes
    interval = max(-(-prod(network.i_shape) // simd), *(layer.cycles for layer in layers))
    plan = Plan(
        model=network.model,
        digest="",
        board=board,
        part=part,
        clock_mhz=clock_mhz,
        input=network.i_dtype.name,
        input_elements=prod(network.i_shape),
        input_simd=simd,
        output_lanes=lanes_within(layers[-1], interval),
        macs=network.macs,
        layers=layers,
    )
    plan = with_fifos(plan, network)
    return replace(plan, digest=digest(network, plan))


def digest(network: Network, plan: Plan) -> str:
    """16 hexadecimal digits of all that `network` computes and the whole `plan`."""
    return hashlib.sha256((network.digest + replace(plan, digest="").to_json()).encode()).hexdigest()[:16]


def estimate(plan: Plan, network: Network) -> dict[str, Any]:
    """What estimate.json holds: cycles, area, and the part's limits.

    Cycles are exact. LUTs and block RAMs include the link of a board where the plan names one.
    """
    part = plan.device
    cycles = measure(plan, network)
    luts, blocks, single = area.cost(part, (stage.unit for stage in pipeline(plan, network)))
    if plan.loads:
        luts += area.loader_luts(part)
    if plan.board:
        luts += area.link_luts(part, plan.input_simd * network.i_dtype.bits)
        blocks += area.link_block_rams(part, network)
    layers = []
    for layer, folded in zip(network.layers, plan.layers, strict=True):
        own = area.cost(part, (unit for _, unit in layer.units(folded, part.family)))
        entry = {
            "name": folded.name,
            "kind": folded.kind,
            "vectors": folded.vectors,
            "mw": folded.mw,
            "mh": folded.mh,
            "pe": folded.pe,
            "simd": folded.columns,
            "cycles": folded.cycles,
            "lut4": round(own.luts),
            "block_ram": own.block_ram,
        }
        layers.append(entry)
    return {
        "schema": ESTIMATE_SCHEMA,
        "model": plan.model,
        "digest": plan.digest,
        "board": plan.board,
        "part": plan.part,
        "clock_mhz": plan.clock_mhz,
        "cycles_per_inference": cycles.interval,
        "latency_cycles": cycles.latency,
        "inferences_per_second": plan.clock_mhz * 1e6 / cycles.interval,
        "macs_per_inference": plan.macs,
        "macs_per_cycle": plan.macs / cycles.interval,
        "limit": {"logic": part.logic_macs_per_cycle, "memory_bandwidth": part.bandwidth_macs_per_cycle},
        "utilization": {
            "lut4": {"used": round(luts), "available": part.lut4},
            "block_ram": {"used": blocks, "available": part.block_ram},
            "spram": {"used": single, "available": part.spram},
        },
        "layers": layers,
    }
