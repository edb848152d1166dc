"""Published models: what they become, and that it gives the golden answers."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY
from bnnhw.frontend import inspect
from bnnhw.ir.nodes import Conv, MatMul, MaxPool
from tests.data import CNV, DENSE_MODELS, golden, shared
from tests.frontend.compare import assert_same_content, imported

SHAPES = {
    "TFC": [(64, 784), (64, 64), (64, 64), (10, 64)],
    "LFC": [(1024, 784), (1024, 1024), (1024, 1024), (10, 1024)],
}


@pytest.mark.parametrize("name", DENSE_MODELS)
def test_layers(name: str) -> None:
    graph = imported(shared(DENSE_MODELS[name][0]))
    layers = [node for node in graph.nodes if isinstance(node, MatMul)]
    assert [node.weight.shape for node in layers] == SHAPES[name[:3]]
    assert {node.weight_dtype for node in layers} == {TERNARY if name.startswith("TFC_2W") else BIPOLAR}
    assert all((node.weight_scale == 1).all() for node in layers)
    assert graph.tensors[graph.input].shape == (1, 28, 28)
    assert graph.notes == ()


@pytest.mark.parametrize("name", DENSE_MODELS)
def test_outputs_are_golden(name: str) -> None:
    file, answers = DENSE_MODELS[name]
    expected = golden(answers)
    images = expected["images_u8"][:64]
    outputs = reference.run(imported(shared(file)), images.astype(np.float32) / np.float32(255))["outputs"]
    key = "margin" if name.startswith("LFC") else "logits"
    np.testing.assert_array_equal(outputs, expected[key][:64])


@pytest.mark.parametrize("name", ["TFC_1W1A", "TFC_2W2A"])
def test_raw_and_cleaned_files_hold_the_same(name: str) -> None:
    raw, cleaned = (imported(shared(DENSE_MODELS[file][0])) for file in (name, f"{name}_clean"))
    assert_same_content(raw, cleaned)


@pytest.mark.parametrize("name", DENSE_MODELS)
def test_every_node_maps(name: str) -> None:
    rows = inspect(shared(DENSE_MODELS[name][0]))
    assert all(row.ok for row in rows)
    layers = [row.becomes for row in rows if row.becomes.startswith("layer ")]
    kind = "ternary" if name.startswith("TFC_2W") else "bipolar"
    assert layers == [f"layer {k}: {mw} -> {mh}, {kind} weights" for k, (mh, mw) in enumerate(SHAPES[name[:3]])]


def test_convolutional_network_is_golden() -> None:
    path = shared(f"{CNV}/cnvW1A2_cifar10_qonnx.onnx.gz")
    expected = golden(f"{CNV}/golden_cnvW1A2_cifar10.npz")
    graph = imported(path)
    layers = [node.weight.shape for node in graph.nodes if isinstance(node, (Conv, MatMul))]
    assert layers == [
        *((64, 3, 3, 3), (64, 3, 3, 64), (128, 3, 3, 64), (128, 3, 3, 128), (256, 3, 3, 128), (256, 3, 3, 256)),
        *((512, 256), (512, 512), (10, 512)),
    ]
    assert [node.name for node in graph.nodes if isinstance(node, MaxPool)] == ["L1_p", "L3_p"]
    images = expected["images_u8_nhwc"][:8].transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(reference.run(graph, images)["outputs"], expected["logits"][:8])
    rows = inspect(path)
    assert all(row.ok for row in rows)
    assert rows[4].becomes == "layer 0: 3 -> 64, 3x3, bipolar weights"
