"""What real exports look like: every variant means the same here and in qonnx's executor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from bnnhw.ir.nodes import Arithmetic, Clip, MatMul, Quant
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed, assert_same_content, imported
from tests.onnx_models import Net, inputs_for, quantised_input, small_classifier

# ---- container ---------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", ["onnx.brevitas", "finn.custom_op.general", "", "some.tool"])
def test_domains(domain: str, tmp_path: Path) -> None:
    usual = small_classifier().save(tmp_path / "usual.onnx")
    other = small_classifier(domain=domain).save(tmp_path / "other.onnx")
    assert_same_content(imported(usual), imported(other))


@pytest.mark.parametrize("opset", [9, 10, 11, 12, 13, 14, 15, 16, 17, 20])
def test_opsets(opset: int, tmp_path: Path) -> None:
    """Operators whose attributes became inputs: Unsqueeze, Squeeze, Clip, Dropout."""
    net = Net((1, 3, 1, 4), opset=opset)
    new = opset >= 13
    axes = {} if new else {"axes": [2]}
    x = net.node("Squeeze", "x", *([net.constant(np.array([2]))] if new else []), **axes)
    x = net.node("Unsqueeze", x, *([net.constant(np.array([2]))] if new else []), **axes)
    x = net.node("Dropout", net.node("Flatten", x))
    if opset >= 11:
        x = net.node("Clip", x, net.constant(-1.0), net.constant(1.0))
    else:
        x = net.node("Clip", x, min=-1.0, max=1.0)
    x = net.node("Identity", net.node("Relu", net.batch_norm(net.dense(net.quant(x, scale=0.5)))))
    net.node("Cast", net.quant(x, bits=4, signed=0, narrow=0), to=TensorProto.FLOAT)
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    to_integers(graph)


def test_initialisers_among_the_inputs(tmp_path: Path) -> None:
    net = small_classifier()
    model = net.model(net.nodes[-1].output[0])
    for tensor in reversed(model.graph.initializer):
        model.graph.input.insert(0, helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    path = tmp_path / "old.onnx"
    path.write_bytes(model.SerializeToString())
    assert_same_content(imported(path), imported(net.save(tmp_path)))


@pytest.mark.parametrize("seed", range(5))
def test_node_order_is_that_of_the_edges(seed: int, tmp_path: Path) -> None:
    net = small_classifier()
    output = net.nodes[-1].output[0]
    usual = imported(net.save(tmp_path, output))
    net.random = np.random.default_rng(seed)
    net.nodes = [net.nodes[k] for k in net.random.permutation(len(net.nodes))]
    assert_same_content(imported(net.save(tmp_path, output)), usual)


def test_parameters_of_any_shape(tmp_path: Path) -> None:
    usual = imported(small_classifier().save(tmp_path))
    for shape in ((1,), (1, 1)):
        net = small_classifier()
        for tensor in net.constants:
            if not tensor.dims:
                tensor.dims.extend(shape)
        graph = imported(net.save(tmp_path))
        inputs = inputs_for(net)
        np.testing.assert_array_equal(reference.run(graph, inputs)["outputs"], reference.run(usual, inputs)["outputs"])
        to_integers(graph)


def test_parameters_from_constant_nodes(tmp_path: Path) -> None:
    net = Net()
    parameters = [net.node("Constant", value=helper.make_tensor("", TensorProto.FLOAT, (), [v])) for v in (0.5, 0, 2)]
    root = net.node("Sqrt", net.node("Pow", parameters[0], net.constant(2.0)))
    net.node("Quant", "x", root, *parameters[1:], signed=1, narrow=1)
    net.dense(net.nodes[-1].output[0])
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_weights_by_expressions(tmp_path: Path) -> None:
    """Comparisons, a product of matrices and a sum of sizes, all of constants."""
    net, x = quantised_input()
    low_rank = net.node("MatMul", net.weights(12, 3), net.weights(3, 8))
    signs = net.node("Where", net.node("GreaterOrEqual", low_rank, net.constant(0.0)), *map(net.constant, (1.0, -1.0)))
    alpha = net.node("Div", net.node("ReduceL1", low_rank, keepdims=1, axes=[0]), net.constant(12.0))
    x = net.bipolar(net.node("MatMul", x, net.node("Mul", signs, alpha)))
    net.dense(x, inputs=8)
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert next(node for node in graph.nodes if isinstance(node, MatMul)).weight_dtype == BIPOLAR


@pytest.mark.parametrize("equation", ["bi,io->bo", "ab, cb -> ac", "io,bi->bo"])
def test_products_in_letters(equation: str, tmp_path: Path) -> None:
    """Einsum of data and a matrix, on either side and either way."""
    net, x = quantised_input()
    matrix = net.quant(net.weights(*((8, 12) if "cb" in equation else (12, 8))))
    inputs = (matrix, x) if equation.startswith("io") else (x, matrix)
    net.dense(net.bipolar(net.node("Einsum", *inputs, equation=equation)), inputs=8)
    assert_as_executed(net.save(tmp_path), inputs_for(net))


@pytest.mark.parametrize("equation", ["bi,io->ob", "bi,bi->b", "bi,ij->b"])
def test_other_products_in_letters(equation: str, tmp_path: Path) -> None:
    net, x = quantised_input()
    net.node("Einsum", x, net.quant(net.weights(12, 12)), equation=equation)
    with pytest.raises(ModelError, match="multiplies the last axis of data by a matrix"):
        imported(net.save(tmp_path))


def test_nodes_without_names(tmp_path: Path) -> None:
    net = small_classifier()
    for node in net.nodes:
        node.name = ""
    graph = imported(net.save(tmp_path))
    assert graph.nodes[-1].name == net.nodes[-1].output[0]
    to_integers(graph)


def test_nodes_of_one_name(tmp_path: Path) -> None:
    net = small_classifier()
    for node in net.nodes:
        node.name = "node"
    graph = imported(net.save(tmp_path))
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)


def test_names_of_parts_are_free(tmp_path: Path) -> None:
    """A batch normalisation becomes two nodes, the first of which needs a name that the file does not have."""
    net, x = quantised_input()
    x = net.node("Identity", net.batch_norm(net.dense(x)), name="last")
    norm, last = net.nodes[-2:]
    last.output[0] = f"{norm.output[0]}.0"
    net.bipolar(last.output[0])
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_unused_nodes_are_left_out(tmp_path: Path) -> None:
    net = small_classifier()
    output = net.nodes[-1].output[0]
    net.node("Conv", "x", net.weights(1, 1, 3, 3))
    assert len(imported(net.save(tmp_path, output)).nodes) == 6


# ---- input -------------------------------------------------------------------------------------


def test_reshape_with_the_batch_baked_in(tmp_path: Path) -> None:
    """The first size is that of the input's batch axis."""
    graphs = []
    for batch, first in [("N", 0), (4, 4), (4, -1), (4, 1), (1, 1)]:
        net = Net((batch, 3, 4))
        x = net.node("Reshape", net.quant("x", scale=0.5), net.constant(np.array([first, 12])))
        net.dense(x)
        graphs.append(imported(net.save(tmp_path)))
    for graph in graphs[1:]:
        assert_same_content(graph, graphs[0])


