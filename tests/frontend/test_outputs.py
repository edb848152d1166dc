"""What follows the last layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from bnnhw import reference
from bnnhw.errors import ModelError
from bnnhw.frontend import load, load_qonnx
from bnnhw.ir.nodes import ArgMax, Softmax
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed, assert_same_content
from tests.onnx_models import Net, executor_outputs, inputs_for, small_classifier


def ended(op: str, *more: str, outputs: int = 1, **attributes: object) -> Net:
    """A classifier that ends with one more node."""
    net = small_classifier()
    last = net.nodes[-1].output[0]
    net.node(op, last, *[net.constant(np.array([1])) for _ in more], outputs=outputs, **attributes)
    return net


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Sigmoid"])
def test_order_keeping_ends(op: str, tmp_path: Path) -> None:
    net = ended(op, **({"axis": 1} if op != "Sigmoid" else {}))
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net), tolerance=1e-6)
    assert graph.nodes[-1].op == op.removeprefix("Log")
    assert graph.notes == (
        f"{graph.nodes[-1].name}: {op} keeps the order; hardware leaves it out, software computes it",
    )


@pytest.mark.parametrize("more", [False, True])
def test_hardmax(more: bool, tmp_path: Path) -> None:
    """Alone, and with the class of what it marks."""
    net = ended("Hardmax", axis=-1)
    if more:
        net.node("ArgMax", net.nodes[-1].output[0], axis=1)
    path, inputs = net.save(tmp_path, element=TensorProto.INT64 if more else TensorProto.FLOAT), inputs_for(net, 64)
    found = reference.run(to_integers(assert_as_executed(path, inputs)), inputs)
    theirs = executor_outputs(path, inputs)
    np.testing.assert_array_equal(found["outputs"].reshape(theirs.shape), theirs)
    np.testing.assert_array_equal(found["prediction"], theirs.reshape(64, -1).argmax(1) if not more else theirs[:, 0])


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_argmax(axis: int, keepdims: int, tmp_path: Path) -> None:
    net = ended("ArgMax", axis=axis, keepdims=keepdims)
    graph = assert_as_executed(net.save(tmp_path, element=TensorProto.INT64), inputs_for(net))
    assert isinstance(graph.nodes[-1], ArgMax)


def test_topk_index(tmp_path: Path) -> None:
    net = ended("TopK", "k", outputs=2, axis=-1)
    path = net.save(tmp_path, f"{net.nodes[-1].output[0]}.1", element=TensorProto.INT64)
    graph = assert_as_executed(path, inputs_for(net))
    assert isinstance(graph.nodes[-1], ArgMax)
    assert graph.outputs["outputs"] == graph.nodes[-1].output


@pytest.mark.parametrize("turned", [False, True])
def test_values_and_indices_of_topk(turned: bool, tmp_path: Path) -> None:
    """FINN's files end so; the index is the answer."""
    net = ended("TopK", "k", outputs=2, axis=-1)
    names = list(net.nodes[-1].output)
    graph = load_qonnx(net.save(tmp_path, *(reversed(names) if turned else names)))
    alone = load_qonnx(net.save(tmp_path, names[1], element=TensorProto.INT64))
    assert_same_content(graph, alone)
    assert graph.outputs == alone.outputs


def test_topk_and_another_output(tmp_path: Path) -> None:
    net = ended("TopK", "k", outputs=2, axis=-1)
    value, index = net.nodes[-1].output
    path = net.save(tmp_path, value, index, net.nodes[0].output[0])
    with pytest.raises(ModelError, match="--output-tensor chooses another"):
        load_qonnx(path)
    assert load_qonnx(path, output_tensor=index).outputs["outputs"] == index


def test_softmax_then_topk_then_layout(tmp_path: Path) -> None:
    net = ended("Softmax")
    net.node("TopK", net.nodes[-1].output[0], net.constant(np.array([1])), outputs=2)
    x = net.node("Squeeze", net.nodes[-1].output[1], net.constant(np.array([1])))
    net.node("Cast", x, to=TensorProto.INT32)
    graph = assert_as_executed(net.save(tmp_path, element=TensorProto.INT32), inputs_for(net))
    assert [node.op for node in graph.nodes[-2:]] == ["Softmax", "ArgMax"]


def test_softmax_then_reshape(tmp_path: Path) -> None:
    net = ended("Softmax")
    net.node("Unsqueeze", net.nodes[-1].output[0], net.constant(np.array([2])))
    path = net.save(tmp_path)
    graph = assert_as_executed(path, inputs_for(net), tolerance=1e-6)
    assert isinstance(graph.nodes[-2], Softmax)
    assert reference.run(graph, inputs_for(net))["outputs"].shape == (8, 4, 1)


