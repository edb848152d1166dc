"""Convolutional accelerators in Amaranth's simulator, against the reference, and their cycles against the model."""

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.dataflow import Network, measure
from bnnhw.dtypes import BIPOLAR
from bnnhw.ir.nodes import BipolarQuant, MatMul, Reshape, Sum
from bnnhw.passes import to_integers
from tests.generate.test_accelerator import run_frames
from tests.random_maps import UNNAMED, Maker, random_map_network
from tests.random_networks import random_folding

# As many run with `make test`; `make slow` runs the others as well.
QUICK, ALL = 10, 200
# Longer ones take the simulator too long.
MOST_CYCLES = 400


def check(graph, seed, *, frames=6, stall=0.3, damaged=()):
    """Random images through `graph` folded at random: the reference's answers, in the predicted cycles."""
    rng = np.random.default_rng(seed)
    network = Network.of(graph)
    plan = random_folding(rng, network, most_cycles=MOST_CYCLES)
    x = rng.normal(0, 2, (frames, *graph.tensors[graph.input].shape)).astype(np.float32)
    values = reference.encode_inputs(graph, x).reshape(frames, -1)
    answers = reference.run(graph, x)
    expected = answers["integers"].reshape(frames, -1), answers["prediction"]
    cycles = measure(plan, network)
    assert run_frames(network, plan, values, *expected) == (cycles.latency, cycles.interval)
    run_frames(network, plan, values, *expected, stall=stall, damaged=damaged)


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[] if seed < QUICK else [pytest.mark.slow]) for seed in range(ALL)]
)
def test_random_networks(seed):
    graph = to_integers(random_map_network(np.random.default_rng(seed)))
    check(graph, seed, frames=8, damaged=(2, 5))


def unequal_branches():
    """A residual network whose one way is three convolutions longer than the other."""
    make = Maker(np.random.default_rng(1), (5, 4, 2))
    start = name = make.quantiser("x", "ternary")
    for _ in range(3):
        name = make.quantiser(make.convolution(name, 2, (3, 3), same=True), "ternary")
    name = make.add(Sum(**UNNAMED, coefficients=(1, 1)), name, start)
    name = make.add(BipolarQuant(**UNNAMED, scale=np.float32(1)), name)
    name = make.add(Reshape(**UNNAMED, shape=(40,)), name)
    weight = np.random.default_rng(2).integers(0, 2, (3, 40)) * 2 - 1
    last = MatMul(**UNNAMED, weight=weight.astype(np.int16), weight_dtype=BIPOLAR, weight_scale=np.array(1.0))
    return to_integers(make.graph(make.add(last, name)))


def test_branches_of_unequal_length_do_not_deadlock():
    check(unequal_branches(), 3, frames=40, stall=0.5)


@pytest.mark.slow
def test_a_thousand_frames_through_unequal_branches():
    check(unequal_branches(), 4, frames=1000, stall=0.5)