@pytest.mark.parametrize("sizes", [[8, 6], [2, 24], [2, 12], [-1, 6]])
def test_reshape_that_mixes_samples(sizes: list[int], tmp_path: Path) -> None:
    net = Net((4, 3, 4))
    net.dense(net.node("Reshape", net.quant("x"), net.constant(np.array(sizes))), sizes[1])
    with pytest.raises(ModelError, match="mixes samples|cannot reshape"):
        load_qonnx(net.save(tmp_path))


@pytest.mark.parametrize("batch", [1, "N", None, 0, -1])
def test_flatten_by_shape_arithmetic(batch: int | str | None, tmp_path: Path) -> None:
    net = Net((batch, 1, 3, 4), opset=11)
    first = net.node("Gather", net.node("Shape", "x"), net.constant(np.array(0)), axis=0)
    target = net.node(
        "Concat", net.node("Unsqueeze", first, axes=[0]), net.constant(np.array([-1])), axis=0
    )  # fmt: skip
    net.dense(net.quant(net.node("Reshape", "x", target), scale=0.5))
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    assert graph.tensors["x"].shape == (1, 3, 4)


@pytest.mark.parametrize("target", [(1, -1), (-1, 12), (0, -1), (1, 12)])
def test_fixed_reshape(target: tuple[int, ...], tmp_path: Path) -> None:
    net = Net((1, 1, 3, 4))
    x = net.node("Reshape", "x", net.constant(np.array(target)))
    net.dense(net.quant(x, scale=0.5))
    assert_as_executed(net.save(tmp_path), inputs_for(net))


@pytest.mark.parametrize("axis", [1, -3, 0])
def test_flatten(axis: int, tmp_path: Path) -> None:
    net = Net((1, 1, 3, 4))
    net.dense(net.quant(net.node("Flatten", "x", axis=axis), scale=0.5))
    assert_as_executed(net.save(tmp_path), inputs_for(net))


