"""Convolutional networks through the passes: the same answers before and after each of them."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Arithmetic, Conv, GroupedDense, MatMul, Reshape, Window
from bnnhw.ir.spec import verify
from bnnhw.passes import PIPELINE
from campaigns.random_maps import UNNAMED, Maker, random_map_network


def assert_meaning_is_kept(graph: Graph) -> Graph:
    """The integer graph; every pass on the way gives the same answers."""
    x = inputs_of(graph)
    expected = reference.run(graph, x)["outputs"]
    for step, stage in PIPELINE:
        graph = verify(step(graph), stage)
        np.testing.assert_array_equal(reference.run(graph, x)["outputs"], expected, err_msg=str(step))
    np.testing.assert_array_equal(reference.run(graph, x, packed=False)["outputs"], expected)
    return graph


def inputs_of(graph: Graph, count: int = 6) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 2, (count, *graph.tensors["x"].shape)).astype(np.float32)


@pytest.mark.parametrize("seed", range(60))
def test_every_pass_keeps_the_meaning(seed: int) -> None:
    assert_meaning_is_kept(random_map_network(np.random.default_rng(seed)))


@pytest.mark.parametrize(("groups", "bits"), [(4, 1), (2, 3)])
def test_scales_per_channel_before_groups(groups: int, bits: int) -> None:
    """The weights of each group take the scales of its own channels: that of one channel is the sum's."""
    make = Maker(np.random.default_rng(2), (4, 3, 4))
    scales = np.float32([0.25, 0.75, 1.0, -0.5])
    name = make.add(Arithmetic(**UNNAMED, operation="mul", operand=scales), make.quantiser("x", "bipolar"))
    weight = make.rng.choice([-1, 1], (8, 2, 2, 4 // groups)).astype(np.int16)
    node = Conv(
        **UNNAMED, weight=weight, weight_dtype=BIPOLAR, weight_scale=np.array(1.0), geometry=Geometry((2, 2)),
        groups=groups,
    )  # fmt: skip
    name = make.quantiser(make.normalisation(make.add(node, name), 2.0), "bipolar")
    name = make.add(Reshape(**UNNAMED, shape=(48,)), name)
    last = MatMul(**UNNAMED, **{**make.weights((3, 48)), "weight_scale": np.array(1.0)})
    made = assert_meaning_is_kept(make.graph(make.add(last, name)))
    (layer,) = (node for node in made.nodes if isinstance(node, GroupedDense))
    assert layer.groups == groups and layer.weight.shape == (8, 16 // groups)
    assert layer.weight_dtype.bits == bits


def test_groups_along_the_channels_of_pixels() -> None:
    """No window is taken of single pixels."""
    make = Maker(np.random.default_rng(5), (3, 2, 6))
    name = make.convolution(make.quantiser("x", "int3"), 9, (1, 1), same=True, groups=3)
    name = make.add(Reshape(**UNNAMED, shape=(54,)), make.quantiser(name))
    last = MatMul(**UNNAMED, **{**make.weights((3, 54)), "weight_scale": np.array(1.0)})
    made = assert_meaning_is_kept(make.graph(make.add(last, name)))
    kinds = [type(node) for node in made.nodes]
    assert GroupedDense in kinds and Window not in kinds
