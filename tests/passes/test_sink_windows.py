"""Where max-pools come to stand between a layer and its quantiser, and that the answers stay the executor's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.ir.nodes import Clip, MaxPool, Node, Threshold
from bnnhw.passes import arrange, sink_windows, to_integers
from tests.frontend.compare import assert_as_executed, imported
from tests.onnx_models import Net, inputs_for, quantised_input


def silu(net: Net, x: str) -> str:
    return net.node("Mul", x, net.node("Sigmoid", x))


def pooled(net: Net, x: str) -> str:
    return net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])


def finish(net: Net, x: str, path: Path) -> Path:
    """Quantised to few levels, and a last layer."""
    return net.save(path, net.dense(net.node("Flatten", net.quant(x, scale=0.25, bits=3.0)), 4 * 2 * 3))


def assert_same(path: Path, net: Net) -> list[Node]:
    """Integers, reference and executor agree; the nodes of the hardware."""
    graph = assert_as_executed(path, inputs_for(net, 12), tolerance=1e-6)
    made = to_integers(graph)
    np.testing.assert_array_equal(
        reference.run(made, inputs_for(net, 12))["outputs"], reference.run(graph, inputs_for(net, 12))["outputs"]
    )
    return list(made.nodes)


@pytest.mark.parametrize("order", ["relu, pool", "pool, relu"])
def test_a_pool_that_meets_no_quantiser_works_on_the_sums(order: str, tmp_path: Path) -> None:
    """Behind the Relu it would have values that no integers stand for; the SiLU behind it turns."""
    net, x = quantised_input(shape=(1, 2, 6, 8))
    x = net.batch_norm(net.conv(x, inputs=2), 4)
    x = pooled(net, net.node("Relu", x)) if order == "relu, pool" else net.node("Relu", pooled(net, x))
    nodes = assert_same(finish(net, silu(net, x), tmp_path), net)
    kinds = [type(node) for node in nodes]
    assert kinds.index(MaxPool) < kinds.index(Threshold)
    pool = nodes[kinds.index(MaxPool)]
    assert isinstance(pool, MaxPool) and pool.minimum.any() and not pool.minimum.all()


def test_a_pool_goes_behind_its_quantiser(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 2, 6, 8))
    x = net.node("Relu", pooled(net, net.batch_norm(net.conv(x, inputs=2), 4)))
    nodes = assert_same(finish(net, x, tmp_path), net)
    kinds = [type(node) for node in nodes]
    assert kinds.index(Threshold) < kinds.index(MaxPool)


def test_a_pool_of_codes_goes_behind_what_makes_narrower_ones(tmp_path: Path) -> None:
    """Of a quantised tensor it may meet a Relu: the codes behind it are fewer."""
    net, x = quantised_input(shape=(1, 2, 6, 8))
    x = net.node("Relu", pooled(net, net.quant(net.conv(x, inputs=2), scale=0.5, bits=4.0)))
    path = net.save(tmp_path, net.dense(net.node("Flatten", x), 4 * 2 * 3))
    graph = sink_windows.run(arrange.run(imported(path)))
    kinds = [type(node) for node in graph.nodes]
    assert kinds.index(Clip) < kinds.index(MaxPool)
    assert_same(path, net)


def test_a_pool_stays_at_a_fork(tmp_path: Path) -> None:
    """What it would leave behind, another reads."""
    net, x = quantised_input(shape=(1, 2, 6, 8))
    x = net.node("Relu", net.conv(x, inputs=2))
    other = net.quant(net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), scale=0.25, bits=3.0)
    first = net.quant(silu(net, pooled(net, x)), scale=0.25, bits=3.0)
    path = net.save(tmp_path, net.dense(net.node("Flatten", net.node("Add", first, other)), 4 * 2 * 3))
    assert_same(path, net)
