"""QuantizeLinear and DequantizeLinear, as QDQ and QCDQ files hold them, against onnxruntime's kernels."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper

from bnnhw import reference
from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Conv, MatMul
from bnnhw.passes import to_integers
from tests.onnx_models import Net, inputs_for

SCALE = np.float32(0.125)  # sums stay exact, and meet ties


def parameters(net: Net, scale: ArrayLike, zero: NDArray[np.generic]) -> tuple[str, str]:
    return net.constant(np.asarray(scale, np.float32)), net.constant(zero)


def qdq(
    net: Net, x: str, scale: ArrayLike, zero: NDArray[np.generic], clip: tuple[int, int] | None = None, **axis: int
) -> str:
    """`x` through a quantiser, perhaps a clip, and back."""
    x = net.node("QuantizeLinear", x, *parameters(net, scale, zero), **axis)
    if clip is not None:
        x = net.node("Clip", x, *(net.constant(np.array(end, zero.dtype)) for end in clip))
    return net.node("DequantizeLinear", x, *parameters(net, scale, zero), **axis)


def stored(net: Net, codes: NDArray[np.generic], scale: ArrayLike, zero: NDArray[np.generic], **axis: int) -> str:
    """A constant of integers behind DequantizeLinear."""
    return net.node("DequantizeLinear", net.constant(codes), *parameters(net, scale, zero), **axis)


def weights(shape: tuple[int, ...], low: int = -8, high: int = 8) -> NDArray[np.int8]:
    return np.random.default_rng(3).integers(low, high, shape).astype(np.int8)


def on_ties(net: Net, scale: float = float(SCALE)) -> NDArray[np.float32]:
    """Inputs that are on and between the cuts, and far outside."""
    shape = inputs_for(net).shape[1:]
    steps = np.random.default_rng(5).integers(-40, 40, (12, *shape)) / 2
    steps[0, ..., 0], steps[1, ..., 0] = 1e4, -1e4
    return np.asarray(steps * np.float32(scale), np.float32)


@pytest.mark.parametrize("zero", [np.int8(0), np.uint8(0), np.uint8(128), np.int8(-5), np.uint8(7), np.int16(0)])
def test_activation_with_zero_point(zero: np.generic, tmp_path: Path) -> None:
    """Ties go to the even step before the zero point is added; an odd one would turn them."""
    net = Net(opset=21)
    x = qdq(net, "x", SCALE, np.array(zero))
    x = net.node("MatMul", x, stored(net, weights((12, 8)), 0.25, np.array(0, np.int8)))
    x = qdq(net, net.node("Relu", x), 0.5, np.array(3, np.uint8))
    net.node("MatMul", x, stored(net, weights((8, 4)), 0.25, np.array(0, np.int8)))
    assert_right(net, tmp_path)


def assert_right(net: Net, folder: Path, inputs: NDArray[np.generic] | None = None, path: Path | None = None) -> Graph:
    """The imported graph: it and its integers give what onnxruntime makes of the file, node by node.

    The file is the one at `path`, or is written into the folder.
    """
    path = path or net.save(folder)
    values = on_ties(net) if inputs is None else inputs
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    theirs = np.concatenate([session.run(None, {"x": sample[None]})[0] for sample in values])
    assert np.ptp(theirs) > 0
    graph = load_qonnx(path)
    for made in (graph, to_integers(graph)):
        ours = reference.run(made, values)["outputs"]
        np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=1e-6, atol=1e-5)
    return graph


def test_clip_between(tmp_path: Path) -> None:
    """QCDQ: fewer bits than the type has, as Brevitas writes them; the weights through a quantiser as well."""
    net = Net(opset=13)
    zero = np.array(0, np.int8)
    x = qdq(net, "x", SCALE, zero, (-8, 7))
    x = net.node("MatMul", x, qdq(net, net.weights(12, 8), 0.2, zero, (-1, 1)))
    x = qdq(net, net.node("Relu", x), 0.5, np.array(0, np.uint8), (0, 3))
    net.node("MatMul", x, stored(net, weights((8, 4)), 0.25, zero))
    graph = assert_right(net, tmp_path)
    assert [str(node.weight_dtype) for node in graph.nodes if isinstance(node, MatMul)] == ["ternary", "int4"]
    made = to_integers(graph)
    assert {str(made.tensors[node.output].format) for node in made.nodes if node.op in ("Encode", "Threshold")} == {
        "int4",
        "uint2",
    }


@pytest.mark.parametrize("axis", [0, -4])
def test_convolution_with_channel_scales_and_bias(axis: int, tmp_path: Path) -> None:
    """The way of onnxruntime.quantization: a scale per output, biases of int32, padding by the zero point."""
    net = Net((1, 3, 5, 5), opset=13)
    scales = 0.5 ** np.arange(2, 6)
    x = qdq(net, "x", SCALE, np.array(128, np.uint8))
    bias = stored(net, np.arange(-200, 200, 100, np.int32), scales * SCALE, np.zeros(4, np.int32), axis=0)
    weight = stored(net, weights((4, 3, 3, 3)), scales, np.zeros(4, np.int8), axis=axis)
    x = net.node("Conv", x, weight, bias, pads=[1, 1, 1, 1])
    x = qdq(net, net.node("LeakyRelu", x, alpha=0.25), 0.5, np.array(100, np.uint8))
    x = net.node("Conv", x, stored(net, weights((2, 4, 3, 3)), 0.25, np.array(0, np.int8)), pads=[1, 1, 1, 1])
    x = net.node("Flatten", qdq(net, net.node("MaxPool", x, kernel_shape=[5, 5]), 0.5, np.array(3, np.int8)))
    net.node("Gemm", x, stored(net, weights((2, 4)), 0.25, np.array(0, np.int8)))
    graph = assert_right(net, tmp_path)
    first = next(node for node in graph.nodes if isinstance(node, Conv))
    assert np.allclose(first.weight_scale, scales)


def test_integers_may_be_moved(tmp_path: Path) -> None:
    net = Net((1, 2, 4, 4), opset=13)
    zero = np.array(0, np.int8)
    x = net.node("QuantizeLinear", "x", *parameters(net, SCALE, zero))
    x = net.node("Flatten", net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
    x = net.node("DequantizeLinear", x, *parameters(net, SCALE, zero))
    net.node("MatMul", x, stored(net, weights((8, 4)), 0.25, zero))
    assert_right(net, tmp_path)


def test_input_of_integers(tmp_path: Path) -> None:
    net = Net(element=TensorProto.UINT8, opset=13)
    x = net.node("DequantizeLinear", "x", *parameters(net, 1 / 256, np.array(3, np.uint8)))
    net.node("MatMul", x, stored(net, weights((12, 4)), 0.25, np.array(0, np.int8)))
    inputs = np.random.default_rng(0).integers(0, 256, (8, 12)).astype(np.uint8)
    assert_right(net, tmp_path, inputs)


@pytest.mark.parametrize("type_", [TensorProto.INT4, TensorProto.UINT4, TensorProto.INT16])
def test_weights_of_other_widths(type_: int, tmp_path: Path) -> None:
    """Four bits, and sixteen of which seven are used; an axis for the outputs of a matrix on the right."""
    net = Net(opset=21)
    codes = weights((12, 8)) if type_ != TensorProto.UINT4 else weights((12, 8), 0, 16)
    net.constants.append(helper.make_tensor("codes", type_, (12, 8), codes.reshape(-1)))
    net.constants.append(helper.make_tensor("zeros", type_, (8,), [0] * 8))
    scales = np.linspace(0.1, 0.3, 8).astype(np.float32)
    x = qdq(net, "x", SCALE, np.array(0, np.int8))
    net.node("MatMul", x, net.node("DequantizeLinear", "codes", net.constant(scales), "zeros", axis=1))
    assert_right(net, tmp_path)


def test_type_by_attribute_and_by_default(tmp_path: Path) -> None:
    net = Net(opset=21)
    scale = net.constant(SCALE)
    x = net.node("QuantizeLinear", "x", scale, output_dtype=TensorProto.INT8)
    x = net.node("DequantizeLinear", x, scale)
    x = net.node("MatMul", x, stored(net, weights((12, 8)), 0.25, np.array(0, np.int8)))
    x = net.node("DequantizeLinear", net.node("QuantizeLinear", x, scale), scale)
    net.node("MatMul", x, stored(net, weights((8, 4)), 0.25, np.array(0, np.int8)))
    assert_right(net, tmp_path)


def added(net: Net, x: str) -> str:
    q = net.node("QuantizeLinear", x, *parameters(net, SCALE, np.array(0, np.int8)))
    return net.node("Add", q, q)


REFUSED: dict[str, tuple[Callable[[Net], str], str]] = {
    "scale 0": (lambda net: qdq(net, "x", 0.0, np.array(0, np.int8)), "its scale is zero"),
    "integers added": (lambda net: added(net, "x"), "calculates with int8 numbers; put DequantizeLinear before it"),
    "floats dequantised": (
        lambda net: net.node("DequantizeLinear", "x", *parameters(net, SCALE, np.array(0, np.int8))),
        "not known to be integers; put QuantizeLinear before it",
    ),
    "32 bits": (
        lambda net: net.node("QuantizeLinear", "x", *parameters(net, SCALE, np.array(0, np.int32))),
        "int32 numbers; use 16 bits or fewer",
    ),
    "zero point of floats": (
        lambda net: net.node("QuantizeLinear", "x", *parameters(net, SCALE, np.array(0, np.float32))),
        "numbers of type float32; quantise to integers",
    ),
    "blocks": (
        lambda net: net.node(
            "DequantizeLinear", net.constant(weights((12, 8))), net.constant(np.ones((2, 8), np.float32)), block_size=6
        ),
        "a scale for each block; quantise per tensor or per channel",
    ),
    "zero points of other channels": (
        lambda net: qdq(net, "x", np.ones(12), np.zeros(5, np.int8)),
        r"a zero point of shape \(5,\) for a scale of \(12,\)",
    ),
    "axis": (lambda net: qdq(net, "x", np.ones(12), np.zeros(12, np.int8), axis=5), "along axis 5 of 2"),
    "samples": (lambda net: qdq(net, "x", np.ones(3), np.zeros(3, np.int8), axis=0), "differs between samples"),
    "misfit": (
        lambda net: stored(net, weights((12, 8)), np.ones(5), np.zeros(5, np.int8)),
        "cannot be broadcast",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    make, message = REFUSED[case]
    net = Net(opset=21)
    net.node("Add", "x", make(net))
    with pytest.raises(ModelError) as caught:
        load_qonnx(net.save(tmp_path))
    assert any(re.search(message, problem) for problem in caught.value.problems), caught.value.problems
