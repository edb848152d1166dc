"""The ways in which weights are written: each becomes integers with a scale, and means the same as in qonnx."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.ir.nodes import MatMul
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed, imported
from tests.onnx_models import Net, inputs_for, quantised_input

Body = Callable[[Net, str], str]


def layer(graph_path: Path) -> MatMul:
    """The only layer with weights."""
    (found,) = (node for node in imported(graph_path).nodes if isinstance(node, MatMul))
    return found


PER_CHANNEL = np.float32([[0.5], [1], [2], [0.25], [1], [1], [4], [0.5]])


def transposed_before(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.quant(net.weights(12, 8)))


def per_channel(net: Net, x: str) -> str:
    weight = net.quant(net.weights(8, 12), scale=PER_CHANNEL)
    return net.node("MatMul", x, net.node("Transpose", weight))


def bipolar(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.node("Transpose", net.bipolar(net.weights(8, 12), 0.5), perm=[1, 0]))


def bipolar_per_channel(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.node("Transpose", net.bipolar(net.weights(8, 12), -PER_CHANNEL)))


def one_signed_bit(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.quant(net.weights(12, 8), bits=1, scale=2, narrow=0))


def unsigned(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.quant(net.weights(12, 8), bits=3, scale=0.25, signed=0, narrow=0))


def zero_point(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.quant(net.weights(12, 8), bits=4, scale=0.125, signed=0, narrow=0, zero=8))


def int_quant(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.quant(net.weights(12, 8), bits=4, scale=0.25, op="IntQuant", rounding="FLOOR"))


def half_even(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.quant(net.weights(12, 8), bits=4, scale=0.25, rounding="half_even"))


def gemm(net: Net, x: str) -> str:
    return net.node("Gemm", x, net.quant(net.weights(8, 12)), transB=1)


def gemm_not_transposed(net: Net, x: str) -> str:
    return net.node("Gemm", x, net.quant(net.weights(12, 8)), net.constant(np.arange(8, dtype=np.float32)))


def gemm_scaled(net: Net, x: str) -> str:
    bias = net.constant(np.arange(8, dtype=np.float32)[None])
    return net.node("Gemm", x, net.bipolar(net.weights(8, 12)), bias, transB=1, alpha=0.5, beta=-2.0)


def gemm_quantised_bias(net: Net, x: str) -> str:
    bias = net.quant(net.weights(8), bits=32, scale=2.0**-10, narrow=0)
    return net.node("Gemm", x, net.quant(net.weights(8, 12)), bias, transB=1)


def gemm_scalar_bias(net: Net, x: str) -> str:
    return net.node("Gemm", x, net.quant(net.weights(8, 12)), net.constant(0.5), transB=1)


def bare_bipolar(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.constant(net.random.choice([-1.0, 1.0], (12, 8)).astype(np.float32)))


def bare_ternary(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.constant(net.random.integers(-1, 2, (12, 8)).astype(np.float32)))


def bare_integers(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.constant(net.random.integers(-7, 8, (12, 8)).astype(np.float32)))


def bare_one_magnitude(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.constant(net.random.choice([-0.5, 0, 0.5], (12, 8)).astype(np.float32)))


def bare_magnitude_per_channel(net: Net, x: str) -> str:
    signs = net.random.choice([-1, 1], (12, 8))
    return net.node("MatMul", x, net.constant((signs * PER_CHANNEL.T).astype(np.float32)))


def sign_of_weights(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.node("Sign", net.weights(12, 8)))


def sign_scaled(net: Net, x: str) -> str:
    signs = net.node("Sign", net.weights(8, 12))
    scaled = net.node("Mul", net.constant(PER_CHANNEL), signs)
    return net.node("MatMul", x, net.node("Transpose", scaled, perm=[1, 0]))


def integers_scaled(net: Net, x: str) -> str:
    integers = net.constant(net.random.integers(-7, 8, (12, 8)).astype(np.int8))
    cast = net.node("Cast", integers, to=TensorProto.FLOAT)
    return net.node("MatMul", x, net.node("Mul", cast, net.constant(0.125)))


def quantised_then_divided(net: Net, x: str) -> str:
    weight = net.node("Div", net.quant(net.weights(12, 8), bits=4, scale=0.25), net.constant(-2.0))
    return net.node("MatMul", x, net.node("Neg", weight))


def quantised_twice(net: Net, x: str) -> str:
    return net.node("MatMul", x, net.quant(net.quant(net.weights(12, 8), bits=8, scale=2.0**-6), bits=4, scale=0.25))


def clipped_first(net: Net, x: str) -> str:
    clipped = net.node("Clip", net.weights(12, 8), net.constant(-0.5), net.constant(0.5))
    return net.node("MatMul", x, net.quant(clipped, scale=0.5))


def threshold_weights(net: Net, x: str) -> str:
    weight = net.thresholds(net.weights(12, 8), [[-0.3, 0.3]], out_bias=-1.0, out_dtype="TERNARY")
    return net.node("MatMul", x, weight)


def constant_node(net: Net, x: str) -> str:
    values = helper.make_tensor("v", TensorProto.FLOAT, (12, 8), net.random.choice([-1.0, 1.0], 96))
    return net.node("MatMul", x, net.node("Constant", value=values))


WEIGHTS: dict[Body, tuple[DataType, object]] = {
    transposed_before: (TERNARY, 1),
    per_channel: (TERNARY, PER_CHANNEL[:, 0]),
    bipolar: (BIPOLAR, 0.5),
    bipolar_per_channel: (BIPOLAR, -PER_CHANNEL[:, 0]),
    one_signed_bit: (BIPOLAR, 2),
    unsigned: (DataType("uint", 3), 0.25),
    zero_point: (DataType("int", 4), 0.125),
    int_quant: (DataType("int", 4), 0.25),
    half_even: (DataType("int", 4), 0.25),
    gemm: (TERNARY, 1),
    gemm_not_transposed: (TERNARY, 1),
    gemm_scaled: (BIPOLAR, 0.5),
    gemm_quantised_bias: (TERNARY, 1),
    gemm_scalar_bias: (TERNARY, 1),
    bare_bipolar: (BIPOLAR, 1),
    bare_ternary: (TERNARY, 1),
    bare_integers: (DataType("int", 4), 1),
    bare_one_magnitude: (TERNARY, 0.5),
    bare_magnitude_per_channel: (BIPOLAR, PER_CHANNEL[:, 0]),
    sign_of_weights: (BIPOLAR, 1),
    sign_scaled: (BIPOLAR, PER_CHANNEL[:, 0]),
    integers_scaled: (DataType("int", 4), 0.125),
    quantised_then_divided: (DataType("int", 4), 0.125),
    quantised_twice: (DataType("int", 4), 0.25),
    clipped_first: (TERNARY, 0.5),
    threshold_weights: (TERNARY, 1),
    constant_node: (BIPOLAR, 1),
}


@pytest.mark.parametrize("body", WEIGHTS, ids=lambda body: body.__name__)
def test_weights(body: Body, tmp_path: Path) -> None:
    net, x = quantised_input()
    path = net.save(tmp_path, body(net, x))
    inputs = inputs_for(net)
    graph = assert_as_executed(path, inputs)
    dtype, scale = WEIGHTS[body]
    found = layer(path)
    assert found.weight.shape == (8, 12)
    assert found.weight_dtype == dtype
    np.testing.assert_array_equal(found.weight_scale, scale)
    np.testing.assert_array_equal(
        reference.run(to_integers(graph), inputs)["outputs"], reference.run(graph, inputs)["outputs"]
    )


def test_weights_keep_an_inexact_scale_apart(tmp_path: Path) -> None:
    net, x = quantised_input()
    net.node("MatMul", x, net.quant(net.weights(12, 8), bits=8, scale=0.013))
    path = net.save(tmp_path)
    assert layer(path).weight_scale == np.float32(0.013)
    assert_as_executed(path, inputs_for(net), tolerance=1e-5)


def test_popcount_of_bits(tmp_path: Path) -> None:
    net = Net(domain="qonnx.custom_op.general")
    bits = net.thresholds("x", [[0.0]], out_dtype="BINARY")
    net.node("XnorPopcountMatMul", bits, net.constant(net.random.integers(0, 2, (12, 8)).astype(np.float32)))
    path, inputs = net.save(tmp_path), inputs_for(net)
    graph = assert_as_executed(path, inputs)
    assert layer(path).weight_dtype == BIPOLAR
    np.testing.assert_array_equal(
        reference.run(to_integers(graph), inputs)["outputs"], reference.run(graph, inputs)["outputs"]
    )


def test_bit_width_per_channel(tmp_path: Path) -> None:
    """The executor takes one width for all: it gets the channels side by side."""
    net, x = quantised_input()
    raw = net.random.normal(0, 0.6, (12, 8)).astype(np.float32)
    widths = np.float32([[1, 1, 2, 2, 2, 4, 8, 8]])
    net.node("MatMul", x, net.quant(net.constant(raw), bits=widths, scale=0.125, narrow=0))
    found = layer(net.save(tmp_path)).weight
    other, x = quantised_input()
    parts = [
        other.quant(other.constant(raw[:, widths[0] == bits]), bits=bits, scale=0.125, narrow=0)
        for bits in (1.0, 2.0, 4.0, 8.0)
    ]
    other.node("MatMul", x, other.node("Concat", *parts, axis=1))
    path = other.save(tmp_path)
    np.testing.assert_array_equal(found, layer(path).weight)
    assert_as_executed(path, inputs_for(other))
