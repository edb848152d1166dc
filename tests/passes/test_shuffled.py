"""Channels in another order between layers: ShuffleNets, permutations by Gather, pixels that become channels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw import reference
from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from bnnhw.ir.nodes import Dense, GroupedDense
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import Net, inputs_for

ORDER = np.random.default_rng(2).permutation(8)


def shuffled(net: Net, x: str, groups: int, channels: int = 8, size: int = 6) -> str:
    """As PyTorch exports a channel shuffle."""
    shapes = [(1, groups, channels // groups, size, size), (1, channels, size, size)]
    x = net.node("Reshape", x, net.constant(np.array(shapes[0])))
    x = net.node("Transpose", x, perm=[0, 2, 1, 3, 4])
    return net.node("Reshape", x, net.constant(np.array(shapes[1])))


def grouped(net: Net, x: str, groups: int, kernel: int = 1, channels: int = 8) -> str:
    pads = [kernel // 2] * 4
    x = net.conv(x, channels // groups, channels, (kernel, kernel), group=groups, pads=pads)
    return net.quant(net.batch_norm(x, channels), scale=0.5, bits=3)


def block(net: Net, x: str) -> str:
    """ShuffleNet's: torn groups behind a depthwise convolution, and a residual around all."""
    made = grouped(net, x, 2)
    made = grouped(net, shuffled(net, made, 2), 8, 3)
    return net.quant(net.node("Add", grouped(net, made, 2), x), scale=0.5, bits=4)


def second_block(net: Net, x: str) -> str:
    """ShuffleNetV2's, twice: one half passes, the other does not, and then they are shuffled."""
    for _ in range(2):
        left = net.node("Split", x, axis=1, outputs=2)
        right = net.nodes[-1].output[1]
        x = shuffled(net, net.node("Concat", left, grouped(net, right, 4, 3, 4), axis=1), 2)
    return x


BODIES: dict[str, Callable[[Net, str], str]] = {
    "block": block,
    "second block": second_block,
    "groups in one piece": lambda net, x: grouped(net, net.node("Gather", x, _constant(net, [6, 7, 5, 4, 0, 1, 2, 3]), axis=1), 2),
    "torn groups of many taps": lambda net, x: grouped(net, shuffled(net, x, 2), 2, 3),
    "in a sum": lambda net, x: net.quant(net.node("Add", shuffled(net, x, 4), x), bits=3),
    "by Gather": lambda net, x: grouped(net, net.node("Gather", x, _constant(net, ORDER), axis=1), 1, 3),
    "a part by Gather": lambda net, x: grouped(net, net.node("Gather", x, _constant(net, [5, 1, 4, 0]), axis=1), 1, 1, 4),
    "a pool": lambda net, x: net.node("MaxPool", shuffled(net, x, 2), kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]),
    "an average": lambda net, x: net.quant(net.node("GlobalAveragePool", shuffled(net, x, 2)), scale=0.25, bits=4),
    "parameters per channel": lambda net, x: grouped(net, net.quant(net.batch_norm(shuffled(net, x, 2)), bits=4), 1),
    "raw sums": lambda net, x: net.quant(
        net.node("Add", shuffled(net, net.conv(x, 8, 8, (1, 1)), 4), net.conv(x, 8, 8, (1, 1))), bits=3
    ),
    "two shuffles": lambda net, x: grouped(net, shuffled(net, shuffled(net, x, 2), 2), 4, 3),
}  # fmt: skip


def _constant(net: Net, values: object) -> str:
    return net.constant(np.asarray(values))


def network(body: Callable[[Net, str], str], channels: int = 8, size: int = 6) -> Net:
    net = Net((1, 3, size, size))
    x = net.quant("x", scale=0.25, bits=4)
    x = net.quant(net.conv(x, 3, 8, (3, 3), pads=[1, 1, 1, 1]), scale=0.5, bits=3)
    x = net.node("Flatten", body(net, x))
    return net


def ended(body: Callable[[Net, str], str], folder: Path, inputs: int) -> tuple[Net, Path]:
    net = network(body)
    net.dense(net.nodes[-1].output[0], inputs, 5)
    return net, net.save(folder)


SIZES = {"a part by Gather": 4 * 36, "an average": 8}


@pytest.mark.parametrize("name", BODIES)
def test_orders(name: str, tmp_path: Path) -> None:
    net, path = ended(BODIES[name], tmp_path, SIZES.get(name, 8 * 36))
    inputs = inputs_for(net, 12)
    graph = assert_as_executed(path, inputs, tolerance=1e-5)
    integer = to_integers(graph)
    expected = reference.run(graph, inputs)["outputs"]
    np.testing.assert_allclose(reference.run(integer, inputs)["outputs"], expected, rtol=1e-5, atol=1e-4)


def test_weights_follow(tmp_path: Path) -> None:
    """A shuffle in front of depthwise and of full layers costs nothing; torn groups cost, and it is said."""
    _, path = ended(block, tmp_path, 8 * 36)
    graph = to_integers(load_qonnx(path))
    layers = [node for node in graph.nodes if isinstance(node, Dense)]
    assert [isinstance(layer, GroupedDense) for layer in layers] == [False, True, True, False, False]
    assert any("2 times the weights" in note for note in graph.notes)
    _, path = ended(BODIES["by Gather"], tmp_path, 8 * 36)
    graph = to_integers(load_qonnx(path))
    assert len([node for node in graph.nodes if isinstance(node, Dense)]) == 3
    assert not any("order" in note for note in graph.notes)


@pytest.mark.sim
@pytest.mark.parametrize("name", ["block", "in a sum"])
def test_rtl(name: str, tmp_path: Path) -> None:
    _, path = ended(BODIES[name], tmp_path, 8 * 36)
    found = bnnhw.compare(path, levels=("source", "reference", "rtl"), samples=2, board="ulx3s-85f")
    assert found["mismatches"] == 0


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_channels_that_become_pixels(mode: str, tmp_path: Path) -> None:
    """In front of a dense layer, whose weights follow."""
    net, path = ended(lambda net, x: net.node("DepthToSpace", x, blocksize=2, mode=mode), tmp_path, 8 * 36)
    assert_same(net, path)


def test_pixels_that_become_channels(tmp_path: Path) -> None:
    """In front of the first layer, where software does it."""
    net = Net((1, 1, 8, 8))
    x = net.quant(net.node("SpaceToDepth", "x", blocksize=2), scale=0.25, bits=4)
    x = net.bipolar(net.conv(x, 4, 8, (3, 3)))
    net.dense(net.node("Flatten", x), 32, 5)
    assert_same(net, net.save(tmp_path))


def assert_same(net: Net, path: Path) -> None:
    inputs = inputs_for(net, 12)
    graph = assert_as_executed(path, inputs, tolerance=1e-5)
    found = reference.run(to_integers(graph), inputs)["outputs"]
    np.testing.assert_allclose(found, reference.run(graph, inputs)["outputs"], rtol=1e-5, atol=1e-4)


def test_other_orders_are_refused(tmp_path: Path) -> None:
    def body(net: Net, x: str) -> str:
        return grouped(net, net.node("Transpose", x, perm=[0, 2, 3, 1]), 1, 1, 6)

    _, path = ended(body, tmp_path, 8 * 36)
    with pytest.raises(ModelError, match="its elements come in another order.*a convolution whose kernel covers them"):
        to_integers(load_qonnx(path))
