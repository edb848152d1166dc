"""The accelerators that get faults: small ones, so that a frame takes a hundred cycles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, BIT, TERNARY, DataType
from bnnhw.dataflow import Network, Plan
from bnnhw.dataflow.layers import LOGIC
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import (
    Activation,
    Arithmetic,
    Concat,
    Conv,
    Lookup,
    MatMul,
    MaxPool,
    MultiThreshold,
    Pad,
    Quant,
    Reshape,
    Slice,
    Sum,
)
from bnnhw.passes import to_integers
from campaigns.random_maps import UNNAMED, Maker
from campaigns.random_networks import (
    forward,
    layer_plan,
    plan_of,
    random_layer,
    stacked,
)

UINT2 = DataType("uint", 2)
FRAMES = 24
MANY = 3_000
INPUTS = 14


@dataclass(frozen=True, eq=False)
class Frames:
    """Inputs and the right answers.

    Parameters
    ----------
    values, integers, classes
        (N, elements) int64 inputs, (N, C) int64 outputs of the last layer, (N,) int64 classes.
    """

    values: NDArray[np.int64]
    integers: NDArray[np.int64]
    classes: NDArray[np.int64]

    def part(self, begin: int, end: int) -> Frames:
        """Those from `begin` to before `end`."""
        return Frames(self.values[begin:end], self.integers[begin:end], self.classes[begin:end])

    def first(self, count: int) -> Frames:
        """The first of them."""
        return self.part(0, count)


@dataclass(frozen=True, eq=False)
class Small:
    """A network with its plan.

    Parameters
    ----------
    name, what
        In the table.
    many, how_many
        As many inputs as are worth a last look, and how many these are, in words.
    """

    name: str
    what: str
    network: Network
    plan: Plan
    many: Frames
    how_many: str

    @property
    def frames(self) -> Frames:
        """A few of them."""
        return self.many.first(FRAMES)


def dense() -> Small:
    """Binary layers, then one with ternary numbers and two thresholds, as a model of digits has them."""
    rng = np.random.default_rng(7)
    layers = [
        random_layer(rng, "fc0", INPUTS, 9, BIPOLAR, BIPOLAR, BIPOLAR, 0),
        random_layer(rng, "fc1", 9, 7, BIPOLAR, BIPOLAR, TERNARY, 1),
        random_layer(rng, "fc2", 7, 5, TERNARY, TERNARY, None, 2),
    ]
    network = stacked(layers)
    foldings = ((3, 4), (2, 5), (2, 3))
    folded = [
        replace(layer_plan(layer, *pair, 1, "block"), threshold_memory="block")
        for layer, pair in zip(layers, foldings, strict=True)
    ]
    plan = plan_of(network, folded)
    # In an order that is random, so that the first few are like the others.
    every = np.random.default_rng(9).permutation(1 << INPUTS)
    values = 2 * ((every[:, None] >> np.arange(INPUTS)) & 1) - 1
    many = Frames(values, *forward(network, values))
    return Small("dense", f"{INPUTS}-9-7-5, binary and ternary", network, plan, many, f"all {1 << INPUTS:,} inputs")


def loaded() -> Small:
    """Two layers whose weights are loaded, one in words of two single-port RAMs, and one of block RAM behind them."""
    rng = np.random.default_rng(13)
    layers = [
        random_layer(rng, "fc0", 10, 6, BIPOLAR, BIPOLAR, BIPOLAR, 0),
        random_layer(rng, "fc1", 6, 6, TERNARY, BIPOLAR, BIPOLAR, 1),
        random_layer(rng, "fc2", 6, 4, BIPOLAR, BIPOLAR, None, 2),
    ]
    network = stacked(layers)
    choices = (((3, 5), "spram"), ((3, 3), "spram"), ((2, 3), "block"))
    folded = [
        replace(layer_plan(layer, *pair, 1, "block"), weight_memory=memory)
        for layer, (pair, memory) in zip(layers, choices, strict=True)
    ]
    every = np.random.default_rng(9).permutation(1 << 10)
    values = 2 * ((every[:, None] >> np.arange(10)) & 1) - 1
    many = Frames(values, *forward(network, values))
    plan = replace(plan_of(network, folded), part="ice40-up5k")
    return Small("loaded", "10-6-6-4, weights loaded", network, plan, many, "all 1,024 inputs")


def tables() -> Small:
    """A layer with a table of codes for each channel, in no order, and a matrix behind it."""
    rng = np.random.default_rng(11)
    first = random_layer(rng, "fc0", 10, 6, BIPOLAR, BIPOLAR, UINT2, 0)
    assert first.threshold is not None
    first = replace(
        first, threshold=replace(first.threshold, codes=rng.permuted(np.tile(np.arange(4), (6, 1)), axis=1))
    )
    layers = [first, random_layer(rng, "fc1", 6, 4, TERNARY, UINT2, None, 1)]
    network = stacked(layers)
    folded = [layer_plan(layer, 2, 5, 1, memory) for layer, memory in zip(layers, ("lut", "block"), strict=True)]
    every = np.random.default_rng(9).permutation(1 << 10)
    values = 2 * ((every[:, None] >> np.arange(10)) & 1) - 1
    many = Frames(values, *forward(network, values))
    return Small("tables", "10-6-4, a table per channel", network, plan_of(network, folded), many, "all 1,024 inputs")


def lookups() -> Small:
    """Two layers of tables, the ones of each class counted; five bits come at a time."""
    rng = np.random.default_rng(4)
    make = Maker(rng, (12,))
    name = make.add(
        MultiThreshold(**UNNAMED, thresholds=np.zeros((1, 1), np.float32), out_scale=1.0, out_bias=0.0), "x"
    )
    for nodes, k in ((24, 4), (12, 3)):
        wiring = np.stack([rng.permutation(make.shape(name)[0])[:k] for _ in range(nodes)])
        name = make.add(Lookup(**UNNAMED, wiring=wiring, tables=rng.integers(0, 2, (nodes, 1 << k)) == 1), name)
    weight = np.repeat(np.eye(3, dtype=np.int16), 4, axis=1)
    name = make.add(MatMul(**UNNAMED, weight=weight, weight_dtype=BIT, weight_scale=np.array(1.0)), name)
    graph = to_integers(make.graph(name))
    network = Network.of(graph)
    (layer,) = network.layers
    plan = plan_of(network, [replace(layer.unfolded(), simd=5, popcount_levels=1)])
    every = np.random.default_rng(9).permutation(1 << 12)
    x = 2 * ((every[:, None] >> np.arange(12)) & 1) - 1
    return _of_graph("lookups", "12 bits, 24 and 12 tables, 3 sums", graph, plan, x, "all 4,096 inputs")


def scaled() -> Small:
    """A layer that ends in a multiplication of two pieces, whose quotients are cut off, and a matrix behind it."""
    make = Maker(np.random.default_rng(0), (10,))
    name = make.quantiser("x", "bipolar")
    name = make.add(MatMul(**UNNAMED, **make.weights((6, 10))), name)
    slopes = np.array([0.25, 0.7, 0.25, 0.0, 0.7, 0.25], np.float32)
    name = make.add(Activation(**UNNAMED, function="leaky_relu", alpha=slopes), make.normalisation(name, 2.0))
    scale, zero_point = np.float32(1 / 32), np.float32(0)
    ten = Quant(**UNNAMED, scale=scale, zero_point=zero_point, bits=10, signed=True, narrow=False, rounding="ROUND")
    name = make.add(ten, name)
    graph = to_integers(make.graph(make.add(MatMul(**UNNAMED, **make.weights((4, 6))), name)))
    network = Network.of(graph)
    foldings = ({"pe": 2, "simd": 5}, {"pe": 2, "scale_memory": "block", "multiplier": "lut"}, {"pe": 2, "simd": 3})
    folded = [replace(layer.unfolded(), **fold) for layer, fold in zip(network.layers, foldings, strict=True)]
    every = np.random.default_rng(9).permutation(1 << 10)
    x = 2 * ((every[:, None] >> np.arange(10)) & 1) - 1
    return _of_graph("scaled", "10-6-4, integers of 10 bits", graph, plan_of(network, folded), x, "all 1,024 inputs")


def convolutional() -> Small:
    """A padded convolution, another one with a way past it, a pool, a layer of constant weights, a matrix; whole
    columns of windows, pixels and frames side by side."""
    make = Maker(np.random.default_rng(372), (4, 5, 2))
    name = past = make.quantiser("x", "ternary")
    for spread in (3.5, 5.0):
        past, inputs = name, make.shape(name)[-1]
        name = make.add(Pad(**UNNAMED, pads=(1, 1, 1, 1), value=0.0), name)
        weights = make.weights((4, 3, 3, inputs))
        name = make.add(Conv(**UNNAMED, **weights, geometry=Geometry((3, 3))), name)
        name = make.quantiser(_even(make, name, spread), "ternary")
    name = make.add(Sum(**UNNAMED, coefficients=np.ones((2, 1), np.int64)), name, past)
    name = make.quantiser(_even(make, name, 1.2), "ternary")
    name = make.add(Pad(**UNNAMED, pads=(0, 1, 0, 0), value=-np.inf), name)
    name = make.add(MaxPool(**UNNAMED, geometry=Geometry((2, 2), (2, 2)), minimum=np.zeros((), np.bool_)), name)
    name = make.add(Conv(**UNNAMED, **make.weights((3, 1, 1, 4)), geometry=Geometry((1, 1))), name)
    name = make.quantiser(_even(make, name, 2.0), "bipolar")
    graph = to_integers(_classified(make, name))
    network = Network.of(graph)
    foldings: list[dict[str, Any]] = [
        {"pe": 2, "simd": 6, "lanes": 2, "window_rows": 3, "threshold_memory": "block"},
        {"pe": 2, "simd": 6, "lanes": 2, "batch": 2, "weight_latency": 2},
        {"pe": 2},
        {"pe": 2},
        {"pe": 2},
        {"pe": 3, "simd": 4, "weight_memory": LOGIC},
        {"pe": 1, "simd": 6, "batch": 2},
    ]
    folded = [replace(layer.unfolded(), **fold) for layer, fold in zip(network.layers, foldings, strict=True)]
    return _on_maps("convolutional", graph, plan_of(network, folded))


def _even(make: Maker, name: str, spread: float) -> str:
    """A factor of either sign for each channel, and a small addend: each code comes often."""
    channels = make.shape(name)[-1]
    factor = make.rng.choice([-1, 1], channels) * make.rng.uniform(1, 1.5, channels) / spread
    name = make.add(Arithmetic(**UNNAMED, operation="mul", operand=factor.astype(np.float32)), name)
    addend = make.rng.normal(0, 0.3, channels).astype(np.float32)
    return make.add(Arithmetic(**UNNAMED, operation="add", operand=addend), name)


def _classified(make: Maker, name: str) -> Graph:
    """The graph with a matrix of three classes at its end."""
    name = make.add(Reshape(**UNNAMED, shape=(prod(make.shape(name)),)), name)
    weights = {**make.weights((3, *make.shape(name))), "weight_scale": np.array(1.0)}
    return make.graph(make.add(MatMul(**UNNAMED, **weights), name))


def grouped() -> Small:
    """A padded depthwise convolution, two channels at a time, and one in two groups, three passes over each.

    Of this seed, every channel takes each of its codes for more than a third of the positions: what a fault changes
    is not hidden behind a channel that is always the same.
    """
    make = Maker(np.random.default_rng(262), (4, 4, 4))
    name = make.quantiser("x", "ternary")
    name = make.add(Pad(**UNNAMED, pads=(1, 1, 1, 0), value=0.0), name)
    for kernel, outputs, groups in (((3, 2), 4, 4), ((2, 2), 6, 2)):
        weights = make.weights((outputs, *kernel, 4 // groups))
        name = make.add(Conv(**UNNAMED, **weights, geometry=Geometry(kernel), groups=groups), name)
        name = make.quantiser(make.normalisation(name, 2.5), "bipolar")
    graph = to_integers(_classified(make, name))
    network = Network.of(graph)
    foldings = {"grouped": [{"pe": 2}, {"pe": 1, "simd": 2}], "matrix": [{"pe": 1, "simd": 6}]}
    folded = [replace(layer.unfolded(), **foldings[layer.kind].pop(0)) for layer in network.layers]
    return _on_maps("grouped", graph, plan_of(network, folded))


def branched() -> Small:
    """Two convolutions of one map, one with dilations and one with strides; a part of what both give, a matrix."""
    make = Maker(np.random.default_rng(287), (5, 4, 2))
    source = make.quantiser("x", "int3")
    parts = []
    for geometry, pads in (
        (Geometry((2, 2), dilations=(3, 1)), (0, 0, 0, 0)),
        (Geometry((3, 2), (2, 1)), (1, 0, 0, 0)),
    ):
        name = make.add(Pad(**UNNAMED, pads=pads, value=0.0), source) if any(pads) else source
        name = make.add(Conv(**UNNAMED, **make.weights((2, *geometry.kernel, 2)), geometry=geometry), name)
        parts.append(make.quantiser(_even(make, name, 4.0), "ternary"))
    name = make.add(Concat(**UNNAMED), *parts)
    kept = np.ones(make.shape(name), np.bool_)
    kept[:, 1], kept[..., 2] = False, False
    graph = to_integers(_classified(make, make.add(Slice(**UNNAMED, kept=kept), name)))
    network = Network.of(graph)

    foldings: list[dict[str, Any]] = [
        {"pe": 1, "simd": 4, "lanes": 2, "window_memory": "block"},
        {"pe": 2, "simd": 3, "lanes": 1, "threshold_memory": "block"},
        {"pe": 2},
        {"pe": 1},
        {"pe": 1, "simd": 4, "popcount_levels": 1},
    ]
    folded = [replace(layer.unfolded(), **fold) for layer, fold in zip(network.layers, foldings, strict=True)]
    return _on_maps("branched", graph, plan_of(network, folded))


def _on_maps(name: str, graph: Graph, plan: Plan) -> Small:
    shape = graph.tensors["x"].shape
    x = np.random.default_rng(1).normal(0, 2, (MANY, *shape))
    what = f"a map of {'x'.join(map(str, shape))}, {len(plan.layers)} layers"
    return _of_graph(name, what, graph, plan, x, f"{MANY:,} inputs")


def _of_graph(name: str, what: str, graph: Graph, plan: Plan, x: NDArray[Any], how_many: str) -> Small:
    answers = reference.run(graph, x.astype(np.float32))
    many = Frames(
        np.asarray(reference.encode_inputs(graph, x.astype(np.float32)), np.int64).reshape(len(x), -1),
        np.asarray(answers["integers"], np.int64).reshape(len(x), -1),
        np.asarray(answers["prediction"], np.int64).reshape(-1),
    )
    return Small(name, what, Network.of(graph), plan, many, how_many)


DESIGNS: dict[str, Callable[[], Small]] = {
    "dense": dense,
    "loaded": loaded,
    "tables": tables,
    "lookups": lookups,
    "scaled": scaled,
    "convolutional": convolutional,
    "grouped": grouped,
    "branched": branched,
}
