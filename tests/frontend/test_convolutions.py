"""Convolutions in the ways in which files hold them: each means the same here and in qonnx's executor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.frontend import inspect
from bnnhw.ir.nodes import Arithmetic, Conv, MatMul, Node, Pad
from tests.frontend.compare import assert_as_executed, imported
from tests.onnx_models import CHANNELS_LAST, Net, inputs_for, quantised_input

Body = Callable[[Net, str], str]


def ops(nodes: tuple[Node, ...]) -> list[str]:
    return [node.op for node in nodes]


def only_conv(path: Path) -> Conv:
    (found,) = (node for node in imported(path).nodes if isinstance(node, Conv))
    return found


# ---- geometry ----------------------------------------------------------------------------------

GEOMETRIES: dict[str, tuple[tuple[int, int], dict[str, object]]] = {
    "1x1": ((1, 1), {}),
    "3x3": ((3, 3), {}),
    "2x3": ((2, 3), {}),
    "5x1": ((5, 1), {}),
    "kernel named": ((3, 3), {"kernel_shape": [3, 3]}),
    "padded": ((3, 3), {"pads": [1, 1, 1, 1]}),
    "padded unevenly": ((3, 2), {"pads": [0, 2, 1, 0]}),
    "strided": ((3, 3), {"strides": [2, 2]}),
    "strided unevenly": ((2, 3), {"strides": [3, 1], "pads": [1, 0, 0, 1]}),
    "pointwise strided": ((1, 1), {"strides": [2, 2]}),
    "dilated": ((3, 2), {"dilations": [2, 3], "pads": [1, 1, 1, 1]}),
    "valid": ((3, 3), {"auto_pad": "VALID"}),
    "notset": ((3, 3), {"auto_pad": "NOTSET", "pads": [1, 1, 1, 1]}),
    "same upper": ((3, 3), {"auto_pad": "SAME_UPPER"}),
    "same lower": ((3, 3), {"auto_pad": "SAME_LOWER"}),
    "same upper odd": ((2, 4), {"auto_pad": "SAME_UPPER"}),
    "same lower odd": ((2, 4), {"auto_pad": "SAME_LOWER"}),
    "same upper strided": ((3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same lower strided": ((2, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    "same without padding": ((1, 1), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometry(name: str, tmp_path: Path) -> None:
    kernel, attributes = GEOMETRIES[name]
    net, x = quantised_input(shape=(1, 3, 7, 6))
    net.conv(x, kernel=kernel, **attributes)
    path = net.save(tmp_path)
    assert_as_executed(path, inputs_for(net))
    found = only_conv(path)
    assert found.weight.shape == (4, *kernel, 3) and found.weight_dtype == TERNARY and found.weight_scale == 0.5
    assert found.name == net.nodes[-1].name and found.geometry.pads == (0, 0, 0, 0)


def test_nodes_of_a_convolution(tmp_path: Path) -> None:
    net, x = quantised_input(shape=("n", 3, 5, 5))
    bias = net.constant(np.arange(4, dtype=np.float32))
    net.node("Conv", x, net.bipolar(net.weights(4, 3, 3, 3)), bias, pads=[1, 1, 1, 1])
    path = net.save(tmp_path)
    nodes = assert_as_executed(path, inputs_for(net)).nodes
    assert ops(nodes) == ["Quant", "Transpose", "Pad", "Conv", "Arithmetic", "Transpose"]
    assert isinstance(nodes[2], Pad) and (nodes[2].pads, nodes[2].value) == ((1, 1, 1, 1), 0)
    assert isinstance(nodes[4], Arithmetic) and nodes[4].operation == "add"
    assert {node.source for node in nodes[1:]} == {("Conv_2",)}
    rows = {row.node: row.becomes for row in inspect(path)}
    assert rows["Conv_2"] == "layer 0: 3 -> 4, 3x3, bipolar weights"


# ---- weights -----------------------------------------------------------------------------------


def grouped(net: Net, x: str) -> str:
    return net.conv(x, inputs=2, outputs=6, group=3)


def depthwise(net: Net, x: str) -> str:
    return net.conv(x, inputs=1, outputs=6, group=6, pads=[1, 1, 1, 1])


def depthwise_bipolar(net: Net, x: str) -> str:
    return net.node("Conv", x, net.bipolar(net.weights(12, 1, 3, 3), 0.25), group=6)


def scale_per_output(net: Net, x: str) -> str:
    return net.conv(x, inputs=6, scale=np.float32([0.5, -1, 2, -0.25]).reshape(4, 1, 1, 1))


def negative_bipolar(net: Net, x: str) -> str:
    scale = np.float32([0.5, -1, 2, -0.25]).reshape(4, 1, 1, 1)
    return net.node("Conv", x, net.bipolar(net.weights(4, 6, 2, 2), scale))


def four_bits(net: Net, x: str) -> str:
    return net.node("Conv", x, net.quant(net.weights(4, 6, 2, 2), bits=4, scale=0.125))


def grouped_unsigned(net: Net, x: str) -> str:
    weight = net.quant(net.weights(4, 3, 2, 2), bits=3, scale=0.25, signed=0, narrow=0)
    return net.node("Conv", x, weight, group=2)


def bare(net: Net, x: str) -> str:
    return net.node("Conv", x, net.constant(net.random.choice([-1.0, 1.0], (4, 6, 3, 3)).astype(np.float32)))


def grouped_of_columns(net: Net, x: str) -> str:
    return net.conv(x, inputs=3, outputs=2, kernel=(2, 1), group=2, strides=[2, 1], dilations=[2, 1])


WEIGHTS: dict[Body, DataType] = {
    grouped: TERNARY,
    grouped_of_columns: TERNARY,
    depthwise: TERNARY,
    depthwise_bipolar: BIPOLAR,
    scale_per_output: TERNARY,
    negative_bipolar: BIPOLAR,
    four_bits: DataType("int", 4),
    grouped_unsigned: DataType("uint", 3),
    bare: BIPOLAR,
}


@pytest.mark.parametrize("body", WEIGHTS, ids=lambda body: body.__name__)
def test_weights(body: Body, tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 6, 5, 4))
    path = net.save(tmp_path, body(net, x))
    assert_as_executed(path, inputs_for(net))
    found = only_conv(path)
    assert found.weight.shape[-1] * found.groups == 6 and found.weight_dtype == WEIGHTS[body]


# ---- other layouts -----------------------------------------------------------------------------


@pytest.mark.parametrize("attributes", [{}, {"strides": [2], "pads": [1, 2]}, {"dilations": [2]}, {"group": 3}])
def test_sequences(attributes: dict[str, object], tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 11))
    x = net.conv(x, inputs=1 if attributes.get("group") else 3, outputs=6, kernel=(3,), **attributes)
    x = net.bipolar(net.batch_norm(x, 6))
    net.conv(x, inputs=6, kernel=(2,))
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert [node.weight.shape[1:3] for node in graph.nodes if isinstance(node, Conv)] == [(3, 1), (2, 1)]


def last_conv(net: Net, x: str, shape: tuple[int, ...], bias: list[str], **attributes: object) -> str:
    """A convolution of qonnx's channels-last domain, which needs all of its attributes."""
    axes = len(shape) - 2
    given = {"strides": [1] * axes, "dilations": [1] * axes, "pads": [0] * 2 * axes, "group": 1, **attributes}
    weight = net.declare(net.quant(net.weights(*shape)), *shape)
    return net.node("Conv", x, weight, *bias, domain=CHANNELS_LAST, kernel_shape=list(shape[1:-1]), **given)


