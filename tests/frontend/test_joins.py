"""Graphs with branches: sums and concatenations mean the same here and in qonnx's executor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnnhw.frontend import inspect
from bnnhw.ir.nodes import Concat, Sum
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import inputs_for, quantised_input


def test_residual(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 4, 5, 6))
    x = net.bipolar(net.batch_norm(net.conv(x, inputs=4, pads=[1, 1, 1, 1]), 4))
    y = net.quant(net.conv(x, inputs=4, pads=[1, 1, 1, 1]), bits=4, scale=0.5)
    x = net.bipolar(net.node("Add", y, x))
    y = net.conv(x, inputs=4, outputs=8, kernel=(1, 1), strides=[2, 2])
    x = net.conv(x, inputs=4, outputs=8, pads=[1, 1, 1, 1], strides=[2, 2])
    net.node("Relu", net.node("Add", x, y))
    path = net.save(tmp_path)
    graph = assert_as_executed(path, inputs_for(net))
    sums = [node for node in graph.nodes if isinstance(node, Sum)]
    assert [node.coefficients.tolist() for node in sums] == [[[1], [1]]] * 2
    assert [graph.tensors[node.output].shape for node in sums] == [(5, 6, 4), (3, 3, 8)]
    assert [row.becomes for row in inspect(path) if row.op == "Add"] == ["sum of 2 tensors"] * 2


@pytest.mark.parametrize("shape", [(1, 12), (1, 5, 12), (1, 3, 2, 12), (1, 2, 3, 2, 12)])
def test_sums_of_any_shape(shape: tuple[int, ...], tmp_path: Path) -> None:
    """Of several, and of a tensor with itself and with the input."""
    net, x = quantised_input(shape=shape)
    x = net.node("Sum", x, net.bipolar("x"), x, x)
    x = net.node("Sum", net.node("Sum", x), net.constant(0.5))
    net.dense(net.node("Flatten", x), inputs=int(np.prod(shape)))
    assert_as_executed(net.save(tmp_path), inputs_for(net))


@pytest.mark.parametrize("shape", [(1, 12), (1, 3, 2, 12)])
def test_differences(shape: tuple[int, ...], tmp_path: Path) -> None:
    net, x = quantised_input(shape=shape)
    x = net.node("Sub", net.bipolar("x"), x)
    net.dense(net.bipolar(net.node("Sub", net.dense(x), net.dense(x)), 1.0), 8)
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert sum(isinstance(node, Sum) for node in graph.nodes) == 2


@pytest.mark.parametrize("axis", [1, 3, -1])
def test_concatenation_of_pixels(axis: int, tmp_path: Path) -> None:
    """The axis decides which layout the maps have, not their sizes."""
    shape = (1, 1, 1, 12) if axis != 1 else (1, 12, 1, 1)
    net, x = quantised_input(shape=shape)
    net.dense(net.node("Flatten", net.node("Concat", x, net.bipolar("x"), axis=axis)), 24)
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_sum_channels_last(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 2, 12))
    x = net.bipolar(net.dense(x))
    net.node("Add", net.dense(x, inputs=8), x)
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert [node.op for node in graph.nodes] == ["Quant", "Conv", "BipolarQuant", "Conv", "Sum"]


def test_concatenation(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 5, 4))
    parts = [net.conv(x, outputs=k, pads=[1, 1, 1, 1]) for k in (2, 5)]
    x = net.node("Concat", x, *parts, axis=1)
    net.conv(net.bipolar(x), inputs=10)
    path = net.save(tmp_path)
    graph = assert_as_executed(path, inputs_for(net))
    (joined,) = (node for node in graph.nodes if isinstance(node, Concat))
    assert graph.tensors[joined.output].shape == (5, 4, 10)
    assert {row.op: row.becomes for row in inspect(path)}["Concat"] == "concatenation of 3 tensors"


@pytest.mark.parametrize(("shape", "axis"), [((1, 12), 1), ((1, 12), -1), ((1, 3, 2, 12), 3), ((1, 3, 2, 12), -1)])
def test_concatenation_along_the_last_axis(shape: tuple[int, ...], axis: int, tmp_path: Path) -> None:
    net, x = quantised_input(shape=shape)
    x = net.bipolar(net.dense(x))
    net.dense(net.node("Concat", x, net.dense(x, inputs=8, outputs=4), axis=axis), inputs=12)
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_concatenation_of_sequences(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 6))
    x = net.node("Concat", net.conv(x, kernel=(1,)), x, axis=-2)
    net.conv(x, inputs=7, kernel=(3,))
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_answer_on_one_branch_only(tmp_path: Path) -> None:
    """A Sigmoid beside other layers does not stop them; only what reads it is refused."""
    net, x = quantised_input(shape=(1, 3, 4, 4))
    side = net.node("Sigmoid", net.conv(x, outputs=3, kernel=(1, 1)))
    net.conv(net.node("Mul", side, net.bipolar(x)), kernel=(1, 1))
    rows = {row.node: row for row in inspect(net.save(tmp_path))}
    assert [row.op for row in rows.values() if not row.ok] == ["Mul"]
    assert "a product of two tensors" in next(row.becomes for row in rows.values() if row.op == "Mul")
