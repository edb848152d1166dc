"""Random lookup-table networks, and files that say the same in other operators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.lookup.network import Encoder, LookupLayer, LookupNetwork, groups
from models.lookup.writer import to_onnx


def random_network(
    seed: int,
    features: int = 6,
    levels: int = 3,
    layers: tuple[tuple[int, int], ...] = ((20, 4), (12, 3)),
    classes: int = 3,
) -> LookupNetwork:
    """`layers` are (nodes, inputs of a node)."""
    rng = np.random.default_rng(seed)
    thresholds = np.sort(rng.normal(size=(features, levels)), axis=1).astype(np.float32)
    bits = features * levels
    used = np.sort(rng.choice(bits, max(1, bits * 9 // 10), replace=False)).astype(np.int64)
    made, before = [], len(used)
    for nodes, k in layers:
        wiring = rng.integers(0, before, (nodes, k)).astype(np.int64)
        made.append(LookupLayer(wiring, rng.integers(0, 2, (nodes, 1 << k)).astype(np.uint8)))
        before = nodes
    return LookupNetwork((features,), Encoder(thresholds, used), tuple(made), groups(before, classes))


def samples(network: LookupNetwork, count: int, seed: int = 0) -> NDArray[np.float32]:
    """Some of them on the cuts."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, *network.shape)).astype(np.float32)
    cuts = network.encoder.thresholds
    flat = x.reshape(count, -1)
    flat[::3] = cuts[np.arange(len(cuts)), rng.integers(0, cuts.shape[1], flat[::3].shape)]
    return x


def written(path: Path, network: LookupNetwork) -> Path:
    onnx.save(to_onnx(network, path.stem), path)
    return path


class Layer:
    """One layer of tables in operators of its own, behind a comparison with 0.5; input ``x`` (1, B), output ``y``."""

    def __init__(self, wiring: NDArray[np.int64], tables: NDArray[np.generic]) -> None:
        self.bits = int(wiring.max(initial=0)) + 1
        self.wiring, self.tables = wiring, tables
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        compared = self.add("GreaterOrEqual", "x", np.float32(0.5))
        self.last = self.add("Cast", compared, to=TensorProto.FLOAT)

    def add(self, op: str, *inputs: str | NDArray[np.generic] | np.generic, **attributes: object) -> str:
        """A node; arrays become constants."""
        names = []
        for value in inputs:
            if not isinstance(value, str):
                name = f"c{len(self.constants)}"
                self.constants.append(numpy_helper.from_array(np.asarray(value), name))
                value = name
            names.append(value)
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [name], name=f"{op.lower()}{len(self.nodes)}", **attributes))
        return name

    def save(self, path: Path, output: str, size: int) -> Path:
        """With a product behind `output`, so that there is a class."""
        head = np.eye(size, dtype=np.float32)[:, : max(2, size // 2)]
        self.nodes.append(helper.make_node("MatMul", [output, "head"], ["y"], name="head"))
        self.constants.append(numpy_helper.from_array(head, "head"))
        graph = helper.make_graph(
            self.nodes,
            "layer",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, self.bits))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, head.shape[1]))],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, path)
        return path
