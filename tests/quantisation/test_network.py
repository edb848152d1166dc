"""Float networks of all kinds: what is written maps, means what qonnx's executor says, and keeps what was quantised."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import bnnhw
from benchmarks.lenet import MODEL as LENET
from bnnhw import reference
from bnnhw.errors import InputError, ModelError
from bnnhw.frontend import load
from bnnhw.passes import to_integers
from tests.data import shared
from tests.onnx_models import Net, quantised_input
from tests.quantisation.float_files import FloatNet, random_float_file
from tests.random_files.executor import Executor

WEIGHTS = ("int8", "int4", "int2", "ternary", "binary")
ACTIVATIONS = ("uint4", "uint2", "int4", "uint8")
METHODS = ("mse", "minmax", "percentile")

FAMILIES = (
    "abcnet/abc_weights_merged",
    "binaryconnect/binaryconnect_float",
    "bnn/bnn_float_input",
    "few_multiplications/ternary_connect_float",
    "lbcnn/lbcnn_float",
    "lbcnn/lbcnn_float_maps_w8",
    "pb_llm/pbllm_merged_constant",
    "reactnet/birealnet_float_residual",
    "reactnet/reactnet_float_residual",
    "twn/twn_float_act",
    "weight_sharing/clustered_16_float_centroids",
    "xnornet/bwn_float_maps",
    "xnornet/xnor_float_first_last",
)


def quantised(path: Path, inputs: np.ndarray, **options: Any) -> tuple[Path, dict[str, Any]]:
    """The file that `bnnhw.quantize` makes of `path`, and what it tells."""
    labels = {"labels": options.pop("labels")} if "labels" in options else {}
    np.savez(path.parent / "x.npz", inputs=inputs, **labels)
    if "config" in options:
        (path.parent / "config.json").write_text(json.dumps(options["config"]))
        options["config"] = path.parent / "config.json"
    output = path.parent / "q.onnx"
    return output, bnnhw.quantize(path, calibrate=path.parent / "x.npz", output=output, **options)


def assert_means_what_the_executor_says(path: Path, inputs: np.ndarray) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model)
    element = model.graph.input[0].type.tensor_type.elem_type
    theirs = Executor(model).run(inputs.astype(onnx.helper.tensor_dtype_to_np_dtype(element)))
    expected = theirs[model.graph.output[0].name].reshape(len(inputs), -1)
    graph = to_integers(load(path))
    answer = reference.run(graph, inputs)["outputs"].reshape(len(inputs), -1)
    near = np.isclose(answer, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()).all(axis=1)
    # Where float32 may decide by its rounding it mostly does not.
    assert (near | reference.doubtful(graph, inputs)).all()
    assert near.mean() > 0.5


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(tmp_path: Path, seed: int) -> None:
    path, inputs = random_float_file(seed, tmp_path / "float.onnx")
    output, found = quantised(
        path,
        inputs,
        weights=WEIGHTS[seed % 5],
        activations=ACTIVATIONS[seed % 3],
        method=METHODS[seed % 3],
        config={"batch_norm": ("keep", "fold")[seed % 2]},
    )
    # A single weight for each output is on a grid already.
    assert {layer["weights"] for layer in found["layers"]} <= {WEIGHTS[seed % 5], "ternary", "kept"}
    assert_means_what_the_executor_says(output, inputs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_more_random_networks(tmp_path: Path, seed: int) -> None:
    path, inputs = random_float_file(seed, tmp_path / "float.onnx")
    output, _ = quantised(
        path, inputs, weights=WEIGHTS[seed % 5], activations=ACTIVATIONS[seed % 4], method=METHODS[seed % 3]
    )
    assert_means_what_the_executor_says(output, inputs)


@pytest.mark.parametrize("name", FAMILIES)
def test_families(tmp_path: Path, name: str) -> None:
    path = tmp_path / "family.onnx"
    path.write_bytes(shared(f"families/{name}.onnx").read_bytes())
    graph_input = onnx.load(path).graph.input[0].type.tensor_type
    shape = [dim.dim_value for dim in graph_input.shape.dim][1:]
    rng = np.random.default_rng(0)
    if graph_input.elem_type == onnx.TensorProto.FLOAT:
        inputs = rng.normal(0, 1, (4, *shape)).astype(np.float32)
    else:
        inputs = rng.integers(0, 256, (4, *shape)).astype(np.float32)
    if bnnhw.check(path)["maps"]:
        with pytest.raises(ModelError, match="quantised already"):
            quantised(path, inputs)
        return
    before = onnx.load(path)
    output, found = quantised(path, inputs, weights="int8", activations="uint4")
    after = onnx.load(output)
    kept = {node.name: node for node in after.graph.node}
    for node in before.graph.node:  # a quantiser of the file stays as it is
        if node.op_type in ("Quant", "BipolarQuant", "Sign"):
            assert kept[node.name].attribute == node.attribute
            assert list(kept[node.name].input)[1:] == list(node.input)[1:]
    for layer in found["layers"]:
        if layer["weights"] == "kept":
            original = next(node for node in before.graph.node if node.name == layer["layer"])
            assert kept[layer["layer"]].input[1] == original.input[1]
    assert_means_what_the_executor_says(output, inputs)


def lenet(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Two convolutions with batch normalisation and pools, two dense layers."""
    net = FloatNet(5, channels_last=False)
    net.batch, net.channels = 1, 1
    net.input = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 1, 8, 8))
    x = "x"
    for outputs in (4, 6):
        x = net.node("Conv", x, net.normal(outputs, net.channels, 3, 3), net.normal(outputs), pads=[1] * 4)
        net.channels = outputs
        x = net.node("MaxPool", net.node("Relu", net.norm(x)), kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("Gemm", net.node("Flatten", x), net.normal(8, 24, spread=0.2), net.normal(8), transB=1)
    x = net.node("Gemm", net.node("Relu", x), net.normal(3, 8, spread=0.3), net.normal(3), transB=1)
    onnx.save(net.model(x), tmp_path / "lenet.onnx")
    return tmp_path / "lenet.onnx", net.random.random((20, 1, 8, 8)).astype(np.float32)


def test_the_story_of_a_network(tmp_path: Path) -> None:
    path, inputs = lenet(tmp_path)
    labels = Executor(onnx.load(path)).run(inputs)[onnx.load(path).graph.output[0].name].argmax(axis=1)
    labels[0] = (labels[0] + 1) % 3
    output, found = quantised(path, inputs, weights="int4", activations="uint4", labels=labels)
    assert [layer["weights"] for layer in found["layers"]] == ["int4"] * 4
    assert [one["format"] for one in found["activations"]] == ["uint8", "uint4", "uint4", "uint4"]
    assert [one["users"] for one in found["activations"]] == [[layer["layer"]] for layer in found["layers"]]
    assert [layer["takes"] for layer in found["layers"]] == [one["tensor"] for one in found["activations"]]
    assert all(0 < layer["weight_error"] < 0.3 for layer in found["layers"])
    assert all(0 <= one["clipped"] < 0.1 and one["levels"] in (16, 256) for one in found["activations"])
    assert found["accuracy"]["before"] == pytest.approx(0.95)
    after = reference.run(to_integers(load(output)), inputs)["prediction"]
    assert found["accuracy"]["after"] == pytest.approx((after == labels).mean())
    assert bnnhw.check(output)["maps"]
    assert_means_what_the_executor_says(output, inputs)


def test_a_lenet_for_mnist(tmp_path: Path) -> None:
    """The network of docs/quantize.md, on some test images: its loss is small, and it fits a board."""
    with (
        gzip.open(shared("mnist/t10k-images-idx3-ubyte.gz")) as images,
        gzip.open(shared("mnist/t10k-labels-idx1-ubyte.gz")) as labels,
    ):
        pixels = np.frombuffer(images.read(16 + 100 * 784), np.uint8, offset=16).reshape(-1, 1, 28, 28)
        classes = np.frombuffer(labels.read(8 + 100), np.uint8, offset=8)
    path = tmp_path / "lenet.onnx"
    path.write_bytes(gzip.decompress(LENET.read_bytes()))
    inputs = (pixels / np.float32(255)).astype(np.float32)
    output, found = quantised(path, inputs, weights="int4", activations="uint4", labels=classes)
    assert found["accuracy"]["before"] >= 0.98
    assert found["accuracy"]["after"] >= 0.97
    estimate = bnnhw.compile(output, board="ulx3s-85f", fps=1000).estimate
    assert estimate["inferences_per_second"] >= 1000
    assert all(part["used"] <= part["available"] for part in estimate["utilization"].values())


def test_the_same_twice(tmp_path: Path) -> None:
    path, inputs = lenet(tmp_path)
    first = quantised(path, inputs)[0].read_bytes()
    assert quantised(path, inputs)[0].read_bytes() == first


def test_settings_of_single_layers(tmp_path: Path) -> None:
    path, inputs = lenet(tmp_path)
    names = [node.name for node in onnx.load(path).graph.node if node.op_type in ("Conv", "Gemm")]
    config = {
        "first": {"weights": "int8", "activations": "uint5"},
        "last": {"weights": "int6"},
        "layers": {names[1]: {"weights": "binary", "activations": "int3", "method": "minmax"}},
    }
    output, found = quantised(path, inputs, weights="ternary", activations="uint2", config=config)
    assert [layer["weights"] for layer in found["layers"]] == ["int8", "binary", "ternary", "int6"]
    assert [one["format"] for one in found["activations"]] == ["uint5", "int3", "uint2", "uint2"]
    formats = [layer["weight"] for layer in bnnhw.check(output)["layers"] if layer["weight"]]
    assert formats[1] == "bipolar"


def test_batch_normalisation_is_folded_where_asked(tmp_path: Path) -> None:
    path, inputs = lenet(tmp_path)
    kept, _ = quantised(path, inputs)
    assert [node.op_type for node in onnx.load(kept).graph.node].count("BatchNormalization") == 2
    float_answer = Executor(onnx.load(path)).run(inputs)
    folded, _ = quantised(path, inputs, config={"batch_norm": "fold"})
    model = onnx.load(folded)
    assert "BatchNormalization" not in [node.op_type for node in model.graph.node]
    name = model.graph.output[0].name
    answer = Executor(model).run(inputs)[name]
    assert np.abs(answer - float_answer[name]).max() < 0.05 * np.abs(float_answer[name]).max()


def test_branches_share_units_and_joined_maps_a_scale(tmp_path: Path) -> None:
    net = FloatNet(0, channels_last=False)
    net.batch, net.channels = 1, 3
    net.input = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 3, 8, 8))
    start = net.node("Relu", net.node("Conv", "x", net.normal(3, 3, 1, 1)))
    branch = net.node("Conv", start, net.normal(3, 3, 3, 3, spread=9), pads=[1] * 4)
    total = net.node("Relu", net.node("Add", branch, start))
    left = net.node("Relu", net.node("Conv", total, net.normal(2, 3, 1, 1)))
    right = net.node("Relu", net.node("Conv", total, net.normal(4, 3, 1, 1, spread=7)))
    joined = net.node("Concat", left, right, axis=1)
    net.channels, net.size = 6, 8
    path = tmp_path / "branches.onnx"
    onnx.save(net.model(net.dense(net.node("Flatten", net.node("GlobalAveragePool", joined)), 6, 3)), path)
    inputs = net.random.normal(0, 1, (6, 3, 8, 8)).astype(np.float32)
    output, found = quantised(path, inputs)
    scales = {one["tensor"]: one["scale"] for one in found["activations"]}
    assert np.log2(scales[branch] / scales[start]) % 1 == 0
    assert scales[branch] > scales[start]
    assert scales[left] == scales[right]
    assert_means_what_the_executor_says(output, inputs)


