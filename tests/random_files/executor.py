"""qonnx's executor, for a batch at once: the same kernels (onnxruntime's and qonnx's own), node by node."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from qonnx.custom_op.registry import getCustomOp

Array = NDArray[Any]
Tensors = dict[str, Array]

GENERAL = "qonnx.custom_op.general"
# qonnx runs operators of its channels-last domain under operator set 1, of which onnxruntime warns.
onnxruntime.set_default_logger_severity(3)
# These take one sample at a time.
SINGLE = ("Im2Col", "MaxPoolNHWC", "QuantAvgPool2d")


class Executor:
    """Runs a model, or single nodes of it.

    Parameters
    ----------
    model
        A file of one float or integer input.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        graph = model.graph
        self.constants: Tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(helper.get_attribute_value(node.attribute[0]))
        self.nodes = [node for node in graph.node if node.op_type != "Constant"]
        source = next(value for value in graph.input if value.name not in self.constants)
        self.input = source.name
        batch = source.type.tensor_type.shape.dim[0].dim_value
        self.opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self.shapes = {
            value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)[1:]
            for value in graph.value_info
        }
        # A batch that is baked into a reshape becomes that of its input.
        for node in graph.node:
            if node.op_type == "Reshape" and node.input[1] in self.constants and batch:
                target = self.constants[node.input[1]]
                if target[0] == batch:
                    self.constants[node.input[1]] = np.array([0, *target[1:]], np.int64)

    def run(self, inputs: Array) -> Tensors:
        """Every tensor of the model for `inputs` (N, ...)."""
        tensors = {**self.constants, self.input: inputs}
        for node in self.nodes:
            found = self.execute(node, [tensors[name] for name in node.input])
            tensors.update(zip(node.output, found, strict=True))
        return tensors

    def execute(self, node: onnx.NodeProto, inputs: list[Array]) -> list[Array]:
        """The outputs of one node."""
        if node.domain in ("", "ai.onnx"):
            return list(
                _session(self._alone(node), tuple(array.dtype.str for array in inputs)).run(None, _named(inputs))
            )
        last = node.domain.endswith("channels_last")
        if (last or node.op_type in SINGLE) and len(inputs[0]) > 1:
            rest = inputs[1:]
            each = [self.execute(node, [sample[None], *rest]) for sample in inputs[0]]
            return [np.concatenate(some) for some in zip(*each, strict=True)]
        return [self._custom(node, inputs, last)]

    def _alone(self, node: onnx.NodeProto) -> bytes:
        """The node as a text that is the same for all nodes that compute the same, with the operator set."""
        alike = onnx.NodeProto()
        alike.CopyFrom(node)
        del alike.input[:], alike.output[:]
        alike.input.extend(f"i{k}" for k in range(len(node.input)))
        alike.output.extend(f"o{k}" for k in range(len(node.output)))
        alike.name, alike.doc_string = "", str(self.opset)
        return alike.SerializeToString(deterministic=True)

    def _custom(self, node: onnx.NodeProto, inputs: list[Array], last: bool) -> Array:
        alike = onnx.NodeProto()
        alike.CopyFrom(node)
        if not last:
            alike.domain = GENERAL
        output = node.output[0]
        context: Tensors = dict(zip(node.input, inputs, strict=True))
        context[output] = np.zeros((len(inputs[0]), *self.shapes.get(output, ())), np.float32)
        getCustomOp(alike, onnx_opset_version=self.opset if last else 1).execute_node(context, _annotated(node))
        return np.asarray(context[output])


def _named(inputs: list[Array]) -> Mapping[str, Array]:
    return {f"i{k}": array for k, array in enumerate(inputs)}


@cache
def _session(node: bytes, types: tuple[str, ...]) -> onnxruntime.InferenceSession:
    """A model of one node, for inputs of any shape."""
    alone = onnx.NodeProto.FromString(node)
    opset = int(alone.doc_string)
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(type_)), None)
        for name, type_ in zip(alone.input, types, strict=True)
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in alone.output]
    graph = helper.make_graph([alone], "one", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def _annotated(node: onnx.NodeProto) -> onnx.GraphProto:
    """A graph that says of the node's input that it is of floats: Im2Col asks before it pads."""
    graph = onnx.GraphProto()
    entry = onnx.StringStringEntryProto(key="finn_datatype", value="FLOAT32")
    annotation = graph.quantization_annotation.add(tensor_name=node.input[0])
    annotation.quant_parameter_tensor_names.append(entry)
    return graph
