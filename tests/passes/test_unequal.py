"""Quantisers of levels that lie on no grid: counts of steps of each size, with coefficients of any ratio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import bnnhw
from bnnhw import reference
from bnnhw.frontend import load_qonnx
from bnnhw.ir.bounds import reachable
from bnnhw.ir.nodes import Dense, GroupedDense, Sum
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import Net, inputs_for, quantised_input

SIZES = (0.3141, 0.5772, 0.2718)  # no whole multiples, up to 255, of one number


def steps(net: Net, x: str, *, lowest: float = 0.0, channels: int = 0) -> str:
    """A sum of steps of unequal sizes; as HWGQ's quantiser, the lowest level is 0 unless it is told."""
    total = ""
    for k, size in enumerate(SIZES):
        sizes = size * (1 + 0.1 * np.arange(channels))[:, None, None] if channels else size
        step = net.node("Mul", net.thresholds(x, [[0.25 * k + 0.1]]), net.constant(np.float32(sizes)))
        total = net.node("Add", total, step) if total else step
    return net.node("Add", total, net.constant(np.float32(lowest))) if lowest else total


def assert_same(path: Path, inputs: NDArray[np.float32]) -> int:
    """The executor's answers from the graph and from its integers; how many layers these have."""
    graph = assert_as_executed(path, inputs, tolerance=1e-5)
    made = to_integers(graph)
    found, expected = (reference.run(some, inputs)["outputs"] for some in (made, graph))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    return sum(isinstance(node, (Dense, GroupedDense)) for node in made.nodes)


@pytest.mark.parametrize("lowest", [0.0, -0.41])
def test_dense(lowest: float, tmp_path: Path) -> None:
    net, x = quantised_input()
    x = steps(net, net.dense(x, scale=0.25), lowest=lowest)
    assert assert_same(net.save(tmp_path, net.dense(x, 8, 4)), inputs_for(net, 40)) == 1 + len(SIZES)


@pytest.mark.parametrize(("lowest", "layers"), [(0.0, 2 + len(SIZES)), (-0.41, 3 + len(SIZES))])
def test_padded_convolution(lowest: float, layers: int, tmp_path: Path) -> None:
    """Around the map there are zeros, not the lowest level."""
    net, x = quantised_input(shape=(1, 2, 5, 4))
    x = steps(net, net.conv(x, inputs=2), lowest=lowest)
    x = net.bipolar(net.batch_norm(net.conv(x, inputs=4, pads=[1, 1, 1, 1]), 4))
    assert assert_same(net.save(tmp_path, net.dense(net.node("Flatten", x), 24, 4)), inputs_for(net, 20)) == layers


def test_sizes_per_channel_and_a_pool(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 2, 6, 6))
    x = net.quant(net.node("GlobalAveragePool", steps(net, net.conv(x, inputs=2), channels=4)), scale=0.1, bits=5.0)
    assert assert_same(net.save(tmp_path, net.dense(net.node("Flatten", x), 4, 3)), inputs_for(net, 20)) > 1


def test_an_input_of_unequal_levels(tmp_path: Path) -> None:
    """Four levels, tanh(-0.5) to tanh(1), in steps of three sizes, two of which are alike."""
    net = Net()
    x = net.node("Tanh", net.quant("x", scale=0.5, bits=2.0, narrow=0))
    net.dense(net.bipolar(net.batch_norm(net.dense(x))), 8, 4)
    assert assert_same(net.save(tmp_path), inputs_for(net, 20)) > 2


@pytest.mark.sim
def test_in_verilog(tmp_path: Path) -> None:
    net, x = quantised_input()
    path = net.save(tmp_path, net.dense(steps(net, net.dense(x, scale=0.25), lowest=-0.41), 8, 4))
    assert bnnhw.compare(path, inputs=inputs_for(net, 8), board="ulx3s-85f", levels=["rtl"])["mismatches"] == 0


def test_channels_of_sums_may_differ_in_size(tmp_path: Path) -> None:
    """One channel needs a fine unit and takes all bits of the sum; what is added to the others stays exact as well."""
    net, x = quantised_input(shape=(1, 2, 5, 4))
    scales = net.constant(np.array([0.5, 0.28557467, 0.5, 0.25], np.float32)[:, None, None])
    x = net.node("Add", net.node("Mul", net.conv(x, inputs=2), scales), net.quant(net.conv(x, inputs=2), scale=2.0))
    branch = net.node("Mul", net.conv(net.bipolar(x), inputs=4, kernel=(1, 1)), net.constant(np.float32(0.5714286)))
    x = net.quant(net.node("Add", branch, x), scale=0.7, bits=4.0)
    path = net.save(tmp_path, net.dense(net.node("Flatten", x), 24, 4))
    assert assert_same(path, inputs_for(net, 40)) == 4
    made = to_integers(load_qonnx(path))
    sums = [node.output for node in made.nodes if isinstance(node, Sum)]
    makers = {node.output: node for node in made.nodes}
    sizes = [np.abs(reachable(name, made.tensors, makers)).max(axis=0) for name in sums]
    assert len(sums) == 2 and all(16 * size.min() > size.max() > 1 << 15 for size in sizes)
