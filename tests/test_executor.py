"""Executors of others: which one runs what, batches, and what is said where one is missing or refuses a file."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest

from bnnhw.errors import ToolError
from bnnhw.executor import executor
from tests.onnx_models import Net


def model(batch: int | str, *, quantised: bool) -> onnx.ModelProto:
    net = Net((batch, 3))
    x = net.quant("x", scale=0.5, bits=4) if quantised else "x"
    return net.model(net.node("Mul", x, net.constant(2.0)), shape=(batch, 3))


@pytest.mark.parametrize("batch", [1, 4, "N"])
@pytest.mark.parametrize("quantised", [False, True])
def test_one_sample_whatever_the_batch(batch: int | str, quantised: bool) -> None:
    proto = model(batch, quantised=quantised)
    name = proto.graph.output[0].name
    run = executor(proto, [name, "x"], "file")
    found = run(np.array([0.5, 1.0, -1.5], np.float32))
    assert found[name].tolist() == [[1, 2, -3]]
    assert found["x"].tolist() == [[0.5, 1, -1.5]]
    assert len(proto.graph.output) == 1  # the caller's stays as it is


@pytest.mark.parametrize(("module", "quantised"), [("onnxruntime", False), ("qonnx.core.modelwrapper", True)])
def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch, module: str, quantised: bool) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    proto = model(1, quantised=quantised)
    with pytest.raises(ToolError, match='file: running it needs onnxruntime and qonnx .*pip install "bnnhw'):
        executor(proto, [proto.graph.output[0].name], "file")


def test_what_cannot_be_executed() -> None:
    net = Net((1, 3))
    proto = net.model(net.node("Mul", "x", net.constant([1.0, 2.0])))
    with pytest.raises(ToolError, match="file: cannot be executed"):
        executor(proto, [proto.graph.output[0].name], "file")(np.zeros(3, np.float32))
