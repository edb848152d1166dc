"""Comparisons that several tests of the importer make."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnhw import reference
from bnnhw.frontend import load_qonnx
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Node
from bnnhw.ir.spec import verify
from tests.onnx_models import executor_outputs

NAMES = {"name", "inputs", "output", "source"}


def imported(path: Path) -> Graph:
    """The graph of a file, checked."""
    return verify(load_qonnx(path), "imported")


def content(node: Node) -> tuple[object, ...]:
    """All of a node but its names, comparable."""
    values = [getattr(node, field.name) for field in fields(node) if field.name not in NAMES]
    return (node.op, *((v.dtype, v.shape, v.tobytes()) if isinstance(v, np.ndarray) else v for v in values))


def assert_same_content(first: Graph, second: Graph) -> None:
    """The graphs are equal up to names."""
    assert [node.op for node in first.nodes] == [node.op for node in second.nodes]
    assert [content(node) for node in first.nodes] == [content(node) for node in second.nodes]
    assert first.tensors[first.input] == second.tensors[second.input]
    assert first.input_format == second.input_format


def assert_as_executed(path: Path, inputs: NDArray[np.generic], *, tolerance: float = 0) -> Graph:
    """The imported graph of a file, which makes of `inputs` what the executor makes; exactly, but for the shape."""
    graph = imported(path)
    ours = np.asarray(reference.run(graph, inputs)["outputs"])
    theirs = executor_outputs(path, inputs)
    np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=tolerance, atol=tolerance)
    assert np.ptp(theirs) > 0, "a test whose outputs are all equal tells nothing"
    return graph
