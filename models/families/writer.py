"""Writes an ONNX file node by node, in the operators that a family's own exporter would use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
QONNX = "qonnx.custom_op.general"
QONNX_OPERATORS = ("Quant", "BipolarQuant", "MultiThreshold")
IR_VERSION = 8


class Writer:
    """The nodes of one graph, in order.

    Parameters
    ----------
    shape
        Of the input ``x``, float32, with its leading batch of 1.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self._input = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, values: ArrayLike, dtype: type = np.float32) -> str:
        """A new initialiser; its name."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A new node with one output; the output's name."""
        name = f"{op.lower()}{len(self._nodes)}"
        domain = QONNX if op in QONNX_OPERATORS else ""
        self._nodes.append(helper.make_node(op, list(inputs), [name], name=f"{name}_node", domain=domain, **attributes))
        return name

    def by(self, op: str, x: str, values: ArrayLike) -> str:
        """``x op values``, a new initialiser."""
        return self.node(op, x, self.constant(values))

    def quant(
        self, x: str, scale: ArrayLike, bits: int, *, signed: bool = True, narrow: bool = False, rounding: str = "ROUND"
    ) -> str:
        """QONNX's ``Quant``."""
        inputs = (x, *(self.constant(value) for value in (scale, 0.0, bits)))
        return self.node("Quant", *inputs, signed=int(signed), narrow=int(narrow), rounding_mode=rounding)

    def bipolar(self, x: str) -> str:
        """QONNX's ``BipolarQuant`` of scale 1."""
        return self.node("BipolarQuant", x, self.constant(1.0))

    def model(self, name: str, output: str, classes: int) -> onnx.ModelProto:
        """The file, whose output is (1, classes)."""
        self._nodes[-1].output[0] = "y" if self._nodes[-1].output[0] == output else self._nodes[-1].output[0]
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, classes))
        graph = helper.make_graph(self._nodes, name, [self._input], [result], self._constants)
        domains = [helper.make_opsetid("", OPSET)]
        if any(node.domain for node in self._nodes):
            domains.append(helper.make_opsetid(QONNX, 1))
        return helper.make_model(graph, opset_imports=domains, ir_version=IR_VERSION)
