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


def run_stream(dut, i_beats, *, i_stall=None, o_stall=None, count=None, timeout=20_000, idle=60, model=None):
    """Feeds `i_beats` to ``dut.i`` and returns what came out of ``dut.o``.

    Parameters
    ----------
    dut : wiring.Component
        A unit with streams `i` and `o`, clocked by `sync` or not at all.
    i_beats : iterable of int, list or dict
        Payloads, in order.
    i_stall, o_stall : iterable of bool, optional
        Cycles in which no new beat is offered, and in which no beat is taken; repeated when exhausted.
    count, timeout, idle, model
        See `run_streams`.

    Returns
    -------
    Collected

    Raises
    ------
    AssertionError
        As `run_streams`.
    """
    options = {"count": count, "timeout": timeout, "idle": idle, "model": model}
    ins, outs = run_streams(
        dut, {"i": i_beats}, ["o"], i_stalls={"i": i_stall}, o_stalls={"o": o_stall}, **options
    )  # fmt: skip
    return Collected(outs["o"].beats, ins["i"].cycles, outs["o"].cycles)


@dataclass
class Port:
    """Beats that went over a stream, and when."""

    beats: list = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)


def run_streams(
    dut, i_beats, outputs, *, i_stalls=None, o_stalls=None, count=None, timeout=20_000, idle=60, model=None
):  # fmt: skip
    """Feeds several streams and returns what went over every one.

    Parameters
    ----------
    dut : wiring.Component
        A unit with streams, clocked by `sync` or not at all.
    i_beats : dict of str to iterable of int, list or dict
        Payloads of each input, in order.
    outputs : list of str
        Names of the outputs.
    i_stalls, o_stalls : dict of str to iterable of bool, optional
        Cycles in which no new beat is offered, and in which no beat is taken; repeated when exhausted.
    count : int, optional
        Stop when every output gave that many beats. Without it, stop when all beats are in and nothing moved for
        `idle` cycles.
    timeout : int
        Cycles after which the run fails.
    model : CycleModel, optional
        Must do in every cycle what the unit does.

    Returns
    -------
    (dict of str to Port, dict of str to Port)
        Inputs, outputs.

    Raises
    ------
    AssertionError
        If the unit withdraws a beat, changes one that waits, lets valid or payload depend on ready, does not finish in
        time, or does not do what its cycle model does.
    """
    ins, outs = {name: Port() for name in i_beats}, {name: Port() for name in outputs}
    given = {name: list(beats) for name, beats in i_beats.items()}
    i_stall = {name: itertools.cycle((i_stalls or {}).get(name) or [False]) for name in ins}
    o_stall = {name: itertools.cycle((o_stalls or {}).get(name) or [False]) for name in outs}

    async def bench(ctx):
        offering = dict.fromkeys(ins, False)
        waiting = dict.fromkeys(outs)  # beats that were not taken in the cycle before
        quiet = 0
        for cycle in range(timeout):
            for name, seen in ins.items():
                port, stalled = getattr(dut, name), next(i_stall[name])
                if not offering[name] and not stalled and len(seen.beats) < len(given[name]):
                    offering[name] = True
                    ctx.set(port.payload, given[name][len(seen.beats)])
                ctx.set(port.valid, offering[name])
            for name in outs:
                ctx.set(getattr(dut, name).ready, 0)
            found = {name: look(ctx, name) for name in outs}
            for name, (valid, payload) in found.items():
                if waiting[name] is not None:
                    assert valid, f"cycle {cycle}: a beat that was not taken was withdrawn"
                    assert payload == waiting[name], (
                        f"cycle {cycle}: a beat that waits changed from {waiting[name]!r} to {payload!r}"
                    )
            ready = {name: not next(o_stall[name]) for name in outs}
            for name in outs:
                ctx.set(getattr(dut, name).ready, ready[name])
            for name, (valid, payload) in found.items():
                now_valid, now_payload = look(ctx, name)
                assert now_valid == valid, f"cycle {cycle}: valid depends on ready"
                assert not valid or now_payload == payload, f"cycle {cycle}: payload depends on ready"
            accepted = {name: offering[name] and bool(ctx.get(getattr(dut, name).ready)) for name in ins}
            emitted = {name: bool(found[name][0] and ready[name]) for name in outs}
            waiting = {name: found[name][1] if found[name][0] and not ready[name] else None for name in outs}
            if model is not None:
                compare_model(cycle, offering, found, ready, accepted, emitted)
            await ctx.tick()
            for name in filter(accepted.get, ins):
                offering[name] = False
                ins[name].beats.append(given[name][len(ins[name].beats)])
                ins[name].cycles.append(cycle)
            for name in filter(emitted.get, outs):
                outs[name].beats.append(found[name][1])
                outs[name].cycles.append(cycle)
            if count is not None and all(len(seen.beats) >= count for seen in outs.values()):
                return
            moves = [*accepted.values(), *emitted.values(), *offering.values()]
            quiet = 0 if any(moves) else quiet + 1
            if count is None and quiet >= idle and all(len(ins[name].beats) == len(given[name]) for name in ins):
                return
        raise AssertionError(
            f"timeout after {timeout} cycles: {[len(seen.beats) for seen in ins.values()]} of "
            f"{[len(beats) for beats in given.values()]} beats in, "
            f"{[len(seen.beats) for seen in outs.values()]} beats out"
        )

    def look(ctx, name):
        port = getattr(dut, name)
        return bool(ctx.get(port.valid)), plain(ctx.get(port.payload))

    def beat(valid, payload):
        """As cycle models have it; the number of a group's vectors is one more than what goes over the stream."""
        fields = payload if isinstance(payload, dict) else {"last": 1}
        number = fields.get("data", 0) if isinstance(fields.get("data", 0), int) else 0
        return (True, bool(fields["last"]), number + 1) if valid else (False, False, 0)

    def compare_model(cycle, offering, found, ready, accepted, emitted):
        inputs = [
            beat(offering[name], given[name][len(seen.beats)] if offering[name] else {}) for name, seen in ins.items()
        ]
        for k, (offered, port) in enumerate(zip(model.offers(inputs), found.values(), strict=True)):
            # A first output gives data, which no cycle model knows.
            known = 3 if k else 2
            assert offered[:known] == beat(*port)[:known], f"cycle {cycle}: the cycle model offers otherwise"
        takes = model.accepts(inputs, list(ready.values()))
        took = [valid and taken for (valid, _, _), taken in zip(inputs, takes, strict=True)]
        assert took == list(accepted.values()), f"cycle {cycle}: the cycle model takes otherwise"
        model.step(took, inputs, list(emitted.values()))

    top = Module()
    top.submodules.dut = dut
    # A unit of wires has no clock domain; the simulation needs one to count cycles.
    cycles = Signal()
    top.d.sync += cycles.eq(~cycles)
    sim = Simulator(top)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    return ins, outs
