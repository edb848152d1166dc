"""Tables that bits look up: whatever operators say it, onnxruntime and the graph agree; what is wrong gets one error."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from bnnhw import reference
from bnnhw.errors import ModelError
from bnnhw.frontend import load
from bnnhw.ir.nodes import Lookup
from tests.lookup_networks import Layer, random_network, samples, written

pytestmark = pytest.mark.unit

RNG = np.random.default_rng(3)
WIRING = RNG.integers(0, 9, (6, 3))
WIRING[0, 0] = 8
TABLES = RNG.integers(0, 2, (6, 8)).astype(np.float32)
POWERS = np.array((1, 2, 4))
ROWS = np.arange(6) * 8


def onnxruntime_says(path, x):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"x": sample[None]})[0] for sample in x])


@pytest.mark.parametrize("inlined", [False, True], ids=["function", "inlined"])
@pytest.mark.parametrize("seed", range(4))
def test_networks(tmp_path, seed, inlined):
    network = random_network(seed, levels=seed + 1, layers=((20, 1 + seed), (12, 6)))
    path = written(tmp_path / "n.onnx", network)
    if inlined:
        onnx.save(onnx.inliner.inline_local_functions(onnx.load(path)), path)
    graph = load(path)
    assert [len(node.tables) for node in graph.nodes if isinstance(node, Lookup)] == [20, 12]
    x = samples(network, 40)
    found = reference.run(graph, x)["outputs"]
    np.testing.assert_array_equal(found, network.scores(x))
    np.testing.assert_array_equal(found, onnxruntime_says(path, x))


def floats(layer: Layer) -> str:
    chosen = layer.add("Gather", layer.last, WIRING, axis=1)
    total = layer.add("MatMul", chosen, POWERS.astype(np.float32))
    address = layer.add("Add", total, ROWS.astype(np.float32))
    return layer.add("Gather", TABLES.reshape(-1), layer.add("Cast", address, to=TensorProto.INT64))


def integers(layer: Layer) -> str:
    whole = layer.add("Cast", layer.last, to=TensorProto.INT64)
    chosen = layer.add("Gather", whole, WIRING, axis=1)
    weighed = layer.add("Mul", POWERS, chosen)
    total = layer.add("ReduceSum", weighed, np.array((-1,)), keepdims=1)
    address = layer.add("Add", ROWS, layer.add("Squeeze", total, np.array((2,))))
    return layer.add("Gather", TABLES.reshape(-1), layer.add("Identity", address))


def columns(layer: Layer) -> str:
    """Powers as a column, tables of integers, addresses that count from the end."""
    chosen = layer.add("Gather", layer.last, WIRING, axis=1)
    total = layer.add("MatMul", chosen, POWERS.astype(np.float32)[:, None])
    flat = layer.add("Reshape", total, np.array((0, -1)))
    address = layer.add("Sub", layer.add("Cast", flat, to=TensorProto.INT32), (48 - ROWS).astype(np.int32))
    found = layer.add("Gather", TABLES.reshape(-1).astype(np.int64), address)
    return layer.add("Cast", found, to=TensorProto.FLOAT)


def one_table(layer: Layer) -> str:
    """All nodes share a table, and the powers come before the choice of bits is complete."""
    chosen = layer.add("Gather", layer.last, WIRING, axis=1)
    weighed = layer.add("Mul", chosen, POWERS.astype(np.float32))
    total = layer.add("ReduceSum", weighed, np.array((2,)), keepdims=0)
    return layer.add("Gather", TABLES[0], layer.add("Cast", total, to=TensorProto.INT64))


@pytest.mark.parametrize("say", [floats, integers, columns, one_table])
def test_other_operators(tmp_path, say):
    layer = Layer(WIRING, TABLES)
    path = layer.save(tmp_path / "l.onnx", say(layer), 6)
    x = np.random.default_rng(1).random((60, layer.bits), np.float32)
    found = reference.run(load(path), x)["outputs"]
    tables = np.repeat(TABLES[:1], 6, axis=0) if say is one_table else TABLES
    words = ((x >= 0.5).astype(int)[:, WIRING] * POWERS).sum(axis=2)
    np.testing.assert_array_equal(found, tables[np.arange(6), words][:, :3])
    np.testing.assert_array_equal(found, onnxruntime_says(path, x))


def out_of_range(layer: Layer) -> str:
    chosen = layer.add("Gather", layer.last, WIRING, axis=1)
    address = layer.add("Add", layer.add("MatMul", chosen, POWERS.astype(np.float32)), ROWS.astype(np.float32) + 1)
    return layer.add("Gather", TABLES.reshape(-1), layer.add("Cast", address, to=TensorProto.INT64))


def of_wrong_size(layer: Layer) -> str:
    chosen = layer.add("Gather", layer.last, WIRING, axis=1)
    address = layer.add("Add", layer.add("MatMul", chosen, POWERS.astype(np.float32)), ROWS.astype(np.float32))
    tables = np.append(TABLES.reshape(-1), np.float32(1))
    return layer.add("Gather", tables, layer.add("Cast", address, to=TensorProto.INT64))


def of_numbers(layer: Layer) -> str:
    chosen = layer.add("Gather", layer.last, WIRING, axis=1)
    address = layer.add("Add", layer.add("MatMul", chosen, POWERS.astype(np.float32)), ROWS.astype(np.float32))
    return layer.add("Gather", TABLES.reshape(-1) * 3, layer.add("Cast", address, to=TensorProto.INT64))


def dangling(layer: Layer) -> str:
    chosen = layer.add("Gather", layer.last, WIRING + 9, axis=1)
    return layer.add("Gather", TABLES[0], layer.add("Cast", chosen, to=TensorProto.INT64))


def of_floats(layer: Layer) -> str:
    chosen = layer.add("Gather", "x", WIRING, axis=1)
    address = layer.add("Add", layer.add("MatMul", chosen, POWERS.astype(np.float32)), ROWS.astype(np.float32))
    return layer.add("Gather", TABLES.reshape(-1), layer.add("Cast", address, to=TensorProto.INT64))


def of_many_inputs(layer: Layer) -> str:
    wiring = np.repeat(WIRING, 3, axis=1)
    chosen = layer.add("Gather", layer.last, wiring, axis=1)
    address = layer.add("MatMul", chosen, (1 << np.arange(9)).astype(np.float32))
    return layer.add("Gather", np.ones(512, np.float32), layer.add("Cast", address, to=TensorProto.INT64))


def by_halves(layer: Layer) -> str:
    chosen = layer.add("Gather", layer.last, WIRING, axis=1)
    address = layer.add("MatMul", chosen, np.array((0.5, 1, 2), np.float32))
    return layer.add("Gather", TABLES[0], layer.add("Cast", address, to=TensorProto.INT64))


def left_alone(layer: Layer) -> str:
    chosen = layer.add("Gather", layer.last, WIRING, axis=1)
    return layer.add("Relu", layer.add("MatMul", chosen, POWERS.astype(np.float32)))


@pytest.mark.parametrize(
    ("say", "message"),
    [
        (
            out_of_range,
            "gather6 (Gather): addresses out of range: from 1 to 48 in tables of 48 entries together, where 6",
        ),
        (of_wrong_size, "gather6 (Gather): tables of 49 entries together, of which 6 nodes of 3 inputs read 48"),
        (of_numbers, "gather6 (Gather): tables with entries other than 0 and 1"),
        (dangling, "gather2 (Gather): places that an axis of 9 has not"),
        (of_floats, "gather2 (Gather): chooses inputs of tables that are not known to be 0 or 1"),
        (of_many_inputs, "gather2 (Gather): tables of 9 inputs"),
        (by_halves, "matmul3 (MatMul): a factor or an addend of addresses that is no whole number"),
        (left_alone, "relu4 (Relu): reads the bits that gather2 chose"),
    ],
)
def test_refusals(tmp_path, say, message):
    layer = Layer(WIRING, TABLES)
    path = layer.save(tmp_path / "l.onnx", say(layer), 6)
    with pytest.raises(ModelError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert problem.startswith(message)


def test_function_without_a_body(tmp_path):
    path = written(tmp_path / "n.onnx", random_network(1))
    model = onnx.load(path)
    model.functions[0].node.pop()
    onnx.save(model, path)
    with pytest.raises(ModelError, match="n.onnx: "):
        load(path)
