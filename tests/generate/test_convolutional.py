"""Verilog of convolutional accelerators in Verilator, against the reference, and its cycles against the model."""

import math

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.dataflow import Network, cycles
from bnnhw.dataflow.layers import weighted
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import BipolarQuant, Conv, MatMul, Pad, Reshape, Sum, SumPool
from bnnhw.passes import to_integers
from bnnhw.toolchain.verilog import accelerator_verilog
from bnnhw.verify import RtlSimulation
from campaigns.random_maps import UNNAMED, Maker, random_map_network
from campaigns.random_networks import random_folding

# As many run with `make test`; `make slow` runs the others as well.
QUICK, ALL = 6, 200
# Longer ones take the simulator too long.
MAX_CYCLES = 400

pytestmark = pytest.mark.sim


def check(graph, seed, *, frames=6, stall=0.3, damaged=()):
    """Random images through `graph` folded at random: the reference's answers, in the predicted cycles; then under
    stalls on both sides, with some frames cut or too long."""
    rng = np.random.default_rng(seed)
    network = Network.of(graph)
    plan = random_folding(rng, network, most_cycles=MAX_CYCLES)
    x = rng.normal(0, 2, (frames, *graph.tensors[graph.input].shape)).astype(np.float32)
    values = reference.encode_inputs(graph, x)
    answers = reference.run(graph, x)
    integers, labels = answers["integers"].reshape(frames, -1), answers["prediction"]

    simulation = RtlSimulation(plan, network, accelerator_verilog(plan, network))
    found = simulation.run(values)
    assert (found.integers == integers).all()
    assert (found.labels == labels).all()
    assert not found.errors.any()
    ends = found.beat_cycles[:, -1]
    assert (ends - ends[0] + found.latency_cycles).tolist() == cycles.Run(plan, network).ends(frames)

    bad = np.isin(np.arange(frames), damaged)
    beats = plan.input_frames.beats
    lengths = np.where(bad, beats + (2 if beats == 1 else rng.choice([-1, 2])), beats)
    found = simulation.run(values, lengths=lengths, i_stall=stall, o_stall=stall, seed=seed)
    assert found.errors.tolist() == bad.tolist()
    assert (found.integers == integers)[~bad].all()
    assert (found.labels == labels)[~bad].all()


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[] if seed < QUICK else [pytest.mark.slow]) for seed in range(ALL)]
)
def test_random_networks(seed):
    graph = to_integers(random_map_network(np.random.default_rng(seed)))
    check(graph, seed, frames=8, damaged=(2, 5))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_skid_buffer_behind_many_lanes(seed, monkeypatch):
    """Which only large designs have, so here a few lanes are many."""
    monkeypatch.setattr(weighted, "MANY_LANES", 4)
    graph = to_integers(random_map_network(np.random.default_rng(seed)))
    check(graph, seed, frames=8, damaged=(2, 5))


def classifier(make, name):
    """`name` flattened and multiplied by a matrix of signs."""
    name = make.add(Reshape(**UNNAMED, shape=(math.prod(make.shape(name)),)), name)
    weight = make.rng.integers(0, 2, (3, make.shape(name)[0])) * 2 - 1
    last = MatMul(**UNNAMED, weight=weight.astype(np.int16), weight_dtype=BIPOLAR, weight_scale=np.array(1.0))
    return make.add(last, name)


def unequal_branches():
    """A residual network whose one way is three convolutions longer than the other."""
    make = Maker(np.random.default_rng(1), (5, 4, 2))
    start = name = make.quantiser("x", "ternary")
    for _ in range(3):
        name = make.quantiser(make.convolution(name, 2, (3, 3), same=True), "ternary")
    name = make.add(Sum(**UNNAMED, coefficients=np.ones((2, 1), np.int64)), name, start)
    name = make.add(BipolarQuant(**UNNAMED, scale=np.float32(1)), name)
    return to_integers(make.graph(classifier(make, name)))


def test_branches_of_unequal_length_do_not_deadlock():
    check(unequal_branches(), 3, frames=40, stall=0.5)


@pytest.mark.slow
def test_a_thousand_frames_through_unequal_branches():
    check(unequal_branches(), 4, frames=1000, stall=0.5)


def test_a_tensor_added_to_itself():
    make = Maker(np.random.default_rng(1), (4, 4, 2))
    name = make.quantiser("x", "ternary")
    name = make.quantiser(make.convolution(name, 3, (3, 3), same=True), "ternary")
    name = make.add(Sum(**UNNAMED, coefficients=np.ones((2, 1), np.int64)), name, name)
    name = make.quantiser(make.normalisation(name, 2.0), "ternary")
    check(to_integers(make.graph(classifier(make, name))), 3, frames=5)


@pytest.mark.parametrize(("groups", "outputs"), [(4, 4), (4, 8), (2, 6)], ids=["depthwise", "multiplied", "groups"])
def test_separable_convolutions(groups, outputs):
    """Padded, strided and dilated ones in groups, and single pixels after them."""
    make = Maker(np.random.default_rng(groups + outputs), (6, 7, 4))
    name = make.add(Pad(**UNNAMED, pads=(1, 1, 1, 0), value=0.0), make.quantiser("x", "int3"))
    geometry = Geometry((3, 2), (1, 2), (1, 2))
    weights = make.weights((outputs, 3, 2, 4 // groups))
    name = make.add(Conv(**UNNAMED, **weights, geometry=geometry, groups=groups), name)
    name = make.quantiser(make.normalisation(name, 2.5), "ternary")
    name = make.quantiser(make.convolution(name, 3, (1, 1), same=True), "bipolar")
    check(to_integers(make.graph(classifier(make, name))), 5, frames=5)


@pytest.mark.parametrize("head", ["pool", "convolution, pool"])
def test_a_network_that_ends_with_a_global_pool(head):
    """Of activations, and of sums that no quantiser follows."""
    make = Maker(np.random.default_rng(2), (5, 5, 2))
    name = make.quantiser("x", "ternary")
    name = make.quantiser(make.convolution(name, 4, (3, 3), same=True), "uint2")
    if head != "pool":
        weights = {**make.weights((4, 1, 1, 4)), "weight_scale": np.array(1.0)}
        name = make.add(Conv(**UNNAMED, **weights, geometry=Geometry((1, 1))), name)
    name = make.add(SumPool(**UNNAMED, geometry=Geometry((5, 5))), name)
    name = make.add(Reshape(**UNNAMED, shape=(4,)), name)
    check(to_integers(make.graph(name)), 3, frames=5)
