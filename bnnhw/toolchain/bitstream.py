"""One bitstream: the steps in their order, and the choice of the accelerator's clock."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from bnnhw.dataflow import Network, Plan
from bnnhw.dataflow.clocks import usual_mhz
from bnnhw.errors import PlanError, ToolError
from bnnhw.progress import Progress, Tell
from bnnhw.toolchain import flow, pll, tools
from bnnhw.toolchain.boards import Board
from bnnhw.toolchain.flow import Timing
from bnnhw.toolchain.routing_progress import Routes

if TYPE_CHECKING:
    from bnnhw.generate.board_top import BoardTop

# A clock that the user copied from a report has been rounded.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Clock:
    """A clock for the accelerator: the PLL's output, or without a setting that of the host link."""

    mhz: Fraction
    setting: pll.Setting | None


def fastest_clock(board: Board, limit_mhz: float) -> Clock | None:
    """The fastest clock of `board` that is not above `limit_mhz`; None if all are."""
    setting = pll.fastest(board.device.family, board.clock_mhz, limit_mhz)
    if setting is not None:
        return Clock(setting.mhz, setting)
    # The PLL of iCE40 cannot go below 16 MHz.
    return Clock(Fraction(board.link_mhz), None) if board.link_mhz <= limit_mhz else None


def slowest_mhz(board: Board) -> float:
    """The slowest clock of `board`."""
    return float(min(Fraction(board.link_mhz), *(s.mhz for s in pll.settings(board.device.family, board.clock_mhz))))