def test_channels_last(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 6, 5, 3))
    net.declare(x, 1, 6, 5, 3)
    x = last_conv(net, x, (4, 3, 2, 3), [net.constant([1.0, -2, 3, 0.5])], pads=[1, 0, 1, 1], strides=[1, 2])
    x = net.batch_norm(net.declare(x, 1, 6, 3, 4), 4, domain=CHANNELS_LAST, momentum=0.9, epsilon=1e-5)
    x = net.declare(net.bipolar(net.declare(x, 1, 6, 3, 4)), 1, 6, 3, 4)
    x = net.declare(last_conv(net, x, (8, 1, 1, 2), [], group=2), 1, 6, 3, 8)
    x = net.declare(net.thresholds(x, net.random.integers(-2, 2, (8, 2)), data_layout="NHWC"), 1, 6, 3, 8)
    net.node("MaxPool", x, domain=CHANNELS_LAST, kernel_shape=[2, 2], strides=[2, 1], pads=[0, 0, 0, 0])
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert "Transpose" not in ops(graph.nodes)


def test_channels_last_sequences(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 9, 3))
    net.declare(x, 1, 9, 3)
    x = net.declare(last_conv(net, x, (4, 3, 3), [], pads=[1, 0], strides=[2]), 1, 4, 4)
    net.node("MaxPool", x, domain=CHANNELS_LAST, kernel_shape=[2], strides=[1], pads=[0, 0])
    assert_as_executed(net.save(tmp_path), inputs_for(net))


