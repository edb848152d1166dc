"""Writes a lookup-table network as ONNX: standard operators only, each layer a call of one model-local function.

onnxruntime runs the file as it is; qonnx's executor, which runs node by node, runs it after
``onnx.inliner.inline_local_functions``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.lookup.network import LookupNetwork, groups

OPSET = 17
IR_VERSION = 8
DOMAIN = "bnnhw.lookup"
FUNCTION = "LookupTables"


def to_onnx(network: LookupNetwork, name: str) -> onnx.ModelProto:
    """The file, input ``x`` (1, *shape) float32 and output ``y`` (1, classes) float32."""
    graph = _Graph()
    bits = _encode(graph, network)
    for layer in network.layers:
        nodes, k = layer.wiring.shape
        inputs = (
            graph.constant("wiring", layer.wiring.astype(np.int64)),
            graph.constant("tables", layer.tables.astype(np.float32)),
            graph.constant("powers", (2 ** np.arange(k)).astype(np.float32)),
            graph.constant("rows", np.arange(nodes, dtype=np.int64) << k),
        )
        bits = graph.node(FUNCTION, bits, *inputs, domain=DOMAIN)
    _score(graph, network, bits)
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, *network.shape))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, network.head.shape[1]))],
            graph.constants,
        ),
        functions=[lookup_tables()],
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        ir_version=IR_VERSION,
        producer_name="bnnhw",
    )


def lookup_tables() -> onnx.FunctionProto:
    """The function: bits (N, B) -> bits (N, M), float32 of 0 and 1.

    Its other inputs are constants: wiring (M, k) int64, tables (M, 2**k) float32, the powers of two (k,) float32 that
    make an address of k bits, and where each node's row begins in the tables laid end to end, (M,) int64.
    """
    whole = helper.make_tensor("flat", TensorProto.INT64, (1,), (-1,))
    nodes = [
        helper.make_node("Gather", ["bits", "wiring"], ["chosen"], axis=1),  # (N, M, k)
        helper.make_node("MatMul", ["chosen", "powers"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["address"], to=TensorProto.INT64),
        helper.make_node("Add", ["address", "rows"], ["place"]),
        helper.make_node("Constant", [], ["flat"], value=whole),
        helper.make_node("Reshape", ["tables", "flat"], ["all"]),
        helper.make_node("Gather", ["all", "place"], ["found"], axis=0),
    ]
    inputs = ["bits", "wiring", "tables", "powers", "rows"]
    return helper.make_function(DOMAIN, FUNCTION, inputs, ["found"], nodes, [helper.make_opsetid("", OPSET)])


def _encode(graph: _Graph, network: LookupNetwork) -> str:
    thresholds = network.encoder.thresholds.astype(np.float32)
    features, levels = thresholds.shape
    x = "x"
    if len(network.shape) > 1:
        x = graph.node("Reshape", x, graph.constant("vector", np.array((0, features))))
    wide = graph.node("Unsqueeze", x, graph.constant("last", np.array((-1,))))
    compared = graph.node("GreaterOrEqual", wide, graph.constant("thresholds", thresholds))
    bits = graph.node("Cast", compared, to=TensorProto.FLOAT)
    bits = graph.node("Reshape", bits, graph.constant("codes", np.array((0, features * levels))))
    used = network.encoder.used
    if np.array_equal(used, np.arange(features * levels)):
        return bits
    return graph.node("Gather", bits, graph.constant("used", used), axis=1)


def _score(graph: _Graph, network: LookupNetwork, bits: str) -> None:
    """A sum of groups where the head is one, else a product with its matrix."""
    nodes, classes = network.head.shape
    if nodes % classes == 0 and np.array_equal(network.head, groups(nodes, classes)):
        shape = graph.constant("groups", np.array((0, classes, nodes // classes)))
        bits = graph.node("Reshape", bits, shape)
        graph.node("ReduceSum", bits, graph.constant("members", np.array((-1,))), output="y", keepdims=0)
    else:
        graph.node("MatMul", bits, graph.constant("head", network.head.astype(np.float32)), output="y")


class _Graph:
    """Nodes in order, and the constants that they read."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: NDArray[np.float32] | NDArray[np.int64] | NDArray[np.intp]) -> str:
        """A new initialiser, named after `name`; its name."""
        unique = f"{name}{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, unique))
        return unique

    def node(self, op: str, *inputs: str, output: str = "", domain: str = "", **attributes: int | Sequence[int]) -> str:
        """A new node with one output; the output's name."""
        name = output or f"{op.lower()}{len(self.nodes)}"
        node = helper.make_node(op, inputs, [name], name=f"{name}_node", domain=domain, **attributes)
        self.nodes.append(node)
        return name
