"""Sums that no quantiser follows: layers multiply them, pools pad them; and codes that are no products to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

import bnnhw
from bnnhw import reference
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense, Encode, SumPool, Threshold
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import Net, inputs_for, quantised_input


def assert_same(path: Path, inputs: np.ndarray, tolerance: float = 1e-6) -> Graph:
    """The executor's answers from the graph and from its integers, which come back."""
    graph = assert_as_executed(path, inputs, tolerance=tolerance)
    made = to_integers(graph)
    found, expected = (reference.run(some, inputs)["outputs"] for some in (made, graph))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    return made


def pooled_sums(net: Net, x: str) -> str:
    """A layer, the mean of its map, and a layer of that, with nothing in between."""
    x = net.node("GlobalAveragePool", net.conv(x, inputs=2, outputs=6))
    return net.dense(net.node("Flatten", x), 6, 4)


def test_a_layer_multiplies_sums_that_nothing_quantises(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 2, 6, 6))
    made = assert_same(net.save(tmp_path, pooled_sums(net, x)), inputs_for(net, 16))
    last = [node for node in made.nodes if isinstance(node, Dense)][-1]
    assert isinstance(made.producer(made.producer(last.inputs[0]).inputs[0]), SumPool)  # type: ignore[union-attr]


@pytest.mark.sim
def test_wide_sums_in_verilog(tmp_path: Path) -> None:
    """Of more than 16 bits, by a layer of binary weights."""
    net = Net((1, 2, 6, 6))
    x = net.quant("x", scale=2.0**-7, bits=12.0)
    path = net.save(tmp_path, pooled_sums(net, x))
    made = assert_same(path, inputs_for(net, 4), 1e-5)
    last = [node for node in made.nodes if isinstance(node, Dense)][-1]
    assert made.tensors[last.inputs[0]].format.bits > 16  # type: ignore[union-attr]
    found = bnnhw.compare(path, inputs=inputs_for(net, 4), board="ulx3s-85f", levels=["rtl"])
    assert found["mismatches"] == 0


def test_padding_around_sums_with_an_offset(tmp_path: Path) -> None:
    """A Relu of sums that are never below zero cuts nothing off: they have an offset, and the padding has none."""
    net, x = quantised_input(shape=(1, 2, 6, 6))
    x = net.node(
        "Relu", net.node("Add", net.conv(x, inputs=2), net.constant(np.float32([0.3, 20.1, 0.7, 15.4])[:, None, None]))
    )
    x = net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)
    x = net.quant(x, scale=0.75, bits=5.0)
    assert_same(net.save(tmp_path, net.dense(net.node("Flatten", x), 4 * 9)), inputs_for(net, 16))


def test_sixteen_bits_with_a_zero_point(tmp_path: Path) -> None:
    """Their values reach over 17 bits."""
    net, x = quantised_input()
    x = net.quant(net.dense(x, scale=0.25), scale=2.0**-12, zero=13776.0, bits=16.0, narrow=0)
    assert_same(net.save(tmp_path, net.dense(x, 8, 4)), inputs_for(net, 16), 1e-5)


def test_scales_of_a_flattened_input(tmp_path: Path) -> None:
    """A padded map, flattened, has a scale for each element: software has the vector."""
    net = Net((1, 1, 3, 2))
    x = net.node("Flatten", net.node("Pad", "x", net.constant(np.array([0, 0, 0, 0, 0, 0, 0, 1], np.int64))))
    x = net.quant(x, scale=np.float32([[0.5, 1, 2, 0.25, 1, 0.5, 1, 2, 1]]), bits=3.0)
    assert_same(net.save(tmp_path, net.dense(x, 9, 4)), inputs_for(net, 16))


@pytest.mark.parametrize("mean", [[0.0], [0.485, 0.456, 0.406]])
def test_codes_of_a_scaled_input_keep_its_floats(mean: list[float], tmp_path: Path) -> None:
    """Pixels divided by 255 are no products with a scale to the last bit: cuts on some of them are decided as float32
    decides, and leave no doubt."""
    net = Net((1, 3, 4, 4), element=TensorProto.UINT8)
    x = net.node("Div", net.node("Cast", "x", to=TensorProto.FLOAT), net.constant(np.float32(255)))
    x = net.node("Sub", x, net.constant(np.float32(mean)[:, None, None]))
    cuts = [[np.float32(k / 255) - np.float32(m) for k in (51, 102, 201)] for m in mean]
    direct = net.thresholds(x, cuts)
    averaged = net.quant(net.conv(x, outputs=3, kernel=(1, 1)), scale=0.25, bits=3.0)
    net.dense(net.node("Flatten", net.node("Concat", direct, averaged, axis=1)), 6 * 16)
    pixels = np.random.default_rng(1).choice([50, 51, 102, 103, 200, 201], (16, 3, 4, 4)).astype(np.uint8)
    made = assert_same(net.save(tmp_path), pixels)
    assert sum(isinstance(node, Encode) for node in made.nodes) == 1
    found = [
        node for node in made.nodes if isinstance(node, Threshold) and isinstance(made.producer(node.inputs[0]), Encode)
    ]
    assert len(found) == 1 and not found[0].doubtful.size
