"""Crossing and FrameBuffer by themselves."""

import random

import pytest
from amaranth.sim import Simulator

from bnnhw.gateware.link.crossing import Crossing
from bnnhw.gateware.link.frame_buffer import FrameBuffer
from tests.gateware.bench import add_clock, run_stream, stalls


@pytest.mark.parametrize("i_mhz, o_mhz, phase", [(12, 50, 3e-9), (50, 12, 7e-9), (20, 21, 1e-9), (12, 12, 30e-9)])
@pytest.mark.parametrize("stalled", [False, True])
def test_crossing_keeps_every_beat(i_mhz, o_mhz, phase, stalled):
    dut = Crossing(8, i_domain="near", o_domain="far")
    sent = random.Random(1).sample(range(256), 40)
    seen = []

    async def drive(ctx):
        pauses = iter(stalls(4) if stalled else [False] * len(sent))
        for byte in sent:
            while next(pauses):
                await ctx.tick("near")
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            while not ctx.get(dut.i.ready):
                await ctx.tick("near")
            await ctx.tick("near")
            ctx.set(dut.i.valid, 0)
            ctx.set(dut.i.payload, 0)

    async def collect(ctx):
        for pause in stalls(5, length=3000) if stalled else [False] * 2000:
            ctx.set(dut.o.ready, not pause)
            if ctx.get(dut.o.valid) and not pause:
                seen.append(ctx.get(dut.o.payload))
            await ctx.tick("far")

    sim = Simulator(dut)
    add_clock(sim, i_mhz, "near")
    add_clock(sim, o_mhz, "far", phase=phase)
    sim.add_testbench(drive)
    sim.add_testbench(collect)
    sim.run()
    assert seen == sent


def test_crossing_timing():
    seen = run_stream(Crossing(8, i_domain="sync", o_domain="sync"), [1, 2, 3])
    assert seen.beats == [1, 2, 3]
    assert seen.emit_cycles == [3, 10, 17]
    assert seen.accept_cycles == [6, 13, 20]


def buffer_run(dut, frames, o_stall):
    """Writes (bytes, whether to commit); returns what is read as (byte, last, cycle), and the cycles of the commits."""
    writes = []  # per cycle: offset, byte, write, commit
    for frame, good in frames:
        writes += [(offset, byte, 1, 0) for offset, byte in enumerate(frame)]
        writes += [(0, 0, 0, int(good))]
        writes += [(0, 0, 0, 0)] * (6 * len(frame) + 4)  # whoever writes must not be ahead of the slots
    pauses = stalls(6) if o_stall else [False] * len(writes)
    seen = []

    async def bench(ctx):
        waiting = None
        for cycle, (write, pause) in enumerate(zip(writes, pauses, strict=False)):
            for port, value in zip((dut.offset, dut.data, dut.write, dut.commit), write, strict=True):
                ctx.set(port, value)
            ctx.set(dut.o.ready, not pause)
            beat = (ctx.get(dut.o.payload.data), ctx.get(dut.o.payload.last))
            valid = ctx.get(dut.o.valid)
            assert waiting is None or (valid and beat == waiting)
            waiting = beat if valid and pause else None
            if valid and not pause:
                seen.append((*beat, cycle))
            await ctx.tick()

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    return seen, [cycle for cycle, write in enumerate(writes) if write[3]]


@pytest.mark.parametrize("frame_bytes, slots", [(1, 2), (5, 2), (5, 4), (8, 4), (13, 1)])
@pytest.mark.parametrize("o_stall", [False, True])
def test_buffer_gives_committed_frames_only(frame_bytes, slots, o_stall):
    source = random.Random(frame_bytes)
    frames = []
    for k in range(9):
        good = k % 3 != 1
        length = frame_bytes if good else source.randrange(frame_bytes + 1)
        frames.append((source.randbytes(length), good))
    seen, commits = buffer_run(FrameBuffer(frame_bytes, slots), frames, o_stall)
    data = b"".join(frame for frame, good in frames if good)
    assert bytes(byte for byte, _, _ in seen) == data
    assert [last for _, last, _ in seen] == [int(k % frame_bytes == frame_bytes - 1) for k in range(len(data))]
    if not o_stall:
        assert [cycle - commits[0] for _, _, cycle in seen[:frame_bytes]] == [2 + 2 * k for k in range(frame_bytes)]


def test_buffer_holds_as_many_frames_as_it_has_slots():
    dut = FrameBuffer(3, 4)
    seen = []

    async def bench(ctx):
        for byte in range(12):
            ctx.set(dut.offset, byte % 3)
            ctx.set(dut.data, byte)
            ctx.set(dut.write, 1)
            ctx.set(dut.commit, 0)
            await ctx.tick()
            ctx.set(dut.write, 0)
            ctx.set(dut.commit, byte % 3 == 2)
            await ctx.tick()
        ctx.set(dut.commit, 0)
        ctx.set(dut.o.ready, 1)
        while len(seen) < 12:
            if ctx.get(dut.o.valid):
                seen.append(ctx.get(dut.o.payload.data))
            await ctx.tick()

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    assert seen == list(range(12))


@pytest.mark.parametrize("frame_bytes, slots", [(0, 2), (4, 0), (4, 3), (4, -2)])
def test_buffer_checks_its_size(frame_bytes, slots):
    with pytest.raises(ValueError, match=f"cannot hold {slots} frames"):
        FrameBuffer(frame_bytes, slots)
