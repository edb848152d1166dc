"""A PE alone: every pair of formats, both families, rows back to back, with pauses and bubbles."""

import itertools
import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from bnnhw.arithmetic.bits import pack_words
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.weight_coding import lane_codes
from bnnhw.gateware.arithmetic.pe import PE
from tests.gateware.bench import add_clock

FORMATS = [BIPOLAR, TERNARY, *map(DataType.parse, ("uint1", "uint2", "int3"))]


def constant(x, w):
    """What counting leaves out of one product: twice -1 or so, found from the formats' planes alone."""
    if x.kind == "ternary" and w.kind in ("bipolar", "ternary"):
        return lambda value: -1 if w.kind == "bipolar" else 0
    if w.kind in ("bipolar", "ternary"):
        return lambda value: x.plane_offset * value - sum(x.plane_weights) * (value == -1)
    return lambda value: x.plane_offset * value


def packed(dtype, values):
    return sum(int(dtype.encode(value)) << (dtype.bits * lane) for lane, value in enumerate(values))


def run(pe, x, w, rows, *, rng, stall, family):
    """Totals of `rows`: each a starting value and beats of lanes (activations, weights)."""
    beats = [(k == 0, k == len(lanes) - 1, bias, *beat) for bias, lanes in rows for k, beat in enumerate(lanes)]
    totals = []
    prepared = {}

    def stored(values):
        return pack_words(lane_codes(w.encode([values]), Product(x, w), family), w.bits)[0]

    async def bench(ctx):
        queue = iter(beats)
        pipe = [None] * (pe.latency + 1)  # what is at the accumulator comes last
        finished = False
        for cycle in itertools.count():
            entry = None
            if cycle >= 2 and rng.random() >= stall:
                entry = next(queue, None)
            en = rng.random() >= stall
            ctx.set(pe.en, en)
            if finished:
                totals.append(ctx.get(pe.total))
                finished = False
            if not en:
                if entry is not None:
                    queue = itertools.chain([entry], queue)
                await ctx.tick()
                continue
            pipe = [entry, *pipe[:-1]]
            if entry is not None:
                ctx.set(pe.x, prepared[entry[3]])
                ctx.set(pe.w, stored(entry[4]))
            due = pipe[-1]
            ctx.set(pe.valid, due is not None)
            if due is not None:
                ctx.set(pe.first, due[0])
                ctx.set(pe.bias, due[2])
                finished = due[1]
            counted = pipe[pe.latency - (pe.latency > 0)] if hasattr(pe, "shared") else None
            if counted is not None:
                ctx.set(pe.shared, sum(value == 0 for value in counted[3]))
            await ctx.tick()
            if len(totals) == len(rows):
                return

    # What a unit's logic does to the activations before it gives them to the PEs.
    m = Module()
    i, o = Signal(len(pe.x)), Signal(len(pe.x))
    m.d.comb += o.eq(pe.prepared(i))

    async def prepare(ctx):
        for values in {beat[3] for beat in beats}:
            ctx.set(i, packed(x, values))
            await ctx.delay(1e-9)
            prepared[values] = ctx.get(o)

    sim = Simulator(m)
    sim.add_testbench(prepare)
    sim.run()

    sim = Simulator(pe)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    return totals


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
@pytest.mark.parametrize("x", FORMATS, ids=str)
@pytest.mark.parametrize("w", FORMATS, ids=str)
def test_every_pair_of_formats(x, w, family):
    check_pair(x, w, family, ((1, None, 0.0), (4, 1, 0.3), (6, 2, 0.3), (8, 2, 0.0), (9, None, 0.3)), width=16)


@pytest.mark.parametrize("w", ["int9", "uint12", "int16"])
@pytest.mark.parametrize("x", ["bipolar", "ternary", "int3"])
def test_wide_weights(x, w):
    check_pair(DataType.parse(x), DataType.parse(w), "ecp5", ((3, 1, 0.3),), width=24)


def check_pair(x, w, family, cases, *, width):
    rng = random.Random(f"{x} {w}")

    def value(dtype):
        return rng.choice((-1, 1)) if dtype.kind == "bipolar" else rng.randint(dtype.min, dtype.max)

    for simd, levels, stall in cases:
        pe = PE(simd, x, w, width=width, levels=levels, family=family)
        rows = []
        for _ in range(6):
            lanes = [
                (tuple(value(x) for _ in range(simd)), tuple(value(w) for _ in range(simd)))
                for _ in range(rng.randint(1, 3))
            ]
            rows.append((rng.randint(-500, 500), lanes))
        left_out = constant(x, w)
        expected = [
            bias + sum(a * b - left_out(b) for xs, ws in lanes for a, b in zip(xs, ws, strict=True))
            for bias, lanes in rows
        ]
        assert run(pe, x, w, rows, rng=rng, stall=stall, family=family) == expected, (simd, levels, stall)
