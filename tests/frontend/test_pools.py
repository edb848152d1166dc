"""Pools and padding: each means the same here and in qonnx's executor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from bnnhw import reference
from bnnhw.errors import ModelError
from bnnhw.frontend import inspect
from bnnhw.ir.nodes import MaxPool, Pad, SumPool
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed, imported
from tests.onnx_models import Net, inputs_for, quantised_input, save


def window(*sizes: int, **attributes: object) -> dict[str, object]:
    return {"kernel_shape": list(sizes), **attributes}


# By name: operator, rows and columns, attributes, and what is padded.
# fmt: off
POOLS: dict[str, tuple[str, tuple[int, int], dict[str, object], tuple[int, ...] | None]] = {
    "2x2": ("MaxPool", (6, 5), window(2, 2, strides=[2, 2]), None),
    "overlapping": ("MaxPool", (6, 5), window(3, 2), None),
    "dilated": ("MaxPool", (6, 6), window(2, 3, dilations=[3, 2]), None),
    "padded": ("MaxPool", (6, 5), window(3, 3, strides=[2, 2], pads=[1, 1, 1, 1]), (1, 1, 1, 1)),
    "padded unevenly": ("MaxPool", (6, 5), window(3, 2, pads=[2, 0, 0, 1]), (2, 0, 0, 1)),
    "same upper": ("MaxPool", (7, 5), window(2, 3, strides=[2, 2], auto_pad="SAME_UPPER"), (0, 1, 1, 1)),
    "same lower": ("MaxPool", (7, 5), window(2, 3, strides=[2, 2], auto_pad="SAME_LOWER"), (1, 1, 0, 1)),
    "ceil that fits": ("MaxPool", (6, 4), window(2, 2, strides=[2, 2], ceil_mode=1), None),
    "ceil": ("MaxPool", (7, 4), window(2, 3, strides=[2, 2], ceil_mode=1), (0, 0, 1, 1)),
    "ceil by two": ("MaxPool", (6, 6), window(3, 3, strides=[4, 2], ceil_mode=1), (0, 0, 1, 1)),
    "ceil and padded": ("MaxPool", (6, 6), window(3, 3, strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1), (1, 1, 2, 2)),
    "average": ("AveragePool", (6, 4), window(2, 2, strides=[2, 2]), None),
    "average, valid": ("AveragePool", (6, 4), window(2, 2, auto_pad="VALID"), None),
    "average, ceil that fits": ("AveragePool", (6, 4), window(2, 2, strides=[2, 2], ceil_mode=1), None),
    "average, padded": ("AveragePool", (6, 4), window(4, 2, pads=[1, 1, 2, 0], count_include_pad=1), (1, 1, 2, 0)),
    "largest of all": ("GlobalMaxPool", (3, 5), {}, None),
    "mean of all": ("GlobalAveragePool", (4, 4), {}, None),
}
# fmt: on


@pytest.mark.parametrize("name", POOLS)
def test_pool(name: str, tmp_path: Path) -> None:
    op, size, attributes, pads = POOLS[name]
    net, x = quantised_input(shape=(1, 3, *size))
    net.conv(net.node(op, x, **attributes), kernel=(1, 1))
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert [node.pads for node in graph.nodes if isinstance(node, Pad)] == ([pads] if pads else [])
    (pool,) = (node for node in graph.nodes if isinstance(node, (MaxPool, SumPool)))
    assert isinstance(pool, MaxPool) == ("Max" in op)
    assert pool.name == f"{op}_1" and pool.geometry.pads == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "attributes",
    [window(2, 2, strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1), window(2, 2, strides=[6, 5], ceil_mode=1)],
)
def test_last_window_starts_within_the_map(attributes: dict[str, object], tmp_path: Path) -> None:
    """As in onnxruntime; onnx's shape inference, which qonnx's executor asks, counts one more here."""
    net = Net((1, 3, 5, 5))
    net.node("Conv", net.node("MaxPool", "x", **attributes), net.constant(np.ones((2, 3, 1, 1), np.float32)))
    path, inputs = net.save(tmp_path), np.rint(8 * inputs_for(net, 1))
    (theirs,) = onnxruntime.InferenceSession(path).run(None, {"x": inputs})
    np.testing.assert_array_equal(reference.run(imported(path), inputs)["outputs"], theirs)


@pytest.mark.parametrize("size", [(3, 3), (2, 7)])
def test_means_of_odd_counts_are_rounded(size: tuple[int, int], tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, *size))
    net.conv(net.node("GlobalAveragePool", x), kernel=(1, 1))
    assert_as_executed(net.save(tmp_path), inputs_for(net), tolerance=1e-6)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"])
def test_pools_of_sequences(op: str, tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 8))
    attributes = {} if op.startswith("Global") else {"kernel_shape": [2], "strides": [3]}
    net.conv(net.node(op, x, **attributes), kernel=(1,))
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_unused_indices(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 4, 4))
    net.conv(net.node("MaxPool", x, outputs=2, kernel_shape=[2, 2]), kernel=(1, 1))
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_max_pool_nhwc(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 6, 5, 12))
    x = net.node("MaxPoolNHWC", net.declare(x, 1, 6, 5, 12), kernel_shape=[2, 3], strides=[2, 1], pads=[0, 0, 0, 0])
    net.dense(x)
    path = net.save(tmp_path)
    graph = assert_as_executed(path, inputs_for(net))
    assert [node.op for node in graph.nodes] == ["Quant", "MaxPool", "Conv"]
    assert {row.op: row.becomes for row in inspect(path)}["MaxPoolNHWC"] == "max-pool 2x3"


# ---- reductions --------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize(
    ("op", "becomes"),
    [("ReduceMean", "SumPool"), ("ReduceSum", "SumPool"), ("ReduceMax", "MaxPool"), ("ReduceMin", "MaxPool")],
)
@pytest.mark.parametrize("opset", [11, 13, 18])
def test_reductions(op: str, becomes: str, keep: int, opset: int, tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 4, 2), opset=opset)
    as_input = opset >= (13 if op == "ReduceSum" else 18)
    axes = [net.constant(np.array([-1, 2]))] if as_input else []
    x = net.node(op, net.conv(x, kernel=(1, 1)), *axes, keepdims=keep, **({} if as_input else {"axes": [-1, 2]}))
    net.dense(net.node("Flatten", x), inputs=4)
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert becomes in [node.op for node in graph.nodes]


@pytest.mark.parametrize("keep", [0, 1])
def test_reductions_channels_last(keep: int, tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 4, 2, 12))
    x = net.bipolar(net.dense(x))
    net.dense(net.node("ReduceMean", x, axes=[1, 2], keepdims=keep), inputs=8)
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert "Transpose" not in [node.op for node in graph.nodes]


@pytest.mark.parametrize("keep", [0, 1])
def test_reductions_of_sequences(keep: int, tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 8))
    x = net.node("ReduceSum", x, net.constant(np.array([2])), keepdims=keep)
    net.dense(net.node("Flatten", x), inputs=3)
    assert_as_executed(net.save(tmp_path), inputs_for(net))


# ---- QONNX's integer mean ----------------------------------------------------------------------

QUANTISED: dict[str, Callable[[Net], str]] = {
    "unsigned": lambda net: net.quant("x", bits=2, signed=0, narrow=0),
    "signed": lambda net: net.quant("x", bits=2, narrow=0),
    "zero point": lambda net: net.quant("x", bits=3, zero=3, signed=0, narrow=0),
    "bipolar": lambda net: net.bipolar("x"),
    "thresholds": lambda net: net.thresholds("x", [[-1, 0, 1]], out_bias=-2.0),
    "thresholds down": lambda net: net.thresholds("x", [[-1, 0, 1]], out_scale=-1.0),
    "pooled before": lambda net: net.node("MaxPool", net.quant("x"), kernel_shape=[1, 2]),
}


@pytest.mark.parametrize("name", QUANTISED)
@pytest.mark.parametrize(("kernel", "stride", "obits"), [(2, 2, 2), (3, 1, 3), (3, 2, 8)])
def test_quantised_average(name: str, kernel: int, stride: int, obits: int, tmp_path: Path) -> None:
    net = Net((1, 3, 6, 7))
    x = QUANTISED[name](net)
    x = net.node("QuantAvgPool2d", x, kernel=kernel, stride=stride, ibits=2, obits=obits, signed=1)
    net.conv(x, kernel=(1, 1), scale=1)
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_quantised_average_nhwc(tmp_path: Path) -> None:
    net = Net((1, 4, 6, 12), domain="qonnx.custom_op.general")
    x = net.declare(net.quant("x", bits=2, signed=0, narrow=0), 1, 4, 6, 12)
    given = {"kernel": 2, "stride": 2, "ibits": 2, "obits": 2, "signed": 0}
    net.dense(net.node("QuantAvgPool2d", x, data_layout="NHWC", **given))
    path = net.save(tmp_path)
    assert_as_executed(path, inputs_for(net))
    assert {row.op: row.becomes for row in inspect(path)}["QuantAvgPool2d"] == "sum pool 2x2, shifted right by 2"


def truncated(net: Net, x: str, *, rounding: str = "FLOOR", output: float | None = None, bits: int = 3) -> str:
    """Trunc of sums of quarters: of its second version where there is a scale of the output."""
    given = [0.25, 0.0, 6.0, *([] if output is None else [output]), float(bits)]
    limits = {} if output is None else {"signed": 1, "narrow": 0}
    return net.node("Trunc", x, *map(net.constant, given), rounding_mode=rounding, **limits)


@pytest.mark.parametrize("rounding", ["FLOOR", "CEIL", "ROUND"])
@pytest.mark.parametrize("output", [None, 1.0])
def test_integers_cut_short(output: float | None, rounding: str, tmp_path: Path) -> None:
    """An average pool as Brevitas exports it: a mean, times the taps, then the lowest bits are left out."""
    net = Net((1, 3, 6, 6))
    x = net.quant("x", scale=0.25, bits=4, narrow=0)
    x = net.node("Mul", net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), net.constant(4.0))
    net.dense(net.node("Flatten", truncated(net, x, rounding=rounding, output=output)), inputs=27)
    model = net.model(net.nodes[-1].output[0])
    model.opset_import[1].version = 1 if output is None else 2
    graph = assert_as_executed(save(model, tmp_path), inputs_for(net))
    to_integers(graph)


@pytest.mark.parametrize(
    ("changes", "message"), [({"rounding": "ODD"}, "its rounding mode is ODD"), ({"bits": 40}, "to 40 bits")]
)
def test_cuts_that_do_not_map(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    net, x = quantised_input()
    net.dense(truncated(net, x, **changes))
    with pytest.raises(ModelError, match=message):
        imported(net.save(tmp_path))


# ---- padding -----------------------------------------------------------------------------------


def padded_map(net: Net, x: str) -> str:
    return net.node("Pad", x, net.constant(np.array([0, 0, 1, 0, 0, 0, 2, 1])))


def padded_with_value(net: Net, x: str) -> str:
    return net.node("Pad", x, net.constant(np.array([0, 0, 1, 0, 0, 0, 2, 1])), net.constant(-0.5), mode="constant")


def padded_axes(net: Net, x: str) -> str:
    axes = net.constant(np.array([-1, 2]))
    return net.node("Pad", x, net.constant(np.array([0, 1, 2, 1])), net.constant(0.5), axes)


def padded_by_attribute(net: Net, x: str) -> str:
    return net.node("Pad", x, pads=[0, 0, 1, 0, 0, 0, 2, 1], value=0.5)


@pytest.mark.parametrize(
    ("body", "opset", "pads"),
    [
        (padded_map, 13, (1, 0, 2, 1)),
        (padded_with_value, 11, (1, 0, 2, 1)),
        (padded_axes, 18, (1, 0, 1, 2)),
        (padded_by_attribute, 9, (1, 0, 2, 1)),
    ],
)
def test_padding(body: Callable[[Net, str], str], opset: int, pads: tuple[int, ...], tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 4, 5), opset=opset)
    net.conv(body(net, x))
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert [node.pads for node in graph.nodes if isinstance(node, Pad)] == [pads]


def test_padding_channels_last_and_of_sequences(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 4, 2, 12))
    x = net.node("Pad", net.dense(x), net.constant(np.array([0, 1, 0, 0, 0, 0, 2, 0])))
    net.dense(x, inputs=8)
    assert_as_executed(net.save(tmp_path), inputs_for(net))
    net, x = quantised_input(shape=(1, 3, 5))
    net.conv(net.node("Pad", x, net.constant(np.array([0, 0, 1, 0, 0, 2]))), kernel=(2,))
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_padding_by_nothing(tmp_path: Path) -> None:
    net, x = quantised_input()
    net.dense(net.node("Pad", x, net.constant(np.zeros(4, np.int64))))
    assert [node.op for node in imported(net.save(tmp_path)).nodes] == ["Quant", "MatMul"]
