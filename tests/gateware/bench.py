"""Drives and watches streams of units in Amaranth's simulator, and checks the rules that every stream keeps."""

import itertools
import random
from dataclasses import dataclass, field

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.sim import Simulator


def add_clock(sim, mhz=1.0, domain="sync", phase=None):
    """Adds a clock to a simulation: the one place that knows how the simulator takes a period."""
    sim.add_clock(1e-6 / mhz, domain=domain, phase=phase)


def stalls(seed, rate=0.5, length=1009):
    """A random stall pattern: at each cycle true with probability `rate`."""
    source = random.Random(seed)
    return [source.random() < rate for _ in range(length)]


def plain(value):
    """What the simulator read, as int, list or dict."""
    if isinstance(value, data.Const):
        layout = value.shape()
        if isinstance(layout, data.ArrayLayout):
            return [plain(value[k]) for k in range(layout.length)]
        return {name: plain(value[name]) for name, _ in layout}
    return value


@dataclass
class Collected:
    """What `run_stream` saw. Cycles count clock edges from 0, the same for both sides: a wire has latency 0."""

    beats: list = field(default_factory=list)
    accept_cycles: list[int] = field(default_factory=list)
    emit_cycles: list[int] = field(default_factory=list)


def run_stream(dut, i_beats, *, i_stall=None, o_stall=None, count=None, timeout=20_000, idle=60):
    """Feeds `i_beats` to ``dut.i`` and returns what came out of ``dut.o``.

    Parameters
    ----------
    dut : wiring.Component
        A unit with streams `i` and `o`, clocked by `sync` or not at all.
    i_beats : iterable of int, list or dict
        Payloads, in order.
    i_stall, o_stall : iterable of bool, optional
        Cycles in which no new beat is offered, and in which no beat is taken; repeated when exhausted.
    count : int, optional
        Stop at this many beats out. Without it, stop when all beats are in and nothing moved for `idle` cycles.
    timeout : int
        Cycles after which the run fails.

    Returns
    -------
    Collected

    Raises
    ------
    AssertionError
        If the unit withdraws a beat, changes one that waits, lets valid or payload depend on ready, or does
        not finish in time.
    """
    seen = Collected()
    i_beats = list(i_beats)
    i_stall, o_stall = (itertools.cycle(pattern or [False]) for pattern in (i_stall, o_stall))

    async def bench(ctx):
        offered = 0  # beats before this one were taken
        offering = False
        waiting = None  # the beat that was not taken in the cycle before
        quiet = 0
        for cycle in range(timeout):
            stalled = next(i_stall)
            if not offering and not stalled and offered < len(i_beats):
                offering = True
                ctx.set(dut.i.payload, i_beats[offered])
            ctx.set(dut.i.valid, offering)
            ready = not next(o_stall)
            ctx.set(dut.o.ready, 0)
            valid, payload = ctx.get(dut.o.valid), plain(ctx.get(dut.o.payload))
            if waiting is not None:
                assert valid, f"cycle {cycle}: a beat that was not taken was withdrawn"
                assert payload == waiting, f"cycle {cycle}: a beat that waits changed from {waiting!r} to {payload!r}"
            if ready:
                ctx.set(dut.o.ready, 1)
                assert ctx.get(dut.o.valid) == valid, f"cycle {cycle}: valid depends on ready"
                assert not valid or plain(ctx.get(dut.o.payload)) == payload, f"cycle {cycle}: payload depends on ready"
            accepted = offering and ctx.get(dut.i.ready)
            emitted = valid and ready
            waiting = payload if valid and not ready else None
            await ctx.tick()
            if accepted:
                offering = False
                offered += 1
                seen.accept_cycles.append(cycle)
            if emitted:
                seen.beats.append(payload)
                seen.emit_cycles.append(cycle)
            if count is not None and len(seen.beats) >= count:
                return
            quiet = 0 if accepted or emitted or offering else quiet + 1
            if count is None and offered == len(i_beats) and quiet >= idle:
                return
        raise AssertionError(
            f"timeout after {timeout} cycles: {offered} of {len(i_beats)} beats in, {len(seen.beats)} beats out"
        )

    top = Module()
    top.submodules.dut = dut
    # A unit of wires has no clock domain; the simulation needs one to count cycles.
    cycles = Signal()
    top.d.sync += cycles.eq(~cycles)
    sim = Simulator(top)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    return seen