def test_channels_last_images(tmp_path: Path) -> None:
    net = Net((1, 2, 3, 2))
    x = net.node("Flatten", net.node("Transpose", "x", perm=[0, 2, 3, 1]))
    net.dense(net.quant(x, scale=0.5))
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    to_integers(graph)


def test_pixels_divided_inside(tmp_path: Path) -> None:
    net = Net(element=TensorProto.UINT8)
    x = net.node("Div", net.node("Cast", "x", to=TensorProto.FLOAT), net.constant(255.0))
    x = net.node("Sub", net.node("Mul", net.constant(2.0), x), net.constant(1.0))
    net.dense(net.bipolar(x))
    pixels = np.random.default_rng(3).integers(0, 256, (8, 12)).astype(np.uint8)
    graph = assert_as_executed(net.save(tmp_path), pixels)
    assert graph.input_format == DataType("uint", 8)
    to_integers(graph)


def test_signs_mapped_to_bits(tmp_path: Path) -> None:
    """Inputs of -1 and +1 that the graph maps to 0 and 1: the first layer is unipolar."""
    net = Net()
    x = net.node("Mul", net.node("Add", net.bipolar("x"), net.constant(1.0)), net.constant(0.5))
    net.dense(x)
    graph = assert_as_executed(net.save(tmp_path), inputs_for(net))
    integers = to_integers(graph)
    assert DataType("uint", 1) in {tensor.format for tensor in integers.tensors.values()}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("BIPOLAR", BIPOLAR),
        ("TERNARY", TERNARY),
        ("BINARY", DataType("uint", 1)),
        ("UINT8", DataType("uint", 8)),
        ("INT8", DataType("int", 8)),
        ("FLOAT32", None),
        ("INT32", None),
        ("FIXED<16,8>", None),
    ],
)
def test_annotated_input(annotation: str, expected: DataType | None, tmp_path: Path) -> None:
    net = Net()
    net.dense("x")
    model = net.model(net.nodes[-1].output[0])
    entry = model.graph.quantization_annotation.add()
    entry.tensor_name = "x"
    pair = entry.quant_parameter_tensor_names.add()
    pair.key, pair.value = "finn_datatype", annotation
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    assert imported(path).input_format == expected


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (TensorProto.UINT8, DataType("uint", 8)),
        (TensorProto.INT8, DataType("int", 8)),
        (TensorProto.INT16, DataType("int", 16)),
        (TensorProto.UINT16, DataType("uint", 16)),
        (TensorProto.BOOL, DataType("uint", 1)),
        (TensorProto.INT64, None),
        (TensorProto.FLOAT, None),
    ],
)
def test_element_type_of_the_input(element: int, expected: DataType | None, tmp_path: Path) -> None:
    net = Net(element=element)
    net.dense(net.node("Cast", "x", to=TensorProto.FLOAT))
    assert imported(net.save(tmp_path)).input_format == expected


# ---- between the layers ------------------------------------------------------------------------


