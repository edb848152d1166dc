"""Sparse quantised neurons, as LogicNets has them: from a QONNX file to simulated Verilog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import bnnhw

pytestmark = pytest.mark.sim

QONNX = "qonnx.custom_op.general"


def sparse(path: Path) -> Path:
    """Layers of neurons that see 3 inputs of 2 bits, and a dense one behind them."""
    rng = np.random.default_rng(1)
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: object) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def quantised(source: str, name: str, scale: float) -> str:
        numbers = [constant(name + kind, value) for kind, value in (("scale", scale), ("zero", 0), ("bits", 2))]
        options = {"domain": QONNX, "signed": 0, "narrow": 0, "rounding_mode": "ROUND"}
        nodes.append(helper.make_node("Quant", [source, *numbers], [name], **options))
        return name

    name, before = quantised("x", "codes", 1.0), 32
    for k, neurons in enumerate((64, 48)):
        weight = np.zeros((before, neurons))
        for column in weight.T:
            column[rng.choice(before, 3, replace=False)] = rng.integers(-7, 8, 3)
        nodes.append(helper.make_node("MatMul", [name, constant(f"w{k}", weight)], [f"sums{k}"]))
        nodes.append(
            helper.make_node("Add", [f"sums{k}", constant(f"b{k}", rng.normal(4, 6, neurons))], [f"biased{k}"])
        )
        name, before = quantised(f"biased{k}", f"codes{k}", 4.0), neurons
    nodes.append(helper.make_node("MatMul", [name, constant("last", rng.integers(-1, 2, (before, 5)))], ["y"]))
    ends = [[helper.make_tensor_value_info(end, TensorProto.FLOAT, (1, size))] for end, size in (("x", 32), ("y", 5))]
    graph = helper.make_graph(nodes, "sparse", *ends, constants)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_they_become_tables_and_say_the_same(tmp_path: Path) -> None:
    path = sparse(tmp_path / "sparse.onnx")
    assert [layer["kind"] for layer in bnnhw.check(path)["layers"]] == ["lookup", "matrix"]
    design = bnnhw.compile(path, board="icebreaker")
    found = bnnhw.compare(design, samples=60, levels=["source", "reference", "rtl"])
    assert found["mismatches"] == 0
    assert {level["samples"] for level in found["levels"].values()} == {60}
