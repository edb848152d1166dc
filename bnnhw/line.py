"""The serial line between a computer and a board: its rates, and what bridges and clocks can do of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count

BASE_BAUD = 1_000_000
"""Bits per second at which every board's line begins, and to which it returns: any computer can open it."""

LEAST_GAIN = 1.5
"""The fast rate is at least this many times the base rate, so that a byte of zeros at the base rate is longer than any
byte at the fast one: that is how a board is called back."""

CALL_BACK_BITS = 7
"""Bits of the base rate for which the line is low when a board is called back to it."""

CALL_BACK = bytes(4)
"""What a computer sends to call it back: zeros, which a board at the base rate ignores."""

BRIDGES: Mapping[str, tuple[int, ...]] = {
    # 12 MHz divided by 1, 1.5 or whole numbers, and fractions that nobody needs (FTDI AN_120).
    "FT2232H": (12_000_000, 8_000_000, 6_000_000, 4_000_000, 3_000_000, 2_000_000),
    # 3 MHz divided in the same way (data sheet of the FT231X).
    "FT231X": (3_000_000, 2_000_000),
    "CH340": (2_000_000,),
    # The user's own, of which most reach this. With one that does not, the line stays at the base rate.
    "adapter": (3_000_000, 2_000_000),
    # A microcontroller whose firmware promises nothing.
    "debugger": (),
}
"""Rates above the base rate of what connects boards to computers, the fastest first."""

LEAST_CYCLES = 4
"""Clock cycles of a bit, at least."""

MAX_ERROR = 0.002
"""By how much a rate may be off because a clock does not divide to it."""


@dataclass(frozen=True)
class Divider:
    """How a clock makes the bits of one or two rates: each clock cycle adds a rate's step, a bit is over at `period`.

    With a step above 1 a bit may last a broken number of cycles: some are a cycle longer than others.

    Parameters
    ----------
    period
        Units of a bit.
    steps
        Units per clock cycle, for each rate.

    Raises
    ------
    ValueError
        If a bit of one of them has less than four cycles.
    """

    period: int
    steps: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        if not self.steps or min(self.steps) < 1 or self.period < LEAST_CYCLES * max(self.steps):
            raise ValueError(f"a bit must last at least {LEAST_CYCLES} clock cycles, not {self.period}/{self.steps}")


@cache
def divider(clk_hz: float, bauds: tuple[int, ...]) -> Divider:
    """The smallest divider of a clock for some rates, each met within MAX_ERROR.

    Raises
    ------
    ValueError
        If the clock is too slow for one of them; the message has the numbers.
    """
    for baud in bauds:
        if clk_hz < LEAST_CYCLES * baud:
            raise ValueError(
                f"a clock of {clk_hz / 1e6:g} MHz cannot give {baud:,} baud: a bit would last {clk_hz / baud:.2f} "
                f"clock cycles and needs {LEAST_CYCLES}; its fastest is {int(clk_hz / LEAST_CYCLES):,} baud"
            )
    for period in count(LEAST_CYCLES):
        steps = tuple(round(period * baud / clk_hz) for baud in bauds)
        pairs = zip(steps, bauds, strict=True)
        if all(
            LEAST_CYCLES * step <= period and abs(step * clk_hz / period / baud - 1) <= MAX_ERROR
            for step, baud in pairs
        ):
            return Divider(period, steps)
    raise AssertionError("some period meets any rate")


def rates_of(clk_hz: float, fast_baud: int | None) -> Divider:
    """The divider of a board's line: the base rate, and the fast one if there is one.

    Raises
    ------
    ValueError
        If the clock cannot give them, or the fast rate is too close to the base rate.
    """
    if fast_baud is None:
        return divider(clk_hz, (BASE_BAUD,))
    if fast_baud < LEAST_GAIN * BASE_BAUD:
        raise ValueError(
            f"the line's fast rate must be at least {int(LEAST_GAIN * BASE_BAUD):,} baud, not {fast_baud:,}; "
            f"{BASE_BAUD:,} stays at the rate at which every line begins"
        )
    return divider(clk_hz, (BASE_BAUD, fast_baud))


def fastest(clk_hz: float, rates: Iterable[int]) -> int | None:
    """The first of `rates` that a board with this clock can have as its fast rate; None for none."""
    for baud in rates:
        try:
            rates_of(clk_hz, baud)
        except ValueError:
            continue
        return baud
    return None
