"""What clocks, bridges and rates agree on; the samples of a divider against a UART receiver's in tests/gateware."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from bnnhw.line import BASE_BAUD, BRIDGES, CALL_BACK_BITS, LEAST_GAIN, MAX_ERROR, Divider, divider, fastest, rates_of
from bnnhw.toolchain import all_boards


@pytest.mark.parametrize(
    "mhz, bridge, baud",
    [
        (12, "FT2232H", 3_000_000),
        (16, "FT2232H", 4_000_000),
        (48, "FT2232H", 12_000_000),
        (25, "FT231X", 3_000_000),
        (12, "CH340", 2_000_000),
        (25, "debugger", None),
        (5, "FT2232H", None),
    ],
)
def test_the_fastest_rate(mhz: float, bridge: str, baud: int | None) -> None:
    assert fastest(mhz * 1e6, BRIDGES[bridge]) == baud


def test_all_boards_have_rates_that_their_clocks_give() -> None:
    for board in all_boards():
        bauds = [baud for baud in (BASE_BAUD, board.fast_baud()) if baud]
        found = rates_of(board.link_mhz * 1e6, board.fast_baud())
        for step, baud in zip(found.steps, bauds, strict=True):
            made = Fraction(round(board.link_mhz * 1e6) * step, found.period)
            assert abs(made / baud - 1) <= MAX_ERROR
            assert found.period >= 4 * step


def test_dividers_are_small() -> None:
    assert divider(12e6, (1_000_000, 3_000_000)) == Divider(12, (1, 3))
    assert divider(25e6, (1_000_000, 3_000_000)) == Divider(25, (1, 3))
    assert divider(100e6 / 8, (1_000_000, 3_000_000)) == Divider(25, (2, 6))


@pytest.mark.parametrize(
    "mhz, baud, message",
    [
        (
            12,
            5_000_000,
            "a clock of 12 MHz cannot give 5,000,000 baud: a bit would last 2.40 clock cycles and needs 4; ",
        ),
        (3, None, "a clock of 3 MHz cannot give 1,000,000 baud: a bit would last 3.00 .*; its fastest is 750,000 baud"),
        (12, 1_200_000, "fast rate must be at least 1,500,000 baud, not 1,200,000"),
    ],
)
def test_rates_that_a_clock_cannot_give(mhz: float, baud: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rates_of(mhz * 1e6, baud)


def samples(divider: Divider, rate: int) -> Iterator[int]:
    """The cycles in which a UART's receiver samples start bit, 8 bits and stop bit; in cycle 0 it sees the line fall."""
    step, timer, cycle = divider.steps[rate], divider.period // 2 - divider.steps[rate], 1
    for _ in range(10):
        while timer >= step:
            timer -= step
            cycle += 1
        yield cycle
        timer += divider.period - step
        cycle += 1


@pytest.mark.parametrize("fast_baud", [None, 2_000_000, 3_000_000])
def test_bits_are_sampled_inside_whatever_the_clock(fast_baud: int | None) -> None:
    """Of both rates, with a line up to 2 % faster or slower, and for any phase of the clock to it."""
    least = 4 * (fast_baud or BASE_BAUD)
    for clk_hz in range(least, 60_000_000, 137_000):
        found = rates_of(clk_hz, fast_baud)
        for rate, baud in enumerate(filter(None, (BASE_BAUD, fast_baud))):
            for skew in (-0.02, 0.02):
                bit = clk_hz / baud * (1 + skew)
                for k, sample in enumerate(samples(found, rate)):
                    # The line fell up to a cycle before that is seen.
                    assert k * bit <= sample and sample + 1 <= (k + 1) * bit, (clk_hz, baud, skew, k)


def test_a_byte_of_zeros_calls_back_and_no_byte_of_the_fast_rate_does() -> None:
    start_and_zeros = 9
    assert start_and_zeros > CALL_BACK_BITS * 1.02
    assert start_and_zeros / LEAST_GAIN < CALL_BACK_BITS / 1.02


@pytest.mark.parametrize("period, steps", [(3, (1,)), (12, (4,)), (12, ()), (12, (0, 3))])
def test_bits_of_less_than_four_cycles(period: int, steps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a bit must last at least 4 clock cycles"):
        Divider(period, steps)
