"""What the cocotb benches share: the reset, and which cycles a source or a sink sits out."""

from __future__ import annotations

import random
from collections.abc import Iterator

from cocotb.triggers import RisingEdge


async def reset(dut, cycles: int = 4) -> None:
    """Resets a unit with streams `i` and `o`, over which nothing goes meanwhile.

    It works from the return on: what is offered at once is offered in its first cycle, as in the model of cycles. A
    window with pads begins with them before anything comes.
    """
    dut.rst.value = 1
    dut.i__valid.value = 0
    dut.i__payload.value = 0
    dut.o__ready.value = 0
    for _ in range(cycles):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


def stalls(seed: int, rate: float) -> Iterator[bool]:
    """Whether to stall, cycle by cycle: never for a `rate` of 0, else at random, in runs of one to a few cycles."""
    if rate <= 0:
        while True:
            yield False
    source = random.Random(seed)
    while True:
        # Runs make both long waits and long bursts; single random cycles would never fill a buffer.
        for _ in range(source.randint(1, 6)):
            yield source.random() < rate
        yield from [True] * (source.randint(0, 8) if source.random() < rate / 4 else 0)