def test_layers_that_share_weights_share_them_afterwards(tmp_path: Path) -> None:
    net = FloatNet(0, channels_last=False)
    net.input = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 6))
    net.batch, shared_weights = 1, net.normal(6, 6)
    x = net.node("Relu", net.node("MatMul", "x", shared_weights))
    x = net.node("Relu", net.node("MatMul", x, shared_weights))
    path = tmp_path / "shared.onnx"
    onnx.save(net.model(net.dense(x, 6, 3)), path)
    output, _ = quantised(path, net.random.normal(0, 1, (6, 6)).astype(np.float32))
    graph = onnx.load(output).graph
    first, second = [node for node in graph.node if node.op_type == "MatMul"][:2]
    assert first.input[1] == second.input[1]
    assert shared_weights not in {tensor.name for tensor in graph.initializer}


def test_weights_of_the_file_are_those_of_the_grid(tmp_path: Path) -> None:
    path, inputs = lenet(tmp_path)
    output, _ = quantised(path, inputs, weights="int4")
    model = onnx.load(output)
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    quantisers = [node for node in model.graph.node if node.op_type == "Quant" and node.input[0] in tensors]
    assert len(quantisers) == 4
    values = Executor(model).run(inputs)
    for node in quantisers:  # the quantiser changes nothing: it says what they are
        np.testing.assert_array_equal(values[node.output[0]], tensors[node.input[0]])


