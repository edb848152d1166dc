"""Convolutional networks through the passes: the same answers before and after each of them."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.ir.graph import Graph
from bnnhw.ir.spec import verify
from bnnhw.passes import PIPELINE
from campaigns.random_maps import random_map_network


def inputs_of(graph: Graph, count: int = 6) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 2, (count, *graph.tensors["x"].shape)).astype(np.float32)


@pytest.mark.parametrize("seed", range(60))
def test_every_pass_keeps_the_meaning(seed: int) -> None:
    graph = random_map_network(np.random.default_rng(seed))
    x = inputs_of(graph)
    expected = reference.run(graph, x)["outputs"]
    for step, stage in PIPELINE:
        graph = verify(step(graph), stage)
        np.testing.assert_array_equal(reference.run(graph, x)["outputs"], expected, err_msg=str(step))
    np.testing.assert_array_equal(reference.run(graph, x, packed=False)["outputs"], expected)
