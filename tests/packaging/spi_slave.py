"""What a master of SPI finds: the module as the page of a package describes it, and the module itself, simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from amaranth.sim import Simulator

from bnnhw.design import Design
from bnnhw.generate.wrappers import wrapper
from bnnhw.generate.wrappers.spi import CLOCK_RATIO


class Slave:
    """The protocol byte by byte, with a module behind it that takes some words and has integers at times.

    Parameters
    ----------
    numbers
        Of a result: integers, then the class.
    frame_words
        After which there is a result.
    is_ready
        Whether the module takes a word, or has an integer, when it is asked for the n-th time.
    """

    def __init__(self, digest: int, numbers: Sequence[int], frame_words: int, is_ready: Callable[[int], bool]) -> None:
        self._digest, self._numbers, self._frame_words, self._is_ready = digest, list(numbers), frame_words, is_ready
        self._asked = 0
        self.words: list[int] = []
        self.left: list[int] = []
        self.resets = 0
        self.select(0)

    def select(self, selected: int) -> None:
        self._command: int | None = None
        self._place, self._word, self._refused = 0, 0, False

    def transfer(self, sent: int) -> int:
        if self._command is None:
            self._command = sent
            return 0
        register, place = self._command & 7, self._place
        self._place = (place + 1) % 5
        if place == 0:
            self._asked += 1
            ready = self._is_ready(self._asked)
            self._takes, has = ready, ready and bool(self.left)
            if self._command < 0x80:
                values = {0: self._digest & 0xFFFFFFFF, 1: self._digest >> 32, 5: self._numbers[-1]}
                self._word = values.get(register, 0)
                if register == 4 and has:
                    self._word = self.left.pop(0) & 0xFFFFFFFF
            return self._takes | has << 1
        if self._command < 0x80:
            return self._word >> 8 * (4 - place) & 0xFF
        self._word = (self._word << 8 | sent) & 0xFFFFFFFF
        if place == 4:
            self._write(register)
        return 0

    def _write(self, register: int) -> None:
        if register == 2:
            self.resets += self._word & 1
            self.words.clear()
        elif register == 3:
            self._refused |= not self._takes
            if not self._refused:
                self.words.append(self._word)
                if len(self.words) == self._frame_words:
                    self.left = self._numbers[:-1]


class SimulatedSlave:
    """The module of a design in Amaranth's simulator, its clock `CLOCK_RATIO` times that of the bus.

    Parameters
    ----------
    mode
        0 or 3.
    """

    def __init__(self, design: Design, mode: int) -> None:
        self._top = wrapper("spi", design.plan, design.network)
        self._rest = int(mode == 3)
        self._half = CLOCK_RATIO // 2
        self._steps: list[tuple[int, int, int]] = []  # levels of cs_n, sck and mosi for half a bit each
        self._levels = (1, self._rest, 0)
        self._seen: list[int] = []
        self._simulator = Simulator(self._top)
        self._simulator.add_testbench(self._run, background=True)
        self._seconds = 0.0

    async def _run(self, ctx: Any) -> None:
        top = self._top
        while True:
            cs_n, sck, mosi = self._steps.pop(0) if self._steps else self._levels
            ctx.set(top.cs_n, cs_n)
            ctx.set(top.sck, sck)
            ctx.set(top.mosi, mosi)
            self._seen.append(ctx.get(top.miso))  # what was given up to this edge
            for _ in range(self._half):
                for level in (1, 0):
                    ctx.set(top.clk, level)
                    await ctx.delay(5e-9)

    def _apply(self, steps: Sequence[tuple[int, int, int]]) -> list[int]:
        self._steps, self._seen = list(steps), []
        self._levels = self._steps[-1]
        self._seconds += len(steps) * self._half * 10e-9
        self._simulator.run_until(self._seconds)
        return self._seen

    def select(self, selected: int) -> None:
        self._apply([(1 - selected, self._rest, 0)] * 2)

    def transfer(self, sent: int) -> int:
        steps = []
        for k in range(7, -1, -1):
            bit = sent >> k & 1
            steps += [(0, 0, bit), (0, 1, bit)]
        seen = self._apply([*steps, (0, self._rest, 0)])
        found = 0
        for level in seen[1:16:2]:  # at the rising edges
            found = found << 1 | level
        return found
