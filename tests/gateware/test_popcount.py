import random

import pytest
from amaranth.sim import Simulator

from bnnhw.gateware.popcount import Popcount, popcount_latency
from tests.gateware.bench import add_clock


@pytest.mark.parametrize("levels", [None, 1, 2])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 11, 16, 31, 64])
def test_counts_with_its_latency(width, levels):
    dut = Popcount(width, levels=levels)
    rng = random.Random(width)
    words = [0, (1 << width) - 1, *(rng.getrandbits(width) for _ in range(40))]
    seen = []

    async def bench(ctx):
        ctx.set(dut.en, 1)
        for word in words + [0] * dut.latency:
            ctx.set(dut.i, word)
            if dut.latency == 0:
                await ctx.delay(1e-7)
                seen.append(ctx.get(dut.o))
            else:
                seen.append(ctx.get(dut.o))
                await ctx.tick()

    sim = Simulator(dut)
    if dut.latency:
        add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    assert dut.latency == popcount_latency(width, levels)
    assert seen[dut.latency :] == [word.bit_count() for word in words]


def test_registers_hold_without_enable():
    dut = Popcount(8, levels=1)
    seen = []

    async def bench(ctx):
        ctx.set(dut.i, 0xFF)
        ctx.set(dut.en, 1)
        await ctx.tick().repeat(dut.latency)
        ctx.set(dut.en, 0)
        ctx.set(dut.i, 0)
        await ctx.tick().repeat(5)
        seen.append(ctx.get(dut.o))

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    assert seen == [8]


@pytest.mark.parametrize(("width", "levels"), [(0, None), (-1, None), ("8", None), (8, 0), (8, "x")])
def test_refuses(width, levels):
    with pytest.raises(TypeError, match="must be"):
        Popcount(width, levels=levels)
