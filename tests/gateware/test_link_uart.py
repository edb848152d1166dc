"""UARTReceiver and UARTTransmitter, against each other and against a line made bit by bit."""

import itertools

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from bnnhw.gateware.link.uart import UARTReceiver, UARTTransmitter
from bnnhw.line import Divider, divider
from tests.gateware.bench import add_clock, stalls


def receive(divisor, bits, bit_cycles=None, divider=None, rate=0):
    """The (cycle, byte or "error") that a receiver reports for a line of `bits`."""
    dut = UARTReceiver(divider or Divider(divisor))
    seen = []
    bit_cycles = bit_cycles or divisor

    async def bench(ctx):
        ctx.set(dut.fast, rate)
        for cycle in range(round(len(bits) * bit_cycles) + 2 * divisor):
            ctx.set(dut.rx, bits[min(int(cycle / bit_cycles), len(bits) - 1)])
            if ctx.get(dut.o.valid):
                seen.append((cycle, ctx.get(dut.o.payload)))
            if ctx.get(dut.error):
                seen.append((cycle, "error"))
            await ctx.tick()

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    return seen


def frame(byte):
    return [0, *((byte >> k) & 1 for k in range(8)), 1]


@pytest.mark.parametrize("divisor", [4, 5, 7, 12, 25, 104])
@pytest.mark.parametrize("stalled", [False, True])
def test_loopback(divisor, stalled):
    sent = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, 0x7E, 0xFE]
    top = Module()
    top.submodules.tx = tx = UARTTransmitter(Divider(divisor))
    top.submodules.rx = rx = UARTReceiver(Divider(divisor))
    top.d.comb += rx.rx.eq(tx.tx)
    seen, taken = [], []
    pauses = stalls(3) if stalled else [False] * len(sent)

    async def bench(ctx):
        waiting = list(sent)
        pause = 0
        for cycle in range(len(sent) * 10 * divisor * (4 if stalled else 1) + 12 * divisor):
            ctx.set(tx.i.valid, bool(waiting) and pause == 0)
            ctx.set(tx.i.payload, waiting[0] if waiting else 0)
            if ctx.get(tx.i.valid) and ctx.get(tx.i.ready):
                waiting.pop(0)
                taken.append(cycle)
                pause = 15 * divisor + 3 if pauses[len(waiting)] else 0
            else:
                pause = max(0, pause - 1)
            if ctx.get(rx.o.valid):
                seen.append((cycle, ctx.get(rx.o.payload)))
            assert not ctx.get(rx.error)
            await ctx.tick()

    sim = Simulator(top)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    assert [byte for _, byte in seen] == sent
    if not stalled:
        assert [b - a for a, b in itertools.pairwise(taken)] == [10 * divisor] * (len(sent) - 1)
        # 1 cycle to the line, 2 of synchronisation, and half a bit rounded down.
        assert [b - a for a, (b, _) in zip(taken, seen, strict=True)] == [3 + 9 * divisor + divisor // 2] * len(sent)


@pytest.mark.parametrize("skew", [-0.03, 0.03])
def test_tolerates_another_clock(skew):
    line = [1] + [bit for byte in range(0, 256, 5) for bit in frame(byte)] + [1]
    assert [byte for _, byte in receive(12, line, 12 * (1 + skew))] == list(range(0, 256, 5))


BROKEN = [(12e6, (1_000_000, 3_000_000)), (25e6, (1_000_000, 3_000_000)), (25e6, (1_000_000, 6_000_000)), (16e6, (1_000_000, 3_000_000))]  # fmt: skip


@pytest.mark.parametrize("clk_hz, bauds", BROKEN)
@pytest.mark.parametrize("rate", [0, 1])
@pytest.mark.parametrize("skew", [-0.02, 0, 0.02])
def test_receives_bits_of_broken_lengths(clk_hz, bauds, rate, skew):
    sent = list(range(3, 256, 11))
    line = [1] + [bit for byte in sent for bit in frame(byte)] + [1]
    cycles = clk_hz / bauds[rate] * (1 + skew)
    assert [byte for _, byte in receive(9, line, cycles, divider(clk_hz, bauds), rate)] == sent


@pytest.mark.parametrize("clk_hz, bauds", BROKEN)
def test_sends_bits_of_broken_lengths(clk_hz, bauds):
    """Every edge is less than a cycle from where it belongs, at either rate, and no byte is late."""
    dut = UARTTransmitter(divider(clk_hz, bauds))
    sent = [0x55, 0x00, 0xFF, 0xAA, 0x0F]
    edges = []

    async def bench(ctx):
        for rate, baud in enumerate(bauds):
            bit = clk_hz / baud
            ctx.set(dut.fast, rate)
            levels, waiting = [], list(sent)
            for _ in range(int(10 * bit * len(sent) + 3 * bit)):
                ctx.set(dut.i.valid, bool(waiting))
                ctx.set(dut.i.payload, waiting[0] if waiting else 0)
                if waiting and ctx.get(dut.i.ready):
                    waiting.pop(0)
                levels.append(ctx.get(dut.tx))
                await ctx.tick()
            start = levels.index(0)
            bits = [b for byte in sent for b in frame(byte)]
            wanted = [k * bit for k in range(1, len(bits)) if bits[k] != bits[k - 1]]
            found = [k - start for k in range(start + 1, len(levels)) if levels[k] != levels[k - 1]]
            edges.extend(zip(wanted, found, strict=True))
            for _ in range(int(2 * bit)):
                await ctx.tick()

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    assert len(edges) > 40
    assert max(abs(wanted - found) for wanted, found in edges) < 1.0


def test_missing_stop_bit_is_an_error():
    line = [1, *frame(0x12), *frame(0x34)[:-1], 0, 1, 1, *frame(0x56), 1]
    assert [byte for _, byte in receive(8, line)] == [0x12, "error", 0x56]


def test_break_is_one_error():
    seen = [byte for _, byte in receive(6, [1] + [0] * 35 + [1] * 12 + frame(0x9A) + [1])]
    assert seen == ["error", 0x9A]


def test_glitch_is_ignored():
    # Three cycles low are less than half of a bit of 12 cycles.
    line = [1] * 8 + [0] * 3 + [1] * 20 + [bit for bit in [*frame(0x3C), 1] for _ in range(12)]
    dut_line = [byte for _, byte in receive(12, line, 1)]
    assert dut_line == [0x3C]


def test_line_is_idle_after_start():
    dut = UARTTransmitter(Divider(4))
    levels = []

    async def bench(ctx):
        for _ in range(20):
            levels.append(ctx.get(dut.tx))
            await ctx.tick()

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    assert levels == [1] * 20


@pytest.mark.parametrize("unit", [UARTReceiver, UARTTransmitter])
@pytest.mark.parametrize("wrong", [12, None, Signal, Divider(12, (1, 2, 3))])
def test_divider_is_checked(unit, wrong):
    with pytest.raises(ValueError, match="a UART needs a Divider of one or two rates, not "):
        unit(wrong)
