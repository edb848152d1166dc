"""Layers of integers in one operator, against onnxruntime's kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import ArrayLike, NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from tests.frontend.test_linear_quantisers import assert_right, on_ties, parameters, stored, weights
from tests.onnx_models import Net

MICROSOFT = "com.microsoft"
ZERO = np.array(0, np.int8)


def quantised(net: Net, zero: NDArray[np.generic], scale: float = 0.125) -> tuple[str, str, str]:
    """The input as integers, with their scale and zero point."""
    found = parameters(net, scale, zero)
    return net.node("QuantizeLinear", "x", *found), *found


def constant(net: Net, codes: NDArray[np.generic], scale: ArrayLike, zero: NDArray[np.generic]) -> tuple[str, str, str]:
    return net.constant(codes), *parameters(net, scale, zero)


def floats(net: Net, x: str, scale: ArrayLike, zero: NDArray[np.generic]) -> str:
    return net.node("DequantizeLinear", x, *parameters(net, scale, zero))


def test_convolution(tmp_path: Path) -> None:
    """A scale per output, a bias, and padding by the zero point."""
    net = Net((1, 3, 6, 6))
    scales = 0.5 ** np.arange(2, 6)
    made = constant(net, weights((4, 3, 3, 3)), scales, np.zeros(4, np.int8))
    bias = net.constant(np.arange(-200, 200, 100, np.int32))
    out = parameters(net, 0.5, np.array(100, np.uint8))
    x = net.node("QLinearConv", *quantised(net, np.array(128, np.uint8)), *made, *out, bias, pads=[1, 1, 1, 1])
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("Flatten", floats(net, x, 0.5, np.array(100, np.uint8)))
    net.node("MatMul", x, stored(net, weights((36, 4)), 0.25, ZERO))
    assert_right(net, tmp_path)


@pytest.mark.parametrize("scales", [np.float32(0.25), 0.5 ** np.arange(1, 9)], ids=["one", "each"])
def test_matrices(scales: NDArray[np.float32], tmp_path: Path) -> None:
    """Zero points of the weights, too."""
    net = Net()
    made = constant(net, weights((12, 8)), scales, np.full(np.shape(scales), 2, np.int8))
    out = parameters(net, 0.5, np.array(3, np.uint8))
    x = net.node("QLinearMatMul", *quantised(net, np.array(7, np.uint8)), *made, *out)
    last = constant(net, weights((8, 4)), 0.25, ZERO)
    x = net.node("QLinearMatMul", x, *out, *last, *parameters(net, 1.0, np.array(120, np.uint8)))
    floats(net, x, 1.0, np.array(120, np.uint8))
    assert_right(net, tmp_path)


def test_accumulators_of_integers(tmp_path: Path) -> None:
    """MatMulInteger and ConvInteger end in int32, which a Cast makes floats of."""
    net = Net((1, 2, 4, 4))
    x, _, zero = quantised(net, np.array(120, np.uint8))
    x = net.node("ConvInteger", x, net.constant(weights((3, 2, 2, 2))), zero)
    x = net.node("Mul", net.node("Cast", x, to=onnx.TensorProto.FLOAT), net.constant(np.float32(1 / 64)))
    x = net.node("QuantizeLinear", net.node("Relu", x), *parameters(net, 0.25, np.array(0, np.uint8)))
    x = net.node("MatMulInteger", net.node("Flatten", x), net.constant(weights((27, 4))))
    net.node("Mul", net.node("Cast", x, to=onnx.TensorProto.FLOAT), net.constant(np.float32(1 / 16)))
    assert_right(net, tmp_path)


def test_operators_of_onnxruntime(tmp_path: Path) -> None:
    """A block with a skip, a mean and a matrix, of the domain com.microsoft."""
    net = Net((1, 3, 4, 4), domain=MICROSOFT)
    zero = np.array(10, np.uint8)
    first = quantised(net, np.array(128, np.uint8))
    made = constant(net, weights((3, 3, 1, 1)), 0.25, ZERO)
    out = parameters(net, 0.5, zero)
    x = net.node("QLinearConv", *first, *made, *out)
    x = net.node("QLinearLeakyRelu", x, *out, *out, domain=MICROSOFT, alpha=0.25)
    x = net.node("QLinearAdd", x, *out, *first, *out, domain=MICROSOFT)
    x = net.node("QLinearConcat", *out, x, *out, *first, domain=MICROSOFT, axis=1)
    x = net.node("QLinearAveragePool", x, *out, *out, domain=MICROSOFT, kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("QLinearGlobalAveragePool", x, *out, *out, domain=MICROSOFT, channels_last=0)
    x = net.node("Flatten", x)
    last = constant(net, weights((4, 6)), 0.25, ZERO)
    bias = net.constant(np.arange(-100, 100, 50, np.int32))
    net.node("QGemm", x, *out, *last, bias, domain=MICROSOFT, transB=1)
    assert_right(net, tmp_path)


class Samples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, values: NDArray[np.float32]) -> None:
        self._left = iter(values)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        sample = next(self._left, None)
        return None if sample is None else {"x": sample[None]}


def test_file_of_its_own_quantisation(tmp_path: Path) -> None:
    net = Net((1, 3, 6, 6))
    x = net.node("Conv", "x", net.weights(4, 3, 3, 3), net.weights(4), pads=[1, 1, 1, 1])
    skip = net.node("Relu", x)
    x = net.node("Conv", skip, net.weights(4, 4, 3, 3), net.weights(4), pads=[1, 1, 1, 1])
    x = net.node("Flatten", net.node("MaxPool", net.node("Relu", net.node("Add", x, skip)), kernel_shape=[6, 6]))
    net.node("Gemm", x, net.weights(4, 5), net.weights(5))
    plain, made = net.save(tmp_path / "float.onnx"), tmp_path / "integers.onnx"
    values = on_ties(net)[2:]
    quantize_static(plain, made, Samples(values), quant_format=QuantFormat.QOperator, per_channel=True)
    operators = {node.op_type for node in onnx.load(made).graph.node}
    assert {"QLinearConv", "QLinearAdd", "QGemm"} <= operators
    assert_right(net, tmp_path, values, path=made)


def test_what_is_no_integer(tmp_path: Path) -> None:
    net = Net()
    net.node("MatMulInteger", "x", net.constant(weights((12, 4))))
    with pytest.raises(ModelError) as caught:
        load_qonnx(net.save(tmp_path))
    assert "MatMulInteger_0 (MatMulInteger): what it takes is not known to be integers" in str(caught.value)