@dataclass
class Job:
    """The steps from a plan to a bitstream, in `folder`.

    Parameters
    ----------
    seeds
        Of the placer: the design is routed once with each, and the fastest is taken.
    jobs
        How many routes at the same time.

    Attributes
    ----------
    seconds
        Wall time of each step done so far.
    link_frames_per_second
        What the host link can carry; known once `run` has begun.
    reached_mhz
        What timing allows the accelerator with each seed; None where there was no route. Known once `run` is done,
        as is `seed`, the one that was taken.
    """

    plan: Plan
    network: Network
    board: Board
    folder: Path
    seeds: Sequence[int]
    jobs: int
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    link_frames_per_second: float = 0.0
    reached_mhz: dict[int, float | None] = field(default_factory=dict)
    seed: int = 0

    def run(self, clock_mhz: float | None) -> tuple[Fraction, Timing]:
        """Makes the bitstream; gives the clock that it runs at, in MHz, and what timing would allow.

        Timing does not depend on the frequency that the router is told to reach, so one route of each seed tells which
        frequency to choose, and only the PLL's dividers change after it.

        Raises
        ------
        PlanError
            If the design does not fit the part or the link, or timing does not allow `clock_mhz`, or no clock at all.
        ToolError
            If a tool is missing or fails.
        """
        board = self.board
        wanted = math.inf if clock_mhz is None else clock_mhz * (1 + ROUNDING)
        clock = fastest_clock(board, min(wanted, usual_mhz(board.device)))
        if clock is None:
            raise PlanError(
                f"--clock-mhz {clock_mhz:g}: the slowest clock of board {board.name} is {slowest_mhz(board):g} MHz"
            )
        timing = self._route(clock)
        choice = fastest_clock(board, min(wanted, timing.accel_mhz))
        if clock.setting is not None and choice is not None and choice.setting is None:
            clock = choice
            timing = self._route(clock)
            choice = fastest_clock(board, min(wanted, timing.accel_mhz))
        if timing.link_mhz < board.link_mhz:
            raise PlanError(
                f"the host link of board {board.name} runs at {board.link_mhz:g} MHz, and timing allows "
                f"{timing.link_mhz:.2f} MHz with {self._tried()}: try more --seeds, or a board's file with link_divider"
            )
        if choice is None:
            raise PlanError(
                f"timing allows {timing.accel_mhz:.2f} MHz on {board.part}, and the slowest clock of board "
                f"{board.name} is {slowest_mhz(board):g} MHz: use a smaller simd or popcount_levels (--folding)"
            )
        reachable = fastest_clock(board, wanted) if clock_mhz is not None else None
        if reachable is not None and choice.mhz < reachable.mhz:
            raise PlanError(
                f"--clock-mhz {clock_mhz:g}: timing allows {timing.accel_mhz:.2f} MHz with {self._tried()}; "
                "ask for less, try more --seeds, or leave --clock-mhz out to get the fastest clock"
            )
        if choice.setting is not None and choice != clock:
            with self._step("clock", "Setting the clock"):
                flow.set_dividers(board, self.folder, choice.setting.dividers)
                timing = flow.timing(self.folder)
            if timing.accel_mhz < choice.mhz or timing.link_mhz < board.link_mhz:
                raise ToolError(
                    f"{tools.NEXTPNR[board.device.family].name} changed the routed design when it read it back: "
                    "use the version from PyPI"
                )
        with self._step("pack", "Packing the bitstream"):
            flow.pack(board, self.folder)
        return choice.mhz, timing

    def _route(self, clock: Clock) -> Timing:
        with self._step("elaborate", "Writing the netlist of the units"):
            flow.elaborate(self._top(clock), self.board, self.folder)
        with self._step("synthesize", "Synthesis"):
            flow.synthesize(self.board, self.folder)
        with self._step("place_and_route", f"Place and route with {self._tried()}") as tell:
            routes = self._routes(Routes(tell, len(self.seeds)))
        self.seed = max(routes, key=lambda seed: self._merit(routes[seed]))
        flow.keep(self.folder, seed=self.seed)
        return routes[self.seed]

    def _routes(self, told: Routes) -> dict[int, Timing]:
        """The timing of each seed's route. A placer may find no room with one seed that it finds with another."""

        def route(seed: int) -> Timing:
            with told.route(seed) as heard:
                return flow.route(self.board, self.folder, seed=seed, heard=heard)

        with ThreadPoolExecutor(self.jobs) as pool:
            running = {seed: pool.submit(route, seed) for seed in self.seeds}
            try:
                failures = {seed: route.exception() for seed, route in running.items()}
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                tools.stop()
                raise
        routes = {seed: route.result() for seed, route in running.items() if failures[seed] is None}
        for failure in failures.values():
            if failure is not None and not (routes and isinstance(failure, ToolError)):
                raise failure
        self.reached_mhz = {seed: routes[seed].accel_mhz if seed in routes else None for seed in self.seeds}
        return routes

    def _merit(self, timing: Timing) -> tuple[bool, float]:
        return timing.link_mhz >= self.board.link_mhz, timing.accel_mhz

    def _tried(self) -> str:
        """The seeds in words."""
        first, *others = self.seeds
        return f"seeds {first} to {others[-1]}" if others else f"seed {first}"

    def _top(self, clock: Clock) -> BoardTop:
        from bnnhw.generate.board_top import BoardTop  # Amaranth takes long to import

        board = self.board
        try:
            top = BoardTop(
                self.plan,
                self.network,
                clk_hz=board.clock_mhz * 1e6,
                link_divider=board.link_divider,
                baud=board.baud,
                clock=board.clock,
                uart=board.uart,
                leds=board.leds,
                pll=None if clock.setting is None else board.pll,
                dividers=None if clock.setting is None else clock.setting.dividers,
            )
        except ValueError as error:
            raise PlanError(
                f"model {self.plan.model} does not fit the host link of board {board.name}: {error}"
            ) from None
        self.link_frames_per_second = top.link.frames_per_second
        return top

    @contextmanager
    def _step(self, key: str, description: str) -> Iterator[Tell]:
        started = time.monotonic()
        with self.progress(description) as tell:
            yield tell
        self.seconds[key] = self.seconds.get(key, 0.0) + time.monotonic() - started
