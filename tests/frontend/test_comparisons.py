"""Comparisons, choices, and roundings as quantisers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Threshold
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import Net, inputs_for

OPS = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")
UINT1 = DataType("uint", 1)


def to_floats(net: Net, answer: str) -> str:
    return net.node("Cast", answer, to=TensorProto.FLOAT)


def by_integers(net: Net, answer: str) -> str:
    return to_floats(net, net.node("Cast", answer, to=TensorProto.INT32))


def signs(net: Net, answer: str) -> str:
    return net.node("Where", answer, net.constant(1.0), net.constant(-1.0))


def of_the_opposite(net: Net, answer: str) -> str:
    return net.node(
        "Where", net.node("Not", answer), net.constant(np.full((1, 1), 0.3, np.float32)), net.constant(-0.3)
    )


MADE: dict[Callable[[Net, str], str], DataType] = {
    to_floats: UINT1,
    by_integers: UINT1,
    signs: BIPOLAR,
    of_the_opposite: BIPOLAR,
}


def between_layers(folder: Path, body: Callable[[Net, str], str]) -> tuple[Graph, list[Threshold]]:
    """A network with `body` between two layers, held against the executor; its graph, and its thresholds."""
    net = Net(opset=16)
    x = net.dense(net.quant("x", scale=0.25, bits=4, narrow=0))
    net.dense(body(net, x), 8, 5)
    path, inputs = net.save(folder), inputs_for(net, 24, 0.5)
    graph = assert_as_executed(path, inputs, tolerance=1e-6)
    integer = to_integers(graph)
    np.testing.assert_allclose(
        reference.run(integer, inputs)["outputs"], reference.run(graph, inputs)["outputs"], rtol=1e-6, atol=1e-6
    )
    return integer, [node for node in integer.nodes if isinstance(node, Threshold)]


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("made", MADE, ids=lambda made: made.__name__)
def test_comparisons(made: Callable[[Net, str], str], op: str, left: bool, tmp_path: Path) -> None:
    """With cuts per channel that sums meet exactly, so that > and >= differ."""

    def body(net: Net, x: str) -> str:
        cuts = net.constant(np.arange(-4, 4, dtype=np.float32)[None] / 4)
        return made(net, net.node(op, *((cuts, x) if left else (x, cuts))))

    _, (threshold,) = between_layers(tmp_path, body)
    assert threshold.dtype == MADE[made]


def test_sums_meet_the_cuts(tmp_path: Path) -> None:
    """What the test above relies on."""
    net = Net(opset=16)
    net.dense(net.quant("x", scale=0.25, bits=4, narrow=0))
    sums = reference.run(load_qonnx(net.save(tmp_path)), inputs_for(net, 24, 0.5))["outputs"]
    assert (sums == np.arange(-4, 4) / 4).any(axis=0).sum() >= 4


def test_choice_between_constants_per_channel(tmp_path: Path) -> None:
    def body(net: Net, x: str) -> str:
        answer = net.node("Greater", x, net.constant(0.0))
        return net.bipolar(net.node("Where", answer, net.constant([1.0, -1.0] * 4), net.constant([-2.0, 2.0] * 4)))

    _, (threshold,) = between_layers(tmp_path, body)
    assert threshold.dtype == BIPOLAR


@pytest.mark.parametrize("op", ["Round", "Floor", "Ceil"])
@pytest.mark.parametrize(("low", "high", "dtype"), [(0.0, 1.0, DataType("uint", 2)), (-1.0, 1.0, DataType("int", 3))])
def test_roundings(op: str, low: float, high: float, dtype: DataType, tmp_path: Path) -> None:
    """DoReFa's activation: round(3 clip(x)) / 3."""

    def body(net: Net, x: str) -> str:
        clipped = net.node("Mul", net.node("Clip", x, net.constant(low), net.constant(high)), net.constant(3.0))
        return net.node("Div", net.node(op, clipped), net.constant(3.0))

    _, (threshold,) = between_layers(tmp_path, body)
    assert threshold.dtype == dtype


def staircase(net: Net, x: str) -> str:
    """Four levels as a quantiser's nested choices."""
    found = net.constant(np.full((1, 1), -0.75, np.float32))
    for cut, level in ((-0.5, -0.25), (0.25, 0.25), (0.75, 0.75)):
        found = net.node("Where", net.node("Greater", x, net.constant(cut)), net.constant(level), found)
    return found