def test_affine_per_class(tmp_path: Path) -> None:
    net = small_classifier()
    x = net.node("Mul", net.nodes[-1].output[0], net.constant([1.0, 0.5, 2.0, 4.0]))
    net.node("Add", x, net.constant([0.0, 1.5, -0.5, 0.25]))
    assert_as_executed(net.save(tmp_path), inputs_for(net))


@pytest.mark.parametrize(
    ("op", "more", "attributes", "reason"),
    [
        ("ArgMax", (), {}, "over axis 0"),
        ("ArgMax", (), {"axis": 1, "select_last_index": 1}, "the last index on a tie"),
        ("Softmax", (), {"axis": 0}, "over axis 0"),
        ("TopK", ("k",), {"largest": 0, "outputs": 2}, "the 1 smallest"),
        ("TopK", ("k",), {"outputs": 2}, "the output is the value"),
    ],
)
def test_refused_ends(op: str, more: tuple[str, ...], attributes: dict[str, int], reason: str, tmp_path: Path) -> None:
    net = ended(op, *more, **attributes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=reason):
        load_qonnx(net.save(tmp_path))


def test_topk_value_through_another_node(tmp_path: Path) -> None:
    net = ended("TopK", "k", outputs=2)
    net.node("Identity", net.nodes[-1].output[0])
    with pytest.raises(ModelError, match="the output is the value"):
        load_qonnx(net.save(tmp_path))


def test_several_largest(tmp_path: Path) -> None:
    net = small_classifier()
    net.node("TopK", net.nodes[-1].output[0], net.constant(np.array([2])), outputs=2)
    with pytest.raises(ModelError, match="the 2 largest"):
        load_qonnx(net.save(tmp_path, net.nodes[-1].output[1]))


@pytest.mark.parametrize("op", ["Softmax", "ArgMax"])
def test_nothing_may_follow_the_answer(op: str, tmp_path: Path) -> None:
    net = ended(op, axis=1)
    net.node("Relu", net.node("Cast", net.nodes[-1].output[0], to=TensorProto.FLOAT))
    with pytest.raises(ModelError, match=rf"stands after {op}"):
        load_qonnx(net.save(tmp_path))


def test_two_outputs(tmp_path: Path) -> None:
    """The first is the answer, if none is chosen."""
    net = small_classifier()
    last, hidden = net.nodes[-1].output[0], net.node("Identity", net.nodes[-4].output[0])
    path = net.save(tmp_path, last, hidden)
    graph = assert_as_executed(path, inputs_for(net))
    assert graph.outputs["outputs"] == last
    assert graph.notes == (
        f"output {last!r} is the answer, and {hidden!r} not computed: --output-tensor chooses another",
    )
    other = load_qonnx(path, output_tensor=hidden)
    assert other.outputs["outputs"] == hidden
    np.testing.assert_array_equal(
        reference.run(other, inputs_for(net))["outputs"],
        executor_outputs(net.save(tmp_path, hidden), inputs_for(net)),
    )


def test_output_that_the_file_has_not(tmp_path: Path) -> None:
    net = small_classifier()
    path = net.save(tmp_path)
    with pytest.raises(ModelError, match=r"no output 'y': --output-tensor takes one of 't\d+'"):
        load_qonnx(path, output_tensor="y")
    with pytest.raises(ModelError, match="leave --output-tensor out"):
        load(tmp_path, output_tensor="y")


def test_refusals_name_the_chosen_output(tmp_path: Path) -> None:
    net = small_classifier()
    last = net.nodes[-1].output[0]
    path = net.save(tmp_path, net.node("Sin", last), last)
    with pytest.raises(ModelError, match=rf"is the answer, and '{last}' not computed: --output-tensor"):
        load_qonnx(path)
    assert load_qonnx(path, output_tensor=last).outputs["outputs"] == last


def test_output_that_is_the_input_or_a_constant(tmp_path: Path) -> None:
    net = Net()
    net.node("Identity", "x")
    with pytest.raises(ModelError, match="does not depend on the input"):
        load_qonnx(net.save(tmp_path))
    net.node("Identity", net.weights(1, 3))
    with pytest.raises(ModelError, match="does not depend on the input"):
        load_qonnx(net.save(tmp_path))


def test_no_layer_with_weights(tmp_path: Path) -> None:
    net = Net()
    net.quant("x")
    with pytest.raises(ModelError, match="holds no layer with weights"):
        load_qonnx(net.save(tmp_path))