def test_layers_that_take_one_tensor_in_two_formats(tmp_path: Path) -> None:
    net = FloatNet(0, channels_last=False)
    net.input = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 6))
    net.batch = 1
    x = net.node("Relu", net.node("MatMul", "x", net.normal(6, 6)))
    x = net.node("Concat", net.node("MatMul", x, net.normal(6, 2)), net.node("MatMul", x, net.normal(6, 1)), axis=1)
    path = tmp_path / "fork.onnx"
    onnx.save(net.model(x), path)
    names = [node.name for node in onnx.load(path).graph.node if node.op_type == "MatMul"]
    config = {"layers": {names[1]: {"activations": "uint4"}, names[2]: {"activations": "uint5"}}}
    with pytest.raises(InputError, match=f"{names[1]} and {names[2]} take the same tensor, as uint4 and as uint5"):
        quantised(path, np.zeros((2, 6), np.float32), config=config)


def test_what_maps_is_not_quantised_again(tmp_path: Path) -> None:
    net, x = quantised_input()
    path = net.save(tmp_path / "done.onnx", net.dense(x))
    with pytest.raises(ModelError, match="quantised already"):
        quantised(path, np.zeros((2, 12), np.float32))
    assert not (tmp_path / "q.onnx").exists()


@pytest.mark.parametrize(
    ("operator", "words"), [("LayerNormalization", "LayerNormalization"), ("Mul", "two"), ("LSTM", "LSTM")]
)
def test_what_does_not_map_is_refused_before_samples_run(tmp_path: Path, operator: str, words: str) -> None:
    net = FloatNet(0, channels_last=False)
    net.opset, net.batch = 17, 1
    net.input = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 6))
    x = net.node("Relu", net.node("MatMul", "x", net.normal(6, 6)))
    if operator == "LayerNormalization":
        x = net.node(operator, x, net.normal(6))
    elif operator == "Mul":
        x = net.node(operator, x, net.node("MatMul", x, net.normal(6, 6)))
    else:
        x = net.node(operator, x, net.normal(1, 24, 6), net.normal(1, 24, 6), hidden_size=6)
    path = tmp_path / "refused.onnx"
    onnx.save(net.model(net.dense(x, 6, 3)), path)
    with pytest.raises(ModelError) as caught:
        quantised(path, np.zeros((2, 6), np.float32))
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert not (tmp_path / "q.onnx").exists()


