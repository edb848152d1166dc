"""The file of a lookup-table network: two executors, and numpy, say the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx.inliner import inline_local_functions

from models.lookup.network import Encoder, LookupLayer, LookupNetwork, groups
from models.lookup.writer import DOMAIN, to_onnx

SAMPLES = 50


def random_network(shape: tuple[int, ...], levels: int, k: int, sizes: tuple[int, ...], *, seed: int) -> LookupNetwork:
    """Seven tenths of its input bits are used; the last size is of classes."""
    random = np.random.default_rng(seed)
    features = int(np.prod(shape))
    thresholds = np.sort(random.normal(size=(features, levels)), axis=1).astype(np.float32)
    used = np.sort(random.choice(features * levels, max(1, features * levels * 7 // 10), replace=False))
    layers, before = [], len(used)
    for nodes in sizes[:-1]:
        wiring = random.integers(0, before, (nodes, k))
        layers.append(LookupLayer(wiring, random.integers(0, 2, (nodes, 2**k)).astype(np.uint8)))
        before = nodes
    return LookupNetwork(shape, Encoder(thresholds, used), tuple(layers), groups(before, sizes[-1]))


NETWORKS = {
    "two layers": random_network((1, 4, 5), 2, 4, (60, 30, 3), seed=1),
    "two inputs": random_network((12,), 1, 2, (20, 5), seed=2),
    "six inputs": random_network((9,), 3, 6, (40, 8), seed=3),
}
NETWORKS["weighted head"] = replace(
    NETWORKS["two layers"], head=np.random.default_rng(4).integers(-3, 4, (30, 3)).astype(np.int64)
)
NETWORKS["every bit"] = replace(
    NETWORKS["two inputs"], encoder=replace(NETWORKS["two inputs"].encoder, used=np.arange(12))
)


def batched(model: onnx.ModelProto, samples: int) -> onnx.ModelProto:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = samples
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_executors_agree_with_numpy(name: str) -> None:
    import onnxruntime
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    network = NETWORKS[name]
    x = np.random.default_rng(5).normal(size=(SAMPLES, *network.shape)).astype(np.float32)
    x[0].flat = network.encoder.thresholds[:, 0]  # a sample on the cuts
    wanted = network.scores(x)
    assert len(np.unique(wanted)) > 3
    model = batched(to_onnx(network, "lookup"), SAMPLES)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], wanted)
    inlined = inline_local_functions(model)
    assert not inlined.functions and all(node.domain == "" for node in inlined.graph.node)
    wrapped = ModelWrapper(inlined).transform(InferShapes())
    np.testing.assert_array_equal(execute_onnx(wrapped, {"x": x})["y"], wanted)


def test_meaning_of_a_node() -> None:
    """The first input is the lowest bit of the address, and a value on a threshold is above it."""
    layer = LookupLayer(np.array([[2, 0]]), np.array([[0, 1, 0, 0]], np.uint8))
    network = LookupNetwork((3,), Encoder(np.zeros((3, 1), np.float32), np.arange(3)), (layer,), np.array([[1]]))
    x = np.array([[-1, -1, 0], [0, -1, -1], [0, 0, 0], [-1, 0, 1]], np.float32)
    assert network.scores(x)[:, 0].tolist() == [1, 0, 0, 1]


def test_files_are_written_as_one_function() -> None:
    model = to_onnx(NETWORKS["two layers"], "lookup")
    assert [node.op_type for node in model.graph.node if node.domain == DOMAIN] == ["LookupTables"] * 2
    assert len(model.functions) == 1
    ops = {node.op_type for node in to_onnx(NETWORKS["every bit"], "lookup").graph.node}
    assert "Gather" not in ops and "ReduceSum" in ops and "Reshape" in ops
    assert "MatMul" in {node.op_type for node in to_onnx(NETWORKS["weighted head"], "lookup").graph.node}