# ---- lowered to MatMul -------------------------------------------------------------------------


def lowered(net: Net, x: str, weight: str, kernel: tuple[int, int] = (3, 2), op: str = "MatMul", **more: object) -> str:
    """qonnx's LowerConvsToMatMul."""
    given = {"kernel_size": list(kernel), "stride": [1, 1], "input_shape": "(1,6,5,3)", **more}
    return net.node(op, net.node("Im2Col", x, **given), weight)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"stride": [2, 1], "pad_amount": [1, 0, 1, 2]},
        {"dilations": [2, 1], "pad_amount": [1, 1, 1, 1], "pad_value": -1},
        {"depthwise": 1},
    ],
)
def test_im2col(attributes: dict[str, object], tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 6, 5))
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    scale = np.float32([[1, -0.5, 2, 1]])
    x = lowered(net, x, net.quant(net.weights(18, 4), scale=scale), **attributes)
    net.node("Transpose", x, perm=[0, 3, 1, 2])
    path = net.save(tmp_path)
    assert_as_executed(path, inputs_for(net))
    assert only_conv(path).weight.shape == (4, 3, 2, 3)


def test_im2col_is_the_convolution(tmp_path: Path) -> None:
    """qonnx's own lowering of a convolution gives the same layer."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.infer_shapes import InferShapes
    from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

    net, x = quantised_input(shape=(1, 3, 6, 5))
    weight = net.constant(net.random.integers(-1, 2, (4, 3, 3, 2)).astype(np.float32))
    given = {"kernel_shape": [3, 2], "pads": [1, 1, 1, 1], "strides": [2, 1], "dilations": [1, 1], "group": 1}
    net.node("Conv", x, weight, **given)
    path = net.save(tmp_path)
    wrapper = ModelWrapper(str(path)).transform(InferShapes()).transform(LowerConvsToMatMul())
    other = tmp_path / "lowered.onnx"
    wrapper.save(str(other))
    assert {"Im2Col", "MatMul"} < {node.op_type for node in wrapper.graph.node}
    first, second = only_conv(path), only_conv(other)
    np.testing.assert_array_equal(first.weight, second.weight)
    assert first.geometry == second.geometry
    assert_as_executed(other, inputs_for(net))


def test_im2col_of_bits(tmp_path: Path) -> None:
    """FINN's popcount of padded bits: the padding stands for -1."""
    net = Net((1, 6, 5, 3), domain="qonnx.custom_op.general")
    bits = net.thresholds("x", [[0.0]], out_dtype="BINARY", data_layout="NHWC")
    weight = net.constant(net.random.integers(0, 2, (18, 4)).astype(np.float32))
    lowered(net, bits, weight, op="XnorPopcountMatMul", pad_amount=[1, 1, 1, 1])
    path = net.save(tmp_path)
    assert_as_executed(path, inputs_for(net))
    assert only_conv(path).weight_dtype == BIPOLAR


@pytest.mark.parametrize("shape", [(1, 4, 3, 12), (1, 5, 12)])
def test_matmul_along_channels(shape: tuple[int, ...], tmp_path: Path) -> None:
    net, x = quantised_input(shape=shape)
    net.node("Add", net.dense(x), net.constant(np.arange(8, dtype=np.float32)))
    path = net.save(tmp_path)
    assert_as_executed(path, inputs_for(net))
    assert only_conv(path).geometry.pointwise


def test_matmul_of_one_pixel_is_dense(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 1, 1, 12))
    net.dense(x)
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert isinstance(graph.nodes[-1], MatMul)
