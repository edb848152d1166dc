"""Whole accelerators in Amaranth's simulator, against plain numpy, and their cycles against the model of them."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from bnnhw.dataflow import measure
from bnnhw.dtypes import BIPOLAR, TERNARY, DataType
from bnnhw.generate.accelerator import Accelerator, identifier
from tests.gateware.bench import add_clock
from tests.random_networks import (
    ACTIVATIONS,
    INPUTS,
    WEIGHTS,
    forward,
    layer_plan,
    plan_of,
    random_network,
    random_plan,
    random_values,
)


def simulate(network, plan, *, frames, stall=0.0, damaged=()):
    """Frames of random values through the accelerator; checks every answer, gives latency and the last interval."""
    values = random_values(np.random.default_rng(1), plan.input_dtype, (frames, plan.input_elements))
    return run_frames(network, plan, values, *forward(network, values), stall=stall, damaged=damaged)


def run_frames(network, plan, values, integers, classes, *, stall=0.0, damaged=()):
    """Frames of `values` (N, elements) through the accelerator, as `simulate`."""
    frames = len(values)
    bits, simd, beats = plan.input_dtype.bits, plan.input_simd, plan.input_beats
    codes = np.zeros((frames, beats * simd), np.int64)
    codes[:, : plan.input_elements] = plan.input_dtype.encode(values)
    dut = Accelerator(plan, network)
    answers, ends, starts = [], [], []

    async def source(ctx):
        pattern = random.Random(1)
        for f in range(frames):
            count = beats + (pattern.choice([-1, 2]) if beats > 1 else 2) * (f in damaged)
            for b in range(count):
                while pattern.random() < stall:
                    await ctx.tick()
                lanes = codes[f, b * simd : (b + 1) * simd]
                ctx.set(dut.i.payload.data, sum(int(code) << (k * bits) for k, code in enumerate(lanes)))
                ctx.set(dut.i.payload.last, b == count - 1)
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
                ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        pattern = random.Random(2)
        row = []
        o = dut.o.payload
        for cycle in range(100_000):
            ctx.set(dut.o.ready, pattern.random() >= stall)
            tick = ctx.tick().sample(
                dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready, o.data, o.label, o.error, o.last
            )
            _, _, taken, given, data, label, error, last = await tick
            if taken and not starts:
                starts.append(cycle)
            if given:
                row.append(data)
                if last:
                    answers.append((row, label, error))
                    ends.append(cycle)
                    row = []
            if len(answers) == frames:
                return

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(source)
    sim.add_testbench(sink)
    sim.run()
    assert len(answers) == frames
    for f, (row, label, error) in enumerate(answers):
        assert error == (f in damaged)
        if f not in damaged:
            assert row == integers[f].tolist()
            assert label == classes[f]
    return ends[0] - starts[0], ends[-1] - ends[-2]


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed):
    """All formats, any folding: right answers under stalls and around damaged frames, and cycles as predicted."""
    rng = np.random.default_rng(seed)
    sizes = [int(v) for v in rng.integers(1, 20, int(rng.integers(2, 5)))]
    network = random_network(
        rng,
        [*sizes[:-1], max(2, sizes[-1])],
        weight=WEIGHTS[rng.integers(len(WEIGHTS))],
        x=INPUTS[rng.integers(len(INPUTS))],
        activation=ACTIVATIONS[rng.integers(len(ACTIVATIONS))],
        affine=bool(seed % 2),
        quantised_output=seed % 4 == 3,
    )
    plan = random_plan(rng, network)
    cycles = measure(plan, network)
    assert simulate(network, plan, frames=14) == (cycles.latency, cycles.interval)
    simulate(network, plan, frames=9, stall=0.4, damaged=(2, 3, 6))


def test_many_thresholds():
    rng = np.random.default_rng(5)
    byte = DataType("uint", 8)
    network = random_network(rng, [6, 5, 3], weight=TERNARY, x=byte, activation=byte)
    plan = random_plan(rng, network)
    cycles = measure(plan, network)
    assert simulate(network, plan, frames=12) == (cycles.latency, cycles.interval)


def test_block_memories_behave_like_luts():
    rng = np.random.default_rng(6)
    network = random_network(rng, [12, 9, 4], weight=BIPOLAR, x=BIPOLAR, activation=DataType("uint", 4))
    folded = [layer_plan(layer, 3, 4, None, "block") for layer in network.layers]
    plan = plan_of(network, folded)
    cycles = measure(plan, network)
    assert simulate(network, plan, frames=12) == (cycles.latency, cycles.interval)


@pytest.mark.parametrize(("name", "expected"), [("fc0", "fc0"), ("/a/MatMul:0", "layer__a_MatMul_0"), ("3", "layer_3")])
def test_identifiers(name, expected):
    assert identifier(name) == expected
