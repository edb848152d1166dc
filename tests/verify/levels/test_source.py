"""The model file in qonnx's executor."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

import bnnhw
from bnnhw.compiler import make_design
from bnnhw.design import Design
from bnnhw.errors import InputError, ToolError
from bnnhw.inputs import inputs_for
from bnnhw.verify import compare
from tests.data import LFC, TFC, shared
from tests.onnx_models import Net, save, small_classifier


@pytest.fixture(scope="module")
def digits() -> Design:
    return make_design("digits-binary", board="icebreaker", fps=20_000)


def test_shipped_model(digits: Design) -> None:
    pytest.importorskip("qonnx")
    values = inputs_for(digits.graph, None, 5)
    found = compare(digits, values.values, values.labels, levels=["source"])
    level = found.levels["source"]
    assert found.mismatches == 0
    # Not the outputs alone: the tensors inside that have the same names in the imported graph.
    assert level.values > 5 * (10 + 128 + 64)
    assert level.against == "reference, the imported float graph inside"


def test_a_difference_is_found(digits: Design) -> None:
    pytest.importorskip("qonnx")
    values = inputs_for(digits.graph, None, 2).values
    wrong = make_design("digits-ternary", board="icebreaker", fps=20_000)
    mixed = Design(wrong.graph, wrong.plan, wrong.source, digits.file)
    assert compare(mixed, values, levels=["source"]).mismatches > 0


def test_infer(digits: Design) -> None:
    pytest.importorskip("qonnx")
    values = inputs_for(digits.graph, None, 3).values
    found = bnnhw.infer(digits, values, level="source")
    assert set(found) == {"outputs", "prediction"}
    np.testing.assert_array_equal(found["outputs"], bnnhw.infer(digits, values)["outputs"])


def test_published_model() -> None:
    pytest.importorskip("qonnx")
    design = make_design(shared(f"{TFC}/TFC_1W1A.onnx"), board="ulx3s-85f", fps=1000)
    assert compare(design, inputs_for(design.graph, None, 2).values, levels=["source"]).mismatches == 0


def test_without_qonnx(digits: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qonnx.core.modelwrapper", None)
    with pytest.raises(ToolError, match="pip install"):
        compare(digits, inputs_for(digits.graph, None, 1).values, levels=["source"])


def test_without_a_file(digits: Design) -> None:
    values = inputs_for(digits.graph, None, 1).values
    bare = Design(digits.graph, digits.plan)
    with pytest.raises(InputError, match="the file of model digits-binary is not known"):
        compare(bare, values, levels=["source"])
    parameters = Design(digits.graph, digits.plan, None, shared(f"{LFC}/golden_lfcW1A1_mnist.npz"))
    with pytest.raises(InputError, match="is no QONNX file"):
        compare(parameters, values, levels=["source"])


def endings() -> dict[str, Net]:
    """Files whose answers level source once misread: an index, one value, a batch, integers."""
    made = {"topk": small_classifier(), "one value": Net((1, 12)), "batch": small_classifier(shape=(4, 12))}
    top = made["topk"]
    top.node("TopK", top.nodes[-1].output[0], top.constant(np.array([1], np.int64)), outputs=2, axis=-1)
    one = made["one value"]
    one.node("Sigmoid", one.dense(one.bipolar("x"), 12, 1))
    made["symbolic batch"] = small_classifier(shape=("N", 12))
    made["uint8"] = Net((1, 12), element=TensorProto.UINT8)
    made["uint8"].dense(made["uint8"].node("Cast", "x", to=TensorProto.FLOAT), 12, 3)
    return made


@pytest.mark.parametrize("name", ["topk", "one value", "batch", "symbolic batch", "uint8"])
def test_answers_of_strangers(name: str, tmp_path: Path) -> None:
    pytest.importorskip("qonnx")
    net = endings()[name]
    last = net.nodes[-1].output
    model = net.model(*last)
    for index in model.graph.output[1:]:
        index.type.tensor_type.elem_type = TensorProto.INT64
    path = save(model, tmp_path)
    found = bnnhw.compare(path, board="ulx3s-85f", levels=["source", "reference"], samples=8)
    assert found["mismatches"] == 0, found["levels"]["source"]["first_difference"]
    assert found["levels"]["source"]["values"] > 0