def test_a_file_without_layers(tmp_path: Path) -> None:
    net = Net((1, 4))
    path = net.save(tmp_path / "empty.onnx", net.node("Relu", "x"))
    with pytest.raises(ModelError, match="nothing to quantise"):
        quantised(path, np.zeros((2, 4), np.float32))


def test_shapes_are_no_data(tmp_path: Path) -> None:
    """Old exporters flatten with the shape of a tensor, which float weights before it hide from the importer."""
    net = FloatNet(0, channels_last=False)
    net.batch, net.channels, net.size = "N", 2, 4
    net.input = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ("N", 2, 4, 4))
    x = net.node("Relu", net.node("Conv", "x", net.normal(3, 2, 1, 1)))
    count = net.node("Gather", net.node("Shape", x), net.constant(np.array(0)), axis=0)
    sizes = [net.node("Unsqueeze", count, net.constant(np.array([0]))), net.constant(np.array([48]))]
    x = net.node("Reshape", x, net.node("Concat", *sizes, axis=0))
    path = tmp_path / "shape.onnx"
    onnx.save(net.model(net.dense(x, 48, 3)), path)
    inputs = net.random.normal(0, 1, (4, 2, 4, 4)).astype(np.float32)
    output, found = quantised(path, inputs)
    assert [len(one["users"]) for one in found["activations"]] == [1, 1]
    assert_means_what_the_executor_says(output, inputs)


def test_pixels_that_are_normalised_before_padding(tmp_path: Path) -> None:
    net = FloatNet(0, channels_last=False)
    net.batch, net.channels, net.size = 1, 2, 4
    net.input = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, (1, 2, 4, 4))
    x = net.node("Cast", "x", to=onnx.TensorProto.FLOAT)
    x = net.node("Sub", net.node("Div", x, net.constant(np.float32(255))), net.constant(np.float32(0.5)))
    x = net.node("Relu", net.node("Conv", x, net.normal(3, 2, 3, 3), pads=[1] * 4))
    path = tmp_path / "pixels.onnx"
    onnx.save(net.model(net.dense(net.node("Flatten", x), 48, 3)), path)
    inputs = net.random.integers(0, 256, (4, 2, 4, 4)).astype(np.float32)
    output, found = quantised(path, inputs)
    assert [one["format"] for one in found["activations"]] == ["int8", "uint8"]
    assert_means_what_the_executor_says(output, inputs)