def activations(net: Net, x: str) -> dict[str, Callable[[], str]]:
    return {
        "bipolar": lambda: net.bipolar(x, 0.5),
        "one signed bit": lambda: net.quant(x, bits=1, narrow=0, scale=0.5),
        "ternary": lambda: net.quant(x),
        "not narrow": lambda: net.quant(x, narrow=0),
        "unsigned": lambda: net.quant(net.node("Relu", x), bits=3, scale=0.5, signed=0, narrow=0),
        "narrow unsigned": lambda: net.quant(x, bits=3, scale=0.5, signed=0, narrow=1),
        "one unsigned bit": lambda: net.quant(x, bits=1, signed=0, narrow=0),
        "zero point": lambda: net.quant(x, bits=4, scale=0.5, zero=3, narrow=0),
        "two in a row": lambda: net.quant(net.quant(x, bits=8, scale=0.125), bits=4, scale=0.5),
        "sign": lambda: net.node("Sign", x),
        "hard tanh": lambda: net.bipolar(net.node("Clip", x, net.constant(-1.0), net.constant(1.0))),
        "clip without a floor": lambda: net.quant(net.node("Clip", x, "", net.constant(0.5))),
        "thresholds": lambda: net.thresholds(x, [[-1, 0, 2.5]]),
        "bipolar threshold": lambda: net.thresholds(x, np.arange(8)[:, None] - 4, out_scale=2.0, out_bias=-1.0),
        "thresholds NC": lambda: net.thresholds(x, np.arange(16).reshape(8, 2) - 8, data_layout="NC"),
        "constant left of sub": lambda: net.bipolar(net.node("Sub", net.constant(0.5), x)),
        "constant right of sub": lambda: net.bipolar(net.node("Sub", x, net.constant([0.5] * 8))),
        "clip at 0 by Max": lambda: net.quant(net.node("Max", net.constant(0.0), x), bits=3, scale=0.5, narrow=0),
        "clip by Min": lambda: net.quant(net.node("Min", x, net.constant([0.5] * 8)), bits=3, scale=0.5),
        "negated": lambda: net.bipolar(net.node("Neg", x)),
        "constant left of add": lambda: net.quant(net.node("Add", net.constant([[0.25] * 8]), x)),
        "divided": lambda: net.quant(net.node("Div", x, net.constant(-3.0))),
        "scalar batch norm": lambda: net.bipolar(net.batch_norm(x, epsilon=1e-3)),
        "rounding FLOOR": lambda: net.quant(x, bits=4, scale=0.75, rounding="FLOOR"),
        "rounding CEIL": lambda: net.quant(x, bits=4, scale=0.75, rounding="CEIL"),
        "rounding HALF_UP": lambda: net.quant(x, bits=4, scale=2, rounding="HALF_UP"),
        "rounding HALF_DOWN": lambda: net.quant(x, bits=4, scale=2, rounding="HALF_DOWN"),
        "rounding UP": lambda: net.quant(x, bits=4, scale=2, rounding="UP"),
        "rounding DOWN": lambda: net.quant(x, bits=4, scale=2, rounding="DOWN"),
    }


@pytest.mark.parametrize("name", activations(Net(), "x"))
def test_activations(name: str, tmp_path: Path) -> None:
    net, x = quantised_input()
    x = activations(net, net.dense(x))[name]()
    net.dense(x, inputs=8, outputs=4)
    inputs = inputs_for(net, 16)
    graph = assert_as_executed(net.save(tmp_path), inputs)
    np.testing.assert_array_equal(
        reference.run(to_integers(graph), inputs)["outputs"], reference.run(graph, inputs)["outputs"]
    )


def test_thresholds_of_images_and_sequences(tmp_path: Path) -> None:
    """Without a layout, the channel is the second of 4 axes but the last of 3 (as in qonnx)."""
    for shape, channels in (((1, 2, 3, 2), 2), ((1, 2, 6), 6)):
        net = Net(shape)
        x = net.thresholds("x", np.random.default_rng(1).uniform(-2, 2, (channels, 2)), out_bias=-1.0)
        net.dense(net.node("Flatten", x))
        assert_as_executed(net.save(tmp_path), inputs_for(net, 16))


def test_thresholds_channels_last(tmp_path: Path) -> None:
    net = Net((1, 3, 2, 2))
    x = net.thresholds("x", [[-1, 0], [0.5, 1]], out_bias=-1.0, data_layout="NHWC")
    net.dense(net.node("Flatten", x))
    assert_as_executed(net.save(tmp_path), inputs_for(net, 16))


def test_batch_norm_is_two_float32_operations(tmp_path: Path) -> None:
    net, x = quantised_input()
    net.batch_norm(net.dense(x))
    graph = imported(net.save(tmp_path))
    factor, addend = graph.nodes[-2:]
    assert isinstance(factor, Arithmetic) and factor.operation == "mul" and factor.operand.dtype == np.float32
    assert isinstance(addend, Arithmetic) and addend.operation == "add" and addend.operand.shape == (8,)
    assert factor.source == addend.source == (net.nodes[-1].name,)
    assert_as_executed(net.save(tmp_path), inputs_for(net, 16))


def test_small_variance(tmp_path: Path) -> None:
    net, x = quantised_input()
    x = net.batch_norm(net.dense(x), epsilon=1e-3)
    net.constants[-1].raw_data = np.float32([1e-30] * 8).tobytes()
    net.bipolar(x)
    assert_as_executed(net.save(tmp_path), inputs_for(net, 16))


def test_relu_and_quantisers_keep_their_parameters(tmp_path: Path) -> None:
    net, x = quantised_input()
    x = net.quant(net.node("Relu", net.dense(x)), bits=8, scale=0.5, signed=0, narrow=0)
    nodes = imported(net.save(tmp_path)).nodes
    assert isinstance(nodes[-2], Clip) and (nodes[-2].low, nodes[-2].high) == (0, np.inf)
    assert isinstance(nodes[-1], Quant) and (nodes[-1].bits, nodes[-1].signed, nodes[-1].narrow) == (8, False, False)
