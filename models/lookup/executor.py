"""A lookup-table network's file in onnxruntime: its outputs, its bits, and its sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.lookup.writer import DOMAIN


def has_tables(path: Path) -> bool:
    """Whether the file is one of a lookup-table network."""
    return any(function.domain == DOMAIN for function in onnx.load(path).functions)


class LookupExecutor:
    """The file `path`, for any number of samples at once.

    Its `layers` are the sizes of its layers of nodes, in order: ``inputs`` that may be read, ``nodes``, ``k``.
    """

    measured_with = f"onnxruntime {onnxruntime.__version__}"
    trained_beside = ""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "N"
        shapes = {constant.name: tuple(constant.dims) for constant in model.graph.initializer}
        calls = [node for node in model.graph.node if node.domain == DOMAIN]
        self.layers: list[dict[str, Any]] = []
        before = 0
        for node in calls:
            nodes, k = shapes[node.input[1]]
            self.layers.append({"inputs": before, "nodes": nodes, "k": k})
            before = nodes
        self.output = model.graph.output[0].name
        self.bits = [calls[0].input[0], *(node.output[0] for node in calls)]
        model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.bits)
        self._session = onnxruntime.InferenceSession(model.SerializeToString())
        self._input = model.graph.input[0].name
        shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
        (encoded,) = self._session.run([self.bits[0]], {self._input: np.zeros((1, *shape[1:]), np.float32)})
        self.layers[0]["inputs"] = encoded.shape[1]

    def size(self) -> dict[str, int]:
        """Table bits, as weights; nothing is multiplied."""
        bits = sum(layer["nodes"] << layer["k"] for layer in self.layers)
        return {"weights": bits, "weight_bits": bits, "macs": 0}

    def outputs(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scores (N, classes) of samples `x`."""
        return self._session.run([self.output], {self._input: x})[0]

    def integers(self, x: NDArray[np.float32]) -> dict[str, NDArray[np.uint8]]:
        """The bits inside, (N, bits) each: ``act0`` of the encoder, ``act1`` .. of the layers."""
        found = self._session.run(self.bits, {self._input: x})
        return {f"act{k}": bits.astype(np.uint8) for k, bits in enumerate(found)}
