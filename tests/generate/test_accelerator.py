"""Whole accelerators in Amaranth's simulator, against plain numpy, and their cycles against the model of them."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.dataflow import cycles
from bnnhw.dataflow.layers import LOGIC, MAX_FRAMES
from bnnhw.dataflow.pipeline import identifier
from bnnhw.generate.accelerator import Accelerator
from campaigns.random_networks import (
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
from tests.gateware.bench import add_clock

pytestmark = pytest.mark.sim


def seeds(quick, count):
    """`count` seeds: `make test` runs the first ones, which are of all kinds, and `make slow` the others."""
    return [*range(quick), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(quick, count))]


def simulate(network, plan, *, frames, stall=0.0, damaged=()):
    """Frames of random values through the accelerator; checks every answer."""
    values = random_values(np.random.default_rng(1), plan.input_dtype, (frames, plan.input_elements))
    run_frames(network, plan, values, *forward(network, values), stall=stall, damaged=damaged)


def run_frames(network, plan, values, integers, classes, *, stall=0.0, damaged=(), gaps=()):
    """Frames of `values` (N, elements) through the accelerator, with a pause before some of them; checks every answer,
    and that without stalls they come in the cycles of the model."""
    frames = len(values)
    bits, simd, beats = plan.input_dtype.bits, plan.input_simd, plan.input_frames.beats
    codes = np.zeros((frames, beats * simd), np.int64)
    codes[:, : plan.input_elements] = plan.input_dtype.encode(values)
    dut = Accelerator(plan, network)
    answers, ends, starts = [], [], []

    async def source(ctx):
        pattern = random.Random(1)
        for f in range(frames):
            if f in gaps:
                await ctx.tick().repeat(pattern.randrange(400))
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
                row += [data] if plan.output_lanes == 1 else [int(data[k]) for k in range(plan.output_lanes)]
                if last:
                    answers.append((row[: plan.output_frames.elements], label, error))
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
    if not stall and not damaged and not gaps:
        assert [end - starts[0] for end in ends] == cycles.Run(plan, network).ends(frames)


@pytest.mark.parametrize("seed", seeds(8, 12))
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
    simulate(network, plan, frames=14)
    simulate(network, plan, frames=9, stall=0.4, damaged=(2, 3, 6))


@pytest.mark.parametrize("seed", seeds(4, 8))
def test_constant_weights(seed):
    """Some layers are logic, or all of them: then a frame comes and goes every cycle."""
    rng = np.random.default_rng(seed)
    sizes = [int(v) for v in rng.integers(2, 14, int(rng.integers(2, 5)))]
    network = random_network(
        rng,
        sizes,
        weight=WEIGHTS[rng.integers(len(WEIGHTS))],
        x=INPUTS[rng.integers(len(INPUTS))],
        activation=ACTIVATIONS[rng.integers(3)],
        affine=bool(seed % 2),
        quantised_output=seed % 4 == 3,
    )
    whole = seed % 3 == 0
    layers = [
        replace(layer, pe=layer.mh, simd=layer.mw, batch=1, weight_memory=LOGIC) if whole or rng.integers(2) else layer
        for layer in random_plan(rng, network).layers
    ]
    plan = plan_of(network, layers)
    if whole:
        assert plan.output_lanes == sizes[-1]
        assert cycles.measure(plan, network).interval == 1
    simulate(network, plan, frames=40)
    simulate(network, plan, frames=40, stall=0.4, damaged=(2, 3, 16))


@pytest.mark.parametrize("seed", seeds(5, 10))
def test_frames_side_by_side(seed):
    """Frames that share fetched weights: each gets its answer, in turn, full groups or not."""
    rng = np.random.default_rng(50 + seed)
    sizes = [int(v) for v in rng.integers(2, 12, int(rng.integers(2, 5)))]
    weight, x, activation = (kinds[rng.integers(len(kinds))] for kinds in (WEIGHTS, INPUTS, ACTIVATIONS))
    network = random_network(rng, sizes, weight=weight, x=x, activation=activation, quantised_output=seed % 4 == 3)
    memory, frames = ("lut", "block")[seed % 2], MAX_FRAMES if seed % 3 == 0 else 3
    plan = random_plan(rng, network, memory=memory, frames=frames)
    while plan.group == 1:
        plan = random_plan(rng, network, memory=memory, frames=frames)
    simulate(network, plan, frames=20)
    simulate(network, plan, frames=14, stall=0.4, damaged=(2, 3, 6, 13))
    values = random_values(rng, plan.input_dtype, (10, plan.input_elements))
    run_frames(network, plan, values, *forward(network, values), gaps=rng.integers(10, size=4), damaged=(4, 5))


def test_one_frame_alone():
    """A frame's answer waits for no other frame, and comes when that of the first of many would."""
    network = random_network(np.random.default_rng(1), [20, 12, 4], weight=BIPOLAR, x=BIPOLAR, activation=BIPOLAR)
    plan = plan_of(network, [replace(layer_plan(layer, 3, 4), batch=4) for layer in network.layers])
    simulate(network, plan, frames=1)


def test_many_thresholds():
    rng = np.random.default_rng(5)
    byte = DataType("uint", 8)
    network = random_network(rng, [6, 5, 3], weight=TERNARY, x=byte, activation=byte)
    plan = random_plan(rng, network)
    simulate(network, plan, frames=12)


def test_block_memories_behave_like_luts():
    rng = np.random.default_rng(6)
    network = random_network(rng, [12, 9, 4], weight=BIPOLAR, x=BIPOLAR, activation=DataType("uint", 4))
    folded = [layer_plan(layer, 3, 4, None, "block") for layer in network.layers]
    plan = plan_of(network, folded)
    simulate(network, plan, frames=12)


@pytest.mark.parametrize(("name", "expected"), [("fc0", "fc0"), ("/a/MatMul:0", "layer__a_MatMul_0"), ("3", "layer_3")])
def test_identifiers(name, expected):
    assert identifier(name) == expected
