"""Activations between a layer and its quantiser: they vanish into thresholds, and mean what the executor says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense, Threshold
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import Net, inputs_for

Body = Callable[[Net, str], str]
SLOPES = np.linspace(0, 1.75, 8, dtype=np.float32)

ACTIVATIONS: dict[str, Body] = {
    "LeakyRelu": lambda net, x: net.node("LeakyRelu", x),
    "LeakyRelu of a slope": lambda net, x: net.node("LeakyRelu", x, alpha=0.3),
    "LeakyRelu as Relu": lambda net, x: net.node("LeakyRelu", x, alpha=0.0),
    "PRelu": lambda net, x: net.node("PRelu", x, net.constant(SLOPES)),
    "PRelu with a batch axis": lambda net, x: net.node("PRelu", x, net.constant(SLOPES[None])),
    "PRelu of one slope": lambda net, x: net.node("PRelu", x, net.constant([0.25])),
    "RPReLU": lambda net, x: net.node(
        "Add", net.node("PRelu", net.node("Add", x, net.constant(SLOPES - 1)), net.constant(SLOPES)), net.constant(0.4)
    ),
    "HardSigmoid": lambda net, x: net.node("HardSigmoid", x),
    "HardSigmoid of a slope": lambda net, x: net.node("HardSigmoid", x, alpha=0.5, beta=0.25),
    "Elu": lambda net, x: net.node("Elu", x, alpha=0.7),
    "Celu": lambda net, x: net.node("Celu", x, alpha=1.5),
    "Selu": lambda net, x: net.node("Selu", x),
    "Softplus": lambda net, x: net.node("Softplus", x),
    "Sigmoid": lambda net, x: net.node("Sigmoid", x),
    "Tanh": lambda net, x: net.node("Tanh", x),
    "Softsign": lambda net, x: net.node("Softsign", x),
}


def executed(folder: Path, body: Body) -> Graph:
    net = Net(opset=16)
    x = body(net, net.dense(net.quant("x", scale=0.25, bits=4, narrow=0)))
    net.dense(net.quant(x, scale=0.211, bits=3), 8, 5)
    return assert_as_executed(net.save(folder), inputs_for(net, 24, 0.5), tolerance=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, tmp_path: Path) -> None:
    integer = to_integers(executed(tmp_path, ACTIVATIONS[name]))
    assert [type(node) for node in integer.nodes if isinstance(node, (Dense, Threshold))] == [Dense, Threshold, Dense]


def test_slopes_of_channels_of_a_map(tmp_path: Path) -> None:
    net = Net((1, 3, 5, 5))
    x = net.conv(net.quant("x", scale=0.25), outputs=8)
    x = net.node("PRelu", x, net.constant(SLOPES.reshape(8, 1, 1)))
    net.conv(net.quant(x, scale=0.211, bits=3), inputs=8)
    assert_as_executed(net.save(tmp_path), inputs_for(net, 8, 0.5), tolerance=1e-5)


REFUSED: dict[str, tuple[Body, str]] = {
    "falling": (lambda net, x: net.node("LeakyRelu", x, alpha=-0.1), "a slope of -0.1 below 0; keep its slope"),
    "falling in a channel": (lambda net, x: net.node("PRelu", x, net.constant(SLOPES - 1)), "a slope of -1 below 0"),
    "slope by data": (lambda net, x: net.node("PRelu", x, x), "its slope is not a constant"),
    "slopes of other channels": (lambda net, x: net.node("PRelu", x, net.constant([0.5] * 3)), "does not fit"),
    "falling HardSigmoid": (lambda net, x: net.node("HardSigmoid", x, alpha=-0.5), "a slope of -0.5"),
    "slope NaN": (lambda net, x: net.node("LeakyRelu", x, alpha=float("nan")), "a slope of nan"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    body, message = REFUSED[name]
    net = Net(opset=16)
    net.dense(net.bipolar(body(net, net.dense("x"))), 8, 5)
    with pytest.raises(ModelError, match=message):
        load_qonnx(net.save(tmp_path))
