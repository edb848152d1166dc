"""Where the host link is slower than the accelerator, and what would lift that."""

from __future__ import annotations

from bnnhw.line import BASE_BAUD, BRIDGES, LEAST_CYCLES
from bnnhw.toolchain.boards import Board


def lift(board: Board, *, baud: int, link_per_second: float, per_second: float) -> str | None:
    """What would make the link faster, in words with numbers; None where the accelerator is no faster than it is.

    Parameters
    ----------
    baud
        The fastest rate of the link as it was built.
    link_per_second, per_second
        Inferences that the link carries, and that the accelerator computes.
    """
    if link_per_second >= per_second:
        return None

    def carried(rate: int) -> str:
        return f"{rate:,} baud carry {link_per_second * rate / baud:,.0f}/s"

    own = max(BRIDGES[board.bridge], default=BASE_BAUD)
    name, best = max(((name, max(rates, default=BASE_BAUD)) for name, rates in BRIDGES.items()), key=lambda one: one[1])
    possible = board.fast_baud() or BASE_BAUD
    ways = []
    if possible > baud:
        ways.append(f"--baud {possible}: {carried(possible)}")
    if own > max(baud, possible):
        ways.append(f"a clock of {LEAST_CYCLES * own / 1e6:g} MHz for the link: {carried(own)}")
    elif own < best:
        ways.append(f"a bridge such as the {name}, and {LEAST_CYCLES * best / 1e6:g} MHz for the link: {carried(best)}")
    if link_per_second * best / baud < per_second:
        ways.append("a design of your own with `bnnhw export`, for the accelerator's whole rate")
    return "; ".join(ways)
