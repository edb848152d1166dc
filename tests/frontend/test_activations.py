"""Activations between a layer and its quantiser: they vanish into thresholds, and mean what the executor says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from bnnhw.ir.nodes import Dense, Threshold
from bnnhw.passes import to_integers, turning
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import Net, executor_outputs, inputs_for

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
    "Erf": lambda net, x: net.node("Erf", x),
    "Exp": lambda net, x: net.node("Exp", x),
    "Atan": lambda net, x: net.node("Atan", x),
    "Sqrt": lambda net, x: net.node("Sqrt", net.node("Relu", x)),
    "logarithm of a Sigmoid": lambda net, x: net.node("Log", net.node("Sigmoid", x)),
    "levels that are powers of two": lambda net, x: net.node(
        "Pow",
        net.constant(2.0),
        net.node(
            "Round",
            net.node(
                "Div",
                net.node("Log", net.node("Clip", x, *map(net.constant, (0.25, 4.0)))),
                net.constant(float(np.log(2))),
            ),
        ),
    ),
    "a falling power": lambda net, x: net.node("Sub", net.node("Pow", net.constant(0.7), x), net.constant(1.0)),
    "falling HardSigmoid": lambda net, x: net.node("HardSigmoid", x, alpha=-0.5),
    "PRelu of two Relus": lambda net, x: net.node(
        "Sub", net.node("Relu", x), net.node("Mul", net.node("Relu", net.node("Neg", x)), net.constant(0.25))
    ),
    # Functions that rise and fall.
    "Abs": lambda net, x: net.node("Abs", x),
    "LeakyRelu below 0": lambda net, x: net.node("LeakyRelu", x, alpha=-0.4),
    "PRelu of either sign": lambda net, x: net.node("PRelu", x, net.constant(SLOPES - 1)),
    "SiLU": lambda net, x: net.node("Mul", x, net.node("Sigmoid", x)),
    "SiLU of normalised sums": lambda net, x: net.node("Mul", net.node("Sigmoid", y := net.batch_norm(x)), y),
    "normalised SiLU": lambda net, x: net.batch_norm(net.node("Mul", x, net.node("Sigmoid", x))),
    "GELU": lambda net, x: net.node(
        "Mul",
        net.node(
            "Mul", x, net.node("Add", net.node("Erf", net.node("Div", x, net.constant(2**0.5))), net.constant(1.0))
        ),
        net.constant(0.5),
    ),
    "GELU by Tanh": lambda net, x: net.node(
        "Mul",
        net.node("Mul", x, net.constant(0.5)),
        net.node(
            "Add",
            net.node(
                "Tanh",
                net.node(
                    "Mul",
                    net.node("Add", x, net.node("Mul", net.node("Pow", x, net.constant(3.0)), net.constant(0.044715))),
                    net.constant((2 / np.pi) ** 0.5),
                ),
            ),
            net.constant(1.0),
        ),
    ),
    "HardSwish": lambda net, x: net.node("HardSwish", x),
    "HardSwish of a Clip": lambda net, x: net.node(
        "Mul",
        x,
        net.node(
            "Div",
            net.node("Clip", net.node("Add", x, net.constant(3.0)), net.constant(0.0), net.constant(6.0)),
            net.constant(6.0),
        ),
    ),
    "Mish": lambda net, x: net.node("Mul", x, net.node("Tanh", net.node("Softplus", x))),
    "square": lambda net, x: net.node("Mul", x, x),
    # Functions in one operator, of later operator sets.
    "Gelu": lambda net, x: net.node("Gelu", x),
    "operator Mish": lambda net, x: net.node("Mish", x),
}
OPSETS = {"Gelu": 20, "operator Mish": 18}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, tmp_path: Path) -> None:
    """Floats as the executor has them, and one layer with thresholds that gives the same; where float32 decides by
    rounding noise, it is said so."""
    net = Net(opset=OPSETS.get(name, 16))
    x = ACTIVATIONS[name](net, net.dense(net.quant("x", scale=0.25, bits=4, narrow=0)))
    net.dense(net.quant(x, scale=0.211, bits=3), 8, 5)
    inputs = inputs_for(net, 24, 0.5)
    path = net.save(tmp_path)
    integer = to_integers(assert_as_executed(path, inputs, tolerance=1e-6))
    assert [type(node) for node in integer.nodes if isinstance(node, (Dense, Threshold))] == [Dense, Threshold, Dense]
    doubtful = reference.doubtful(integer, inputs)
    assert not doubtful.all()
    ours = reference.run(integer, inputs)["outputs"]
    np.testing.assert_allclose(ours[~doubtful], executor_outputs(path, inputs)[~doubtful], atol=1e-6)


def test_tables_of_codes(tmp_path: Path) -> None:
    """Channels share a table where one order of codes serves all, be it backwards; else each has its own."""

    def table(name: str) -> np.ndarray:
        net = Net(opset=16)
        x = ACTIVATIONS[name](net, net.dense(net.quant("x", scale=0.25, bits=4, narrow=0)))
        net.dense(net.quant(x, scale=0.211, bits=3), 8, 5)
        graph = to_integers(load_qonnx(net.save(tmp_path)))
        return next(node.codes for node in graph.nodes if isinstance(node, Threshold))

    assert table("SiLU of normalised sums").tolist() == [[0, -1, 0, 1, 2, 3]]
    assert table("Abs").tolist() == [[3, 2, 1, 0, 1, 2, 3]]
    assert len(table("PRelu of either sign")) == 8


def test_too_many_integers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "MAX_INTEGERS", 1000)
    net = Net(opset=16)
    x = net.node("Abs", net.dense(net.quant("x", scale=0.25, bits=8)))
    net.dense(net.quant(x, scale=0.211, bits=3), 8, 5)
    with pytest.raises(
        ModelError, match=r"Abs_\d+: it rises and falls over [\d,]+ integers in each of 8 channels, too"
    ):
        to_integers(load_qonnx(net.save(tmp_path)))


def test_slopes_of_channels_of_a_map(tmp_path: Path) -> None:
    net = Net((1, 3, 5, 5))
    x = net.conv(net.quant("x", scale=0.25), outputs=8)
    x = net.node("PRelu", x, net.constant(SLOPES.reshape(8, 1, 1)))
    net.conv(net.quant(x, scale=0.211, bits=3), inputs=8)
    assert_as_executed(net.save(tmp_path), inputs_for(net, 8, 0.5), tolerance=1e-5)


REFUSED: dict[str, tuple[Body, str]] = {
    "slope by data": (lambda net, x: net.node("PRelu", x, x), "its slope is not a constant"),
    "slopes of other channels": (lambda net, x: net.node("PRelu", x, net.constant([0.5] * 3)), "does not fit"),
    "power": (lambda net, x: net.node("Pow", x, net.constant(0.5)), "a power of 0.5; only squares and cubes"),
    "Gelu by Tanh": (lambda net, x: net.node("Gelu", x, approximate="tanh"), "an approximation of Gelu by Tanh"),
    "product of layers": (
        lambda net, x: net.node("Mul", x, net.dense("x")),
        "a product of two tensors, which does not map yet; use a constant for one of them, or functions of one tensor",
    ),
    "Log": (lambda net, x: net.node("Log", x), "a Log of what may be negative; put a Relu, or a Clip"),
    "slope NaN": (lambda net, x: net.node("LeakyRelu", x, alpha=float("nan")), "a slope of nan"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    body, message = REFUSED[name]
    net = Net(opset=16)
    net.dense(net.bipolar(body(net, net.dense("x"))), 8, 5)
    with pytest.raises(ModelError, match=message):
        load_qonnx(net.save(tmp_path))
