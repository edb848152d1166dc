"""The shift queue against a model."""

import random
from collections import deque

import pytest
from amaranth.lib import data
from amaranth.sim import Simulator

from bnnhw.gateware.streams.shift_queue import ShiftQueue
from tests.gateware.bench import add_clock

ENTRY = data.StructLayout({"status": 3, "sequence": 8})


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_queue_is_a_fifo(depth):
    dut = ShiftQueue(ENTRY, depth)
    source = random.Random(depth)

    async def bench(ctx):
        model = deque()
        for cycle in range(400):
            push, pop = source.random() < 0.6, source.random() < (0.3 if cycle < 200 else 0.8)
            entry = {"status": source.randrange(8), "sequence": source.randrange(256)}
            ctx.set(dut.i.valid, push)
            ctx.set(dut.i.payload, entry)
            ctx.set(dut.o.ready, pop)
            room = len(model) < depth
            assert ctx.get(dut.i.ready) == room
            assert ctx.get(dut.o.valid) == bool(model)
            if model:
                head = ctx.get(dut.o.payload)
                assert {"status": head.status, "sequence": head.sequence} == model[0]
                if pop:
                    model.popleft()
            if push and room:
                model.append(entry)
            await ctx.tick()

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
