"""Which clock a build chooses, without running the tools: routes here are numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bnnhw.errors import BnnhwError, PlanError, ToolError
from bnnhw.progress import silent
from bnnhw.toolchain import Board, bitstream, find_board
from bnnhw.toolchain.bitstream import Job, slowest_mhz
from bnnhw.toolchain.flow import Timing
from tests.toolchain.networks import bipolar_network, folded

BOARD = find_board("icebreaker")


class Routes:
    """Stands in for the tools: every route reaches `accel` and `link` MHz, those without a PLL `alone` MHz; `by_seed`
    has what single seeds reach instead of `accel`, or how they fail."""

    def __init__(
        self,
        accel: float,
        link: float = 40.0,
        alone: float = 40.0,
        by_seed: Mapping[int, float | BnnhwError] | None = None,
    ) -> None:
        self.reached = (accel, link, alone)
        self.by_seed = by_seed or {}
        self.log: list[str] = []
        self.unstable = False
        self.dividers: Mapping[str, int] | None = None

    def elaborate(self, top: Any, board: Any, folder: Path) -> None:
        self.dividers = top._dividers
        self.log.append("without PLL" if self.dividers is None else "with PLL")

    def synthesize(self, board: Any, folder: Path) -> None:
        pass

    def route(self, board: Any, folder: Path, *, seed: int, heard: Callable[[str], None] = lambda line: None) -> Timing:
        reached = self.by_seed.get(seed, self.reached[0])
        if isinstance(reached, BnnhwError):
            raise reached
        return replace(self.timing(folder), accel_mhz=reached) if self.dividers is not None else self.timing(folder)

    def keep(self, folder: Path, *, seed: int) -> None:
        self.reached = (self.route(None, folder, seed=seed).accel_mhz, *self.reached[1:])
        self.log.append(f"seed {seed}")

    def timing(self, folder: Path) -> Timing:
        accel, link, alone = self.reached
        return Timing(alone, alone) if self.dividers is None else Timing(accel, link)

    def set_dividers(self, board: Any, folder: Path, dividers: Mapping[str, int]) -> None:
        self.dividers = dividers
        if self.unstable:
            self.reached = (20.0, 40.0, 40.0)
        self.log.append("set")

    def pack(self, board: Any, folder: Path) -> None:
        self.log.append("pack")


def run(
    routes: Routes,
    monkeypatch: pytest.MonkeyPatch,
    clock_mhz: float | None = None,
    board: Board = BOARD,
    seeds: Sequence[int] = (1,),
    fast_baud: int | None = 3_000_000,
) -> float:
    monkeypatch.setattr(bitstream, "flow", routes)
    network = bipolar_network(12, 6, 4)
    plan = folded(network, board, (2, 4), (1, 3))
    job = Job(plan, network, board, Path(), seeds, 2, fast_baud, silent)
    clock, _ = job.run(clock_mhz)
    assert job.link_frames_per_second > 1000
    assert {"elaborate", "synthesize", "place_and_route", "pack"} <= set(job.seconds)
    assert tuple(job.reached_mhz) == tuple(seeds) and job.seed in seeds
    return float(clock)


def test_as_fast_as_timing_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = Routes(accel=32.4)
    assert run(routes, monkeypatch) == 32.25
    assert routes.log == ["with PLL", "seed 1", "set", "pack"]
    assert routes.dividers == {"DIVR": 0, "DIVF": 85, "DIVQ": 5, "FILTER_RANGE": 1}


def test_as_slow_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = Routes(accel=32.4)
    assert run(routes, monkeypatch, 20.0) == 19.875
    assert routes.log == ["with PLL", "seed 1", "pack"]  # the first route had that clock already


def test_a_clock_from_a_report_was_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(Routes(accel=32.4), monkeypatch, 20.6249999) == 20.625


def test_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanError, match=r"--clock-mhz 48: timing allows 32.40 MHz with seed 1; ask for less"):
        run(Routes(accel=32.4), monkeypatch, 48.0)


def test_below_the_pll_the_oscillator_is_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = Routes(accel=15.0, alone=14.0)
    assert run(routes, monkeypatch) == 12.0
    assert routes.log == ["with PLL", "seed 1", "without PLL", "seed 1", "pack"]


def test_the_oscillator_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = Routes(accel=32.4)
    assert run(routes, monkeypatch, 12.0) == 12.0
    assert routes.log == ["without PLL", "seed 1", "pack"]


def test_too_slow_for_any_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanError, match="timing allows 11.00 MHz on ice40-up5k, and the slowest clock .* is 12 MHz"):
        run(Routes(accel=11.0), monkeypatch)
    with pytest.raises(PlanError, match="timing allows 11.50 MHz"):
        run(Routes(accel=13.0, alone=11.5), monkeypatch)


def test_too_slow_for_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanError, match="timing allows 10.00 MHz"):
        run(Routes(accel=32.4, link=10.0), monkeypatch)


def test_a_route_that_does_not_keep_still(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = Routes(accel=32.4)
    routes.unstable = True
    with pytest.raises(ToolError, match="nextpnr-ice40 changed the routed design"):
        run(routes, monkeypatch)


def test_the_fastest_seed_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = Routes(accel=32.4, by_seed={4: 35.1, 5: 31.0})
    assert run(routes, monkeypatch, seeds=(3, 4, 5)) == 34.5
    assert routes.log == ["with PLL", "seed 4", "set", "pack"]


def test_a_seed_without_a_route_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = ToolError("nextpnr-ice40 failed: no room")
    routes = Routes(accel=32.4, by_seed={1: lost, 3: 33.1})
    assert run(routes, monkeypatch, seeds=(1, 2, 3)) == 33.0
    with pytest.raises(ToolError, match="no room"):
        run(Routes(accel=32.4, by_seed={1: lost, 2: lost}), monkeypatch, seeds=(1, 2))
    with pytest.raises(PlanError, match="too large"):
        run(Routes(accel=32.4, by_seed={2: PlanError("too large")}), monkeypatch, seeds=(1, 2))


def test_no_seed_reaches_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanError, match=r"timing allows 35.10 MHz with seeds 1 to 2; ask for less"):
        run(Routes(accel=32.4, by_seed={2: 35.1}), monkeypatch, 48.0, seeds=(1, 2))


def test_below_the_slowest(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanError, match="--clock-mhz 5: the slowest clock of board icebreaker is 12 MHz"):
        run(Routes(accel=32.4), monkeypatch, 5.0)


def test_a_link_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        PlanError, match="model small does not fit the host link of board icebreaker: .* 9,000,000 baud"
    ):
        run(Routes(accel=32.4), monkeypatch, fast_baud=9_000_000)


def test_the_slowest_clocks() -> None:
    assert slowest_mhz(BOARD) == 12.0
    assert slowest_mhz(find_board("ulx3s")) == 3.125