def dead_zone(net: Net, x: str) -> str:
    """TWN's ternary values, by logic on two answers."""
    inside = net.node(
        "And", net.node("Greater", x, net.constant(-0.5)), net.node("Not", net.node("Greater", x, net.constant(0.5)))
    )
    return net.node("Where", inside, net.constant(0.0), net.node("Sign", x))


def outside(net: Net, x: str) -> str:
    return to_floats(
        net, net.node("Or", *(net.node(op, x, net.constant(c)) for op, c in (("Less", -1.0), ("Greater", 1.0))))
    )


def either(net: Net, x: str) -> str:
    return to_floats(net, net.node("Xor", *(net.node("Greater", x, net.constant(c)) for c in (-1.0, 0.5))))


def the_middle(net: Net, x: str) -> str:
    return to_floats(net, net.node("Equal", net.node("Round", net.node("Clip", x, *_ends(net))), net.constant(0.0)))


def _ends(net: Net) -> tuple[str, str]:
    return net.constant(-1.0), net.constant(1.0)


CHOICES: dict[str, tuple[Callable[[Net, str], str], DataType]] = {
    "nested choices": (staircase, DataType("int", 3)),
    "logic": (dead_zone, TERNARY),
    "or": (outside, UINT1),
    "xor": (either, UINT1),
    "equality": (the_middle, UINT1),
    "of the tensor itself": (
        lambda net, x: net.quant(
            net.node("Where", net.node("Less", x, net.constant(0.0)), net.constant(0.0), x), scale=0.25, bits=4
        ),
        DataType("int", 4),
    ),
    "by constants": (
        lambda net, x: net.bipolar(net.node("Where", net.constant(np.arange(8)[None] % 2 == 0), x, net.node("Neg", x))),
        BIPOLAR,
    ),
    "a step that float32 has but one way": (
        lambda net, x: net.node("Where", net.node("Less", x, net.constant(0.0)), net.constant(0.1), net.constant(0.7)),
        UINT1,
    ),
    "a step that float32 has not": (
        lambda net, x: net.bipolar(
            net.node("Where", net.node("Less", x, net.constant(0.0)), net.constant(-0.3), net.constant(0.7))
        ),
        BIPOLAR,
    ),
    "two functions compared": (
        lambda net, x: net.node("Where", net.node("Greater", x, net.node("Abs", x)), *map(net.constant, (1.0, 2.0))),
        DataType("uint", 2),
    ),
    "the larger of two": (
        lambda net, x: net.quant(net.node("Max", x, net.node("Mul", x, net.constant(0.1))), scale=0.25, bits=4),
        DataType("int", 4),
    ),
    "the smaller of two": (
        lambda net, x: net.quant(net.node("Min", net.node("Mul", x, net.constant(0.25)), x), scale=0.25, bits=4),
        DataType("int", 4),
    ),
    "a threshold": (
        lambda net, x: net.quant(net.node("ThresholdedRelu", x, alpha=0.6), scale=0.25, bits=4),
        DataType("int", 4),
    ),
    "shrinking": (
        lambda net, x: net.quant(net.node("Shrink", x, lambd=0.4, bias=0.3), scale=0.25, bits=4),
        DataType("int", 4),
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_choices(name: str, tmp_path: Path) -> None:
    body, dtype = CHOICES[name]
    _, (*_, threshold) = between_layers(tmp_path, body)
    assert threshold.dtype == dtype


REFUSED: dict[str, tuple[Callable[[Net], str], str]] = {
    "two tensors": (
        lambda net: net.node("Greater", *_two(net)), "Greater of two tensors",
    ),
    "integers": (lambda net: net.node("Less", "x", net.constant(np.int64(3))), "arithmetic in int64"),
    "a choice among tensors": (
        lambda net: net.node("Where", net.node("Less", _two(net)[0], net.constant(0.0)), "x", net.constant(0.0)),
        "by an answer about another one",
    ),
    "the larger of two tensors": (lambda net: net.node("Max", *_two(net)), "Max of two tensors"),
    "logic on two tensors": (
        lambda net: net.node("And", *(net.node("Less", x, net.constant(0.0)) for x in _two(net))),
        "logic on answers about different tensors",
    ),
    "cast of fractions": (lambda net: net.node("Cast", "x", to=TensorProto.INT32), "which rounds"),
}  # fmt: skip


def _two(net: Net) -> tuple[str, str]:
    x = net.quant("x", scale=0.25, bits=4, narrow=0)
    return net.dense(x), net.dense(x)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    body, message = REFUSED[name]
    net = Net(opset=16)
    net.dense(net.bipolar(body(net)))
    with pytest.raises(ModelError, match=message):
        load_qonnx(net.save(tmp_path))
