"""Roundings whose limits stand behind them."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.ir.nodes import Clip, Node, Round
from bnnhw.passes import clip_first, to_integers
from campaigns.random_graphs import arithmetic, graph_of, matmul


def rounding(mode: str = "ROUND") -> Node:
    return Round(name="", inputs=(), output="", rounding=mode)


def clip(low: float, high: float) -> Node:
    return Clip(name="", inputs=(), output="", low=low, high=high)


# By name: what follows the rounding, and the limits in front of it.
CHAINS: dict[str, tuple[list[Node], tuple[float, float]]] = {
    "at once": ([clip(-7, 7)], (-7, 7)),
    "between whole numbers": ([clip(-2.5, 3.25)], (-3, 4)),
    "behind a factor": ([arithmetic("div", 7), clip(-1, 1)], (-7, 7)),
    "behind a factor below zero": ([arithmetic("mul", -0.1), clip(-0.3, 0.75)], (-8, 3)),
    "in two steps": ([clip(0, np.inf), arithmetic("add", -1), clip(-9, 14)], (0, 15)),
    "the second one is narrower": ([clip(-100, 100), arithmetic("mul", 2), clip(-6, 6)], (-3, 3)),
    "above 24 bits": ([clip(-np.inf, 1e9), clip(0, 3)], (0, 3)),
}


@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "CEIL"])
@pytest.mark.parametrize("name", CHAINS)
def test_limits(name: str, mode: str) -> None:
    steps, limits = CHAINS[name]
    rng = np.random.default_rng(1)
    graph = graph_of([arithmetic("mul", 3), rounding(mode), *steps, matmul(rng, 6, 3, BIPOLAR)], (6,))
    made = clip_first.run(graph)
    found = next(node for node in made.nodes if isinstance(node, Clip))
    assert (found.low, found.high) == limits and isinstance(made.consumers(found.output)[0], Round)
    x = np.concatenate([rng.normal(0, 3, (40, 6)), np.arange(-60, 60).reshape(-1, 6) / 6]).astype(np.float32)
    truth = reference.run(graph, x)["outputs"]
    for other in (made, to_integers(graph)):
        np.testing.assert_allclose(reference.run(other, x)["outputs"], truth, rtol=1e-5, atol=1e-5)


OPEN: dict[str, list[Node]] = {
    "without limits": [arithmetic("mul", 2)],
    "with one": [clip(0, np.inf)],
    "factors by channel": [arithmetic("mul", np.arange(1, 7)), clip(-1, 1)],
}


@pytest.mark.parametrize("name", OPEN)
def test_no_limits(name: str) -> None:
    rng = np.random.default_rng(1)
    graph = graph_of([rounding(), *OPEN[name], matmul(rng, 6, 3, BIPOLAR)], (6,))
    assert len(clip_first.run(graph).nodes) == len(graph.nodes)
