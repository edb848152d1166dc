"""Files that are damaged, foreign or hostile: one ModelError that names the file, and nothing else."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bnnhw.errors import ModelError
from bnnhw.frontend import inspect, load_qonnx
from tests.data import DENSE_MODELS, shared
from tests.onnx_models import Net, save, small_classifier


def refuse(path: Path) -> ModelError:
    """The error of a file that does not map."""
    with pytest.raises(ModelError) as caught:
        load_qonnx(path)
    assert str(path) in caught.value.summary
    assert "\n" not in caught.value.summary
    return caught.value


def classifier() -> onnx.ModelProto:
    net = small_classifier()
    return net.model(net.nodes[-1].output[0])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no ONNX graph"),
        (b"hello, this is no model", "no ONNX file"),
        (b"\x1f\x8b", "cannot be read"),
        (b"\x1f\x8b not really gzip", "cannot be read"),
        (gzip.compress(b"still no model", mtime=0), "no ONNX file"),
        (gzip.compress(bytes(1000), mtime=0)[:-9], "cannot be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "no ONNX file"),
    ],
)
def test_foreign_files(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert reason in refuse(path).summary


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "No such file" in refuse(tmp_path / "none.onnx").summary
    assert "not a file" in refuse(tmp_path).summary


def test_device_is_not_read() -> None:
    assert "not a file" in refuse(Path("/dev/zero")).summary


def test_compressed_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(gzip.compress(classifier().SerializeToString()))
    assert load_qonnx(path).name == "model"
    assert load_qonnx(path.rename(tmp_path / "other.onnx.gz")).name == "other"


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = classifier().SerializeToString()
    monkeypatch.setattr("bnnhw.frontend.container.MAX_BYTES", len(content) - 1)
    plain, packed = tmp_path / "plain.onnx", tmp_path / "packed.onnx"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content, mtime=0))
    assert "larger than" in refuse(plain).summary
    assert "unpacks to more than" in refuse(packed).summary


# ---- structure ---------------------------------------------------------------------------------


def external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")


def external_in_constant(model: onnx.ModelProto) -> None:
    value = helper.make_tensor("v", TensorProto.FLOAT, (1,), [1.0])
    value.ClearField("float_data")
    value.data_location = TensorProto.EXTERNAL
    value.external_data.add(key="location", value="/etc/hostname")
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=value))


def sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().values.name = "s"


def sparse_in_constant(model: onnx.ModelProto) -> None:
    node = model.graph.node.add(op_type="Constant", output=["unused"])
    node.attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR).sparse_tensor.dims.append(1)


def huge_initialiser(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]


def negative_initialiser(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [-1]


def shortened_initialiser(model: onnx.ModelProto) -> None:
    model.graph.initializer[-1].raw_data = model.graph.initializer[-1].raw_data[:3]


def unknown_element(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = 99


def two_inputs(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 2)))


def no_input(model: onnx.ModelProto) -> None:
    model.graph.input.pop()


def no_output(model: onnx.ModelProto) -> None:
    model.graph.output.pop()


def circle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.output[0].name


def missing_tensor(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "nowhere"


def twice(model: onnx.ModelProto) -> None:
    model.graph.node[1].output[0] = model.graph.node[0].output[0]


def no_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, (12,)))


def no_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.ClearField("shape")


def open_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, "n")))


def huge_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1 << 30, 1 << 30)))


def double_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def text_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING


def no_such_element(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 77


def old_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 6


DAMAGES: dict[Callable[[onnx.ModelProto], None], str] = {
    external: "is stored in another file",
    external_in_constant: "is stored in another file",
    sparse: "sparse",
    sparse_in_constant: "sparse",
    huge_initialiser: "impossible shape",
    negative_initialiser: "impossible shape",
    shortened_initialiser: "is damaged",
    unknown_element: "is damaged",
    two_inputs: "2 inputs",
    no_input: "0 inputs",
    no_output: "no ONNX graph",
    circle: "form a cycle",
    missing_tensor: "no node computes tensor 'nowhere'",
    twice: "is computed by two nodes",
    no_batch: "batch axis",
    no_shape: "batch axis",
    open_shape: r"shape \[1, 'n'\]",
    huge_shape: "impossible shape",
    double_input: "element type DOUBLE",
    text_input: "element type STRING",
    no_such_element: "element type 77",
    old_opset: "operator set 6",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damaged_models(damage: Callable[[onnx.ModelProto], None], tmp_path: Path) -> None:
    model = classifier()
    damage(model)
    path = save(model, tmp_path)
    assert refuse(path).problems == ()
    with pytest.raises(ModelError, match=DAMAGES[damage]):
        inspect(path)


def test_no_opset_is_fine(tmp_path: Path) -> None:
    model = classifier()
    del model.opset_import[:]
    assert len(load_qonnx(save(model, tmp_path)).nodes) == 6


# ---- constants that would fill the memory ------------------------------------------------------

LONG = np.array([1 << 20, 1 << 20])


def expand(net: Net) -> str:
    return net.node("Expand", net.constant(1.0), net.constant(LONG))


def constant_of_shape(net: Net) -> str:
    return net.node("ConstantOfShape", net.constant(LONG))


def tile(net: Net) -> str:
    return net.node("Tile", net.constant(np.ones((1, 1), np.float32)), net.constant(LONG))


def product(net: Net) -> str:
    long = net.constant(np.ones(1 << 20, np.float32))
    return net.node("Mul", long, net.node("Unsqueeze", long, net.constant(np.array([1]))))


def gather(net: Net) -> str:
    rows = net.constant(np.zeros(1 << 16, np.int64))
    return net.node("Gather", net.constant(np.ones((1, 1 << 16), np.float32)), rows)


def count_up(net: Net) -> str:
    return net.node("Range", net.constant(0.0), net.constant(1e12), net.constant(1.0))


def quantiser(net: Net) -> str:
    long = np.ones(1 << 20, np.float32)
    return net.quant(net.constant(long), scale=long[:, None])


@pytest.mark.parametrize("body", [expand, constant_of_shape, tile, product, gather, count_up, quantiser])
def test_constants_of_absurd_size(body: Callable[[Net], str], tmp_path: Path) -> None:
    net = Net()
    net.node("Add", "x", body(net))
    path = net.save(tmp_path)
    tracemalloc.start()
    error = refuse(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 << 20
    assert len(error.problems) == 1


def test_constants_of_absurd_size_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnnhw.frontend.context.MAX_FOLDED", 1 << 10)
    net = Net()
    x = net.constant(np.ones(100, np.float32))
    for _ in range(20):
        x = net.node("Identity", x)
    net.node("Add", "x", x)
    assert "together" in refuse(net.save(tmp_path)).problems[0]


# ---- fuzzing -----------------------------------------------------------------------------------


def importable(content: bytes, path: Path) -> bool:
    """Whether the content is imported; any error but a ModelError fails the test."""
    path.write_bytes(content)
    try:
        load_qonnx(path)
    except ModelError as error:
        assert str(path) in error.summary
        return False
    return True


def mangled(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    kind = chance.randrange(4)
    if kind == 0:
        return bytes(data[: chance.randrange(len(data))])
    if kind == 1:
        for _ in range(chance.randrange(1, 30)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif kind == 2:
        start = chance.randrange(len(data))
        del data[start : start + chance.randrange(1, 200)]
    else:
        start = chance.randrange(len(data))
        data[start:start] = chance.randbytes(chance.randrange(1, 50))
    return bytes(data)


def test_mangled_real_file(tmp_path: Path) -> None:
    """A TFC, whose weights are most of it: the rest is damaged on purpose."""
    content = shared(DENSE_MODELS["TFC_2W2A_clean"][0]).read_bytes()
    model = onnx.ModelProto.FromString(content)
    for tensor in model.graph.initializer:  # so that the structure, not the weights, is hit
        if np.prod(tensor.dims) > 1000:
            tensor.raw_data = b"\0" * len(tensor.raw_data)
    chance = random.Random(1)
    for _ in range(60):
        importable(mangled(content, chance), tmp_path / "fuzz.onnx")


def test_mangled_small_files(tmp_path: Path) -> None:
    content = classifier().SerializeToString()
    chance = random.Random(2)
    good = sum(importable(mangled(content, chance), tmp_path / "fuzz.onnx") for _ in range(400))
    assert good < 300


def test_mangled_fields(tmp_path: Path) -> None:
    """Valid protobuf, senseless content: one field of the model changed at a time."""
    chance = random.Random(3)
    original = classifier().SerializeToString()
    for _ in range(400):
        model = onnx.ModelProto.FromString(original)
        node = chance.choice(model.graph.node)
        tensor = chance.choice(model.graph.initializer)
        match chance.randrange(8):
            case 0:
                node.op_type = chance.choice(
                    ["Reshape", "MatMul", "Quant", "Gemm", "TopK", "Clip", "Shape", "Slice", "", "If"]
                )
            case 1:
                node.input[chance.randrange(len(node.input))] = chance.choice([*model.graph.node[0].input, "x", ""])
            case 2:
                del node.input[chance.randrange(len(node.input)) :]
            case 3 if node.attribute:
                attribute = chance.choice(node.attribute)
                attribute.type = chance.randrange(1, 9)
            case 4 if node.attribute:
                node.attribute.pop()
            case 5:
                tensor.dims[:] = [chance.randrange(-1, 13) for _ in range(chance.randrange(4))]
            case 6:
                tensor.data_type = chance.randrange(25)
            case 7:
                values = np.frombuffer(tensor.raw_data, np.uint8).copy()
                values[:] = chance.choice([0, 255, 127, 128])
                tensor.raw_data = values.tobytes()
        importable(model.SerializeToString(), tmp_path / "fuzz.onnx")
