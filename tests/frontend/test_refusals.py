"""Nodes that do not map: each is named with its reason and a remedy, and all of them at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY
from bnnhw.errors import ModelError
from bnnhw.frontend import inspect, load_qonnx
from bnnhw.ir.nodes import Quant
from tests.onnx_models import Net, small_classifier

NAN, INF = float("nan"), float("inf")


def problems(net: Net, folder: Path) -> tuple[str, ...]:
    with pytest.raises(ModelError) as caught:
        load_qonnx(net.save(folder))
    return caught.value.problems


def batch_norm(net: Net, position: int, value: object) -> str:
    """A batch normalisation with one parameter replaced."""
    parameters = [net.constant(np.ones(12, np.float32)) for _ in range(4)]
    parameters[position] = net.constant(np.asarray(value, np.float32))
    return net.node("BatchNormalization", "x", *parameters)


def matmul(net: Net, weight: object) -> str:
    return net.node("MatMul", "x", net.constant(np.asarray(weight)))


def gemm(net: Net, bias: str | None = None, **attributes: object) -> str:
    weight = net.bipolar(net.weights(12, 8))
    return net.node("Gemm", "x", weight, *([bias] if bias else []), **attributes)


def batch_norm_training(net: Net) -> str:
    return net.node("BatchNormalization", "x", *[net.constant([1.0] * 12)] * 4, outputs=5)


def overflowing(net: Net) -> str:
    parameters = [net.constant(np.full(12, value, np.float32)) for value in (1e38, 1, 1e38, 1)]
    return net.node("BatchNormalization", "x", *parameters)


REFUSED: dict[str, tuple[Callable[[Net], str], str]] = {
    # quantisers
    "scale 0": (lambda net: net.quant("x", scale=0), "its scale is zero"),
    "scale NaN": (lambda net: net.quant("x", scale=NAN), "its scale is empty, NaN or infinite"),
    "scale infinite": (lambda net: net.bipolar("x", INF), "its scale is empty, NaN or infinite"),
    "scale empty": (lambda net: net.quant("x", scale=[]), "its scale is empty"),
    "scale of other channels": (lambda net: net.quant("x", scale=np.ones(5)), "does not fit a tensor"),
    "scale of samples": (lambda net: net.quant("x", scale=np.ones((3, 1))), "differs between samples"),
    "scale not constant": (lambda net: net.node("Quant", "x", "x", "x", "x"), "its scale is not a constant"),
    "no bits": (lambda net: net.quant("x", bits=0), "its bit width is 0"),
    "negative bits": (lambda net: net.quant("x", bits=-3), "its bit width is -3"),
    "half a bit": (lambda net: net.quant("x", bits=2.5), "its bit width is 2.5"),
    "many bits": (
        lambda net: net.quant("x", bits=17),
        "its bit width is 17; use a whole number of bits from 1 to 16",
    ),
    "very many bits": (lambda net: net.quant("x", bits=1e30), "its bit width is 1e\\+30"),
    "bits differ": (lambda net: net.quant("x", bits=[2] * 11 + [3]), "its bit width is 2, 3, by channel; use one"),
    "many bits of a constant": (lambda net: net.node("Add", "x", net.quant(net.weights(12), bits=33)), "from 1 to 32"),
    "one bit with a zero point": (lambda net: net.quant("x", bits=1, zero=1), "one signed bit with a zero point"),
    "one bit of a negative scale": (lambda net: net.quant("x", bits=1, scale=-1), "negative scale"),
    "one narrow bit": (lambda net: net.quant("x", bits=1, signed=0), "holds only 0"),
    "rounding": (lambda net: net.quant("x", rounding="DICE"), "its rounding mode is DICE; use one of ROUND"),
    "bipolar scale 0": (lambda net: net.bipolar("x", 0), "its scale is zero"),
    "misfit on a constant": (
        lambda net: net.node("Add", "x", net.quant(net.weights(12), scale=np.ones((5, 1)))),
        "do not fit",
    ),
    "threshold NaN": (lambda net: net.thresholds("x", [[NAN]]), "NaN among them"),
    "threshold shape": (lambda net: net.thresholds("x", [1, 2]), "thresholds of shape \\(2,\\)"),
    "threshold channels": (lambda net: net.thresholds("x", np.ones((5, 1))), "thresholds of 5 channels do not fit"),
    "threshold count": (lambda net: net.thresholds("x", np.ones((1, 1 << 16))), "65536 thresholds; use fewer"),
    "threshold scale 0": (lambda net: net.thresholds("x", [[0]], out_scale=0.0), "out_scale 0"),
    "threshold bias NaN": (lambda net: net.thresholds("x", [[0]], out_bias=NAN), "out_bias nan"),
    "thresholds of a constant": (
        lambda net: net.node("Add", "x", net.thresholds(net.weights(12), [[0]])),
        "laid out as",
    ),
    # weights
    "float weights": (
        lambda net: matmul(net, np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)),
        "not quantised",
    ),
    "wide weights": (
        lambda net: net.node("MatMul", "x", net.quant(net.weights(12, 8), bits=18, scale=2.0**-17)),
        "weights of .* bits with their sign; quantise them to 16",
    ),
    "huge integers": (
        lambda net: matmul(net, np.arange(24, dtype=np.float32).reshape(12, 2) + 100_000),
        "not quantised",
    ),
    "NaN weights": (lambda net: matmul(net, np.full((12, 2), NAN, np.float32)), "NaN or infinite"),
    "weights of 3 axes": (lambda net: matmul(net, np.ones((1, 12, 2), np.float32)), "weights of shape \\(1, 12, 2\\)"),
    "text weights": (lambda net: matmul(net, np.full((12, 2), "a")), "type"),
    "misfit weights": (lambda net: matmul(net, np.ones((5, 2), np.float32)), "weights of 5 inputs do not fit"),
    "weights left": (
        lambda net: net.node("MatMul", net.bipolar(net.weights(1, 1)), "x"),
        "the weights are on its left",
    ),
    "weights of inputs scaled apart": (
        lambda net: net.node("MatMul", "x", net.bipolar(net.weights(12, 8), np.sqrt(np.arange(1, 13))[:, None])),
        "no whole multiples of a scale",
    ),
    "data times data": (lambda net: net.node("MatMul", "x", "x"), "a product of two tensors, which does not map"),
    "transposed data": (lambda net: gemm(net, transA=1), "a transposed left operand"),
    "alpha 0": (lambda net: gemm(net, alpha=0.0), "alpha is 0"),
    "alpha NaN": (lambda net: gemm(net, alpha=NAN), "alpha is nan"),
    "bias NaN": (lambda net: gemm(net, net.constant([NAN] * 8)), "its bias is empty, NaN or infinite"),
    "bias of other channels": (lambda net: gemm(net, net.constant([1.0] * 5)), "does not fit a tensor"),
    "popcount of other weights": (
        lambda net: net.node("XnorPopcountMatMul", "x", net.constant([[2.0]] * 12)),
        "weights other than 0 and 1",
    ),
    # elementwise
    "operand NaN": (lambda net: net.node("Add", "x", net.constant(NAN)), "its operand is empty, NaN or infinite"),
    "operand shape": (lambda net: net.node("Mul", "x", net.constant([1.0] * 5)), "does not fit a tensor"),
    "operand of samples": (lambda net: net.node("Mul", "x", net.constant([[1.0]] * 5)), "differs between samples"),
    "integer arithmetic": (lambda net: net.node("Div", "x", net.constant(np.uint8(255))), "arithmetic in uint8"),
    "double arithmetic": (lambda net: net.node("Div", "x", net.constant(np.float64(255))), "arithmetic in float64"),
    "division by zero": (lambda net: net.node("Div", "x", net.constant([0.0])), "a division by zero"),
    "constant over data": (lambda net: net.node("Div", net.constant(1.0), "x"), "a constant divided by data"),
    "clip upside down": (
        lambda net: net.node("Clip", "x", net.constant(1.0), net.constant(0.0)),
        "a range from 1 to 0",
    ),
    "clip per channel": (lambda net: net.node("Clip", "x", net.constant([0.0] * 12)), "its min has 12 values"),
    "training": (batch_norm_training, "in training mode"),
    "dropout in training": (
        lambda net: net.node("Dropout", "x", net.constant(0.5), net.constant(np.array(True))),
        "in training mode",
    ),
    "variance negative": (lambda net: batch_norm(net, 3, [-1.0] * 12), "a variance that is not positive"),
    "variance NaN": (lambda net: batch_norm(net, 3, [NAN] * 12), "its variance is empty, NaN or infinite"),
    "gamma infinite": (lambda net: batch_norm(net, 0, [INF] * 12), "its scale is empty, NaN or infinite"),
    "mean and gamma huge": (overflowing, "combined bias is empty, NaN or infinite"),
    "gamma of other channels": (lambda net: batch_norm(net, 0, [1.0] * 5), "parameters of shape .5,. for 12 channels"),
    "unknown operator": (lambda net: net.node("Quantise", "x"), "does not map; did you mean Quant\\?"),
    "no operator": (lambda net: net.node("", "x"), "does not map"),
    # layout
    "cast to half": (lambda net: net.node("Cast", "x", to=TensorProto.FLOAT16), "export the model in float32"),
    "cast to integers": (
        lambda net: net.node("Cast", "x", to=TensorProto.INT32),
        "a cast to integers, which rounds; quantise with Quant",
    ),
    "reshape misfit": (lambda net: net.node("Reshape", "x", net.constant(np.array([1, 5]))), "cannot reshape"),
    "reshape misfit open": (lambda net: net.node("Reshape", "x", net.constant(np.array([5, -1]))), "batch of 1"),
    "reshape twice open": (lambda net: net.node("Reshape", "x", net.constant(np.array([-1, -1]))), "a reshape to"),
    "reshape of samples": (lambda net: net.node("Reshape", "x", net.constant(np.array([3, 4]))), "mixes samples"),
    "reshape without batch": (lambda net: net.node("Reshape", "x", net.constant(np.array([-1]))), "mixes samples"),
    "batch moved": (lambda net: net.node("Transpose", "x"), "moves the batch axis"),
    "squeeze of all": (lambda net: net.node("Squeeze", "x"), "name the axes"),
    "unsqueeze of none": (lambda net: net.node("Unsqueeze", "x"), "no axes"),
    # constants
    "random constant": (
        lambda net: net.node("Add", "x", net.node("RandomNormal", shape=[1])),
        "not evaluated on constants",
    ),
    "senseless constant": (
        lambda net: net.node("Add", "x", net.node("Concat", net.weights(2, 2), net.weights(3), axis=0)),
        "cannot be evaluated",
    ),
    "constants that do not broadcast": (
        lambda net: net.node("Add", "x", net.node("Mul", net.weights(2), net.weights(3))),
        "cannot be evaluated",
    ),
    "text operand": (lambda net: net.node("Add", "x", net.node("Constant", value_string="hello")), "arithmetic in"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    body, reason = REFUSED[name]
    net = Net(opset=13)
    last = body(net)
    found = problems(net, tmp_path)
    assert len(found) == 1
    assert re.search(reason, found[0]), found[0]
    culprit = next(node for node in net.nodes if found[0].startswith(f"{node.name} ({node.op_type}): "))
    assert culprit.output[0] == last or name.endswith(("constant", "constants", "broadcast"))
    assert "; " in found[0] and "\n" not in found[0]


def test_all_problems_at_once(tmp_path: Path) -> None:
    """What stands behind a refused node is checked as far as it can be."""
    net = Net()
    x = net.node("Tan", "x")
    x = net.quant(x, scale=0)
    x = net.node("MatMul", x, net.weights(12, 8))
    x = net.node("Sin", net.bipolar(x))
    x = net.node("Add", x, net.node("RandomNormal", shape=[8]))
    net.bipolar(x, NAN)
    found = problems(net, tmp_path)
    assert [problem.split(" ")[0].split("_")[0] for problem in found] == [
        *("Tan", "Quant", "MatMul", "Sin", "RandomNormal", "BipolarQuant")
    ]
    rows = {row.node: row for row in inspect(tmp_path / "model.onnx")}
    assert rows["BipolarQuant_3"].ok and rows["BipolarQuant_3"].becomes.startswith("not looked at")
    assert rows["Add_6"].ok and rows["Add_6"].becomes.startswith("not looked at")


@pytest.mark.parametrize(
    ("op", "way"),
    [
        ("QLinearMul", "export in QDQ form"),
        ("DynamicQuantizeLinear", "quantize_static instead of quantize_dynamic"),
        ("Asinh", "does not map yet; use Relu"),
        ("LSTM", "recurrent layer"),
        ("GatherND", "use Slice, Split or Gather along one axis"),
        ("LayerNormalization", "depend on the sample; use BatchNormalization"),
        ("GlobalAvgPool", "did you mean GlobalAveragePool"),
        ("XYZ", "replace it by standard operators"),
    ],
)
def test_unknown_operators_name_the_nearest_way(op: str, way: str, tmp_path: Path) -> None:
    net = Net()
    net.node(op, "x")
    (problem,) = problems(net, tmp_path)
    assert way in problem


def test_a_line_for_each_problem(tmp_path: Path) -> None:
    """Whatever the names of nodes are; and with letters of any alphabet in the path."""
    net = Net()
    net.node("Tan", "x", name="two\nlines")
    path = tmp_path / "módèle 模型.onnx"
    net.save(path)
    with pytest.raises(ModelError, match="módèle 模型.onnx: 1 of 1 nodes") as caught:
        load_qonnx(path)
    assert caught.value.problems[0].startswith("two lines (Tan): ")


def test_inspect_tells_every_node(tmp_path: Path) -> None:
    net = small_classifier()
    output = net.nodes[-1].output[0]
    net.node("Relu", "x", name="spare")
    rows = inspect(net.save(tmp_path, output))
    assert {row.node: row.becomes for row in rows} == {
        "Quant_0": "quantiser",
        "Quant_1": "constant, quantised",
        "Transpose_2": "constant",
        "MatMul_3": "layer 0: 12 -> 8, ternary weights",
        "BatchNormalization_4": "batch normalisation",
        "BipolarQuant_5": "quantiser",
        "Quant_6": "constant, quantised",
        "Transpose_7": "constant",
        "MatMul_8": "layer 1: 8 -> 4, ternary weights",
        "spare": "not needed for the output",
    }
    (row,) = (row for row in rows if row.node == "MatMul_3")
    assert (row.op, row.ok) == ("MatMul", True)


def test_given_format_goes_before_the_files(tmp_path: Path) -> None:
    net = Net(element=TensorProto.INT8)
    net.dense(net.node("Cast", "x", to=TensorProto.FLOAT))
    path = net.save(tmp_path)
    assert load_qonnx(path, input_format=TERNARY).input_format == TERNARY
    assert load_qonnx(path).input_format != BIPOLAR


def test_per_channel_zero_point(tmp_path: Path) -> None:
    net = Net()
    net.dense(net.quant("x", scale=np.full((1, 12), 0.5), zero=np.arange(12)[None], bits=8, signed=0, narrow=0))
    quantiser = load_qonnx(net.save(tmp_path)).nodes[0]
    assert isinstance(quantiser, Quant)
    assert quantiser.zero_point.shape == quantiser.scale.shape == (12,)
