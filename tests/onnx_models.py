"""Small QONNX files made on the spot, and the answers of an executor that is not ours."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
CHANNELS_LAST = "qonnx.custom_op.channels_last"
# fmt: off
CUSTOM_OPS = (
    "Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "XnorPopcountMatMul", "Trunc", "Im2Col", "MaxPoolNHWC",
    "QuantAvgPool2d",
)
# fmt: on


class Net:
    """A model file under construction: every method adds nodes and gives the name of the tensor that they make.

    Parameters
    ----------
    shape
        Of the input, batch axis first; the batch may be a name.
    opset, domain
        Standard operator set, and domain of the QONNX operators.
    element
        Element type of the input.
    seed
        Of the weights.
    """

    def __init__(
        self,
        shape: Sequence[int | str | None] = (1, 12),
        *,
        opset: int = 13,
        domain: str = QONNX,
        element: int = TensorProto.FLOAT,
        seed: int = 1,
    ) -> None:
        self.opset, self.domain = opset, domain
        self.input = helper.make_tensor_value_info("x", element, shape)
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.shapes: list[onnx.ValueInfoProto] = []

    def constant(self, value: ArrayLike, name: str = "") -> str:
        """An initialiser; Python numbers and lists of floats become float32."""
        array = np.asarray(value)
        if not isinstance(value, (np.ndarray, np.generic)) and array.dtype == np.float64:
            array = array.astype(np.float32)
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(
        self, op: str, *inputs: str, outputs: int = 1, name: str | None = None, domain: str = "", **attributes: Any
    ) -> str:
        """Any node; the name of its first output (the others follow with .1, .2 ...)."""
        stem = f"t{len(self.nodes)}"
        made = [stem, *(f"{stem}.{k}" for k in range(1, outputs))]
        domain = domain or (self.domain if op in CUSTOM_OPS else "")
        name = f"{op}_{len(self.nodes)}" if name is None else name
        self.nodes.append(helper.make_node(op, inputs, made, name=name, domain=domain, **attributes))
        return stem

    def declare(self, x: str, *shape: int) -> str:
        """Tells the shape of a tensor, where the executor cannot infer it."""
        self.shapes.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, shape))
        return x

    def quant(
        self,
        x: str,
        *,
        scale: ArrayLike = 1.0,
        zero: ArrayLike = 0.0,
        bits: ArrayLike = 2.0,
        signed: int = 1,
        narrow: int = 1,
        op: str = "Quant",
        rounding: str = "ROUND",
    ) -> str:
        """A quantiser; two narrow signed bits, the default, are ternary."""
        parameters = [self.constant(np.asarray(value, np.float32)) for value in (scale, zero, bits)]
        return self.node(op, x, *parameters, signed=signed, narrow=narrow, rounding_mode=rounding)

    def bipolar(self, x: str, scale: ArrayLike = 1.0) -> str:
        return self.node("BipolarQuant", x, self.constant(np.asarray(scale, np.float32)))

    def thresholds(self, x: str, values: ArrayLike, **attributes: Any) -> str:
        """A MultiThreshold."""
        attributes.setdefault("out_dtype", "INT8")
        return self.node("MultiThreshold", x, self.constant(np.asarray(values, np.float32)), **attributes)

    def weights(self, *shape: int) -> str:
        """Float weights, as training leaves them."""
        return self.constant(self.random.normal(0, 0.6, shape).astype(np.float32))

    def dense(self, x: str, inputs: int = 12, outputs: int = 8, scale: ArrayLike = 1.0) -> str:
        """A layer as Brevitas exports it: Quant -> Transpose -> MatMul, ternary weights."""
        quantised = self.quant(self.weights(outputs, inputs), scale=scale)
        return self.node("MatMul", x, self.node("Transpose", quantised, perm=[1, 0]))

    def conv(self, x: str, inputs: int = 3, outputs: int = 4, kernel: Sequence[int] = (3, 3), **attributes: Any) -> str:
        """A convolution with ternary weights and no bias; `inputs` are those of one group."""
        scale = attributes.pop("scale", 0.5)
        return self.node("Conv", x, self.quant(self.weights(outputs, inputs, *kernel), scale=scale), **attributes)

    def batch_norm(self, x: str, channels: int = 8, **attributes: Any) -> str:
        """Inference with factors of either sign."""
        gamma, beta, mean = self.random.normal(0, 1, (3, channels)).astype(np.float32)
        variance = self.random.uniform(0.5, 4, channels).astype(np.float32)
        parameters = [self.constant(values) for values in (gamma, beta, mean, variance)]
        return self.node("BatchNormalization", x, *parameters, **attributes)

    def model(
        self, *outputs: str, shape: Sequence[int | str | None] | None = None, element: int = TensorProto.FLOAT
    ) -> onnx.ModelProto:
        """The finished model."""
        graph = helper.make_graph(
            self.nodes,
            "test",
            [self.input],
            [helper.make_tensor_value_info(name, element, shape) for name in outputs],
            initializer=self.constants,
            value_info=self.shapes,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        if self.domain:
            opsets.append(helper.make_opsetid(self.domain, 1))
        if any(node.domain == CHANNELS_LAST for node in self.nodes):
            opsets.append(helper.make_opsetid(CHANNELS_LAST, self.opset))
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def save(self, path: Path, *outputs: str, **options: Any) -> Path:
        return save(self.model(*(outputs or (self.nodes[-1].output[0],)), **options), path)


def save(model: onnx.ModelProto, path: Path) -> Path:
    """Writes `model` to the file, or into the folder, `path`."""
    target = path / "model.onnx" if path.is_dir() else path
    target.write_bytes(model.SerializeToString())
    return target


def small_classifier(**options: Any) -> Net:
    """12 inputs, ternary and bipolar layers with batch normalisation, 4 outputs."""
    net = Net(**options)
    x = net.quant("x", scale=0.5)
    x = net.bipolar(net.batch_norm(net.dense(x)))
    net.dense(x, inputs=8, outputs=4)
    return net


def quantised_input(**options: Any) -> tuple[Net, str]:
    """A net whose ternary input, the tensor of that name, waits for a layer."""
    net = Net(**options)
    return net, net.quant("x", scale=0.5)


def inputs_for(net: Net, count: int = 8, high: float = 2.0) -> NDArray[np.float32]:
    """Random inputs; fixed shape after the batch."""
    shape = [dim.dim_value for dim in net.input.type.tensor_type.shape.dim[1:]]
    return np.random.default_rng(7).uniform(-high, high, (count, *shape)).astype(np.float32)


def executor_outputs(path: Path, inputs: NDArray[np.generic]) -> NDArray[np.generic]:
    """What qonnx's executor makes of `inputs`, (N, ...): of all samples at once, or where a file fixes the batch, or has
    an Im2Col, which mixes samples, of one after the other."""
    if all(node.op_type != "Im2Col" for node in onnx.load(str(path)).graph.node):
        with suppress(Exception):  # whatever it raises of a batch that a file has no room for
            found = _executed(path, inputs)
            if len(found) == len(inputs):
                return found
    return np.concatenate([_executed(path, sample[None]) for sample in inputs])


def _executed(path: Path, batch: NDArray[np.generic]) -> NDArray[np.generic]:
    from qonnx.core.datatype import DataType
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.general import SortGraph
    from qonnx.transformation.infer_shapes import InferShapes

    model = onnx.load(str(path))
    values = {tensor.name for tensor in model.graph.initializer}
    source = next(value for value in model.graph.input if value.name not in values)
    source.type.tensor_type.shape.dim[0].dim_value = len(batch)
    wrapper = ModelWrapper(model).transform(SortGraph()).transform(InferShapes())
    for node in wrapper.get_nodes_by_op_type("Im2Col"):
        # It asks for one before it pads.
        wrapper.set_tensor_datatype(node.input[0], DataType["FLOAT32"])
    output = wrapper.graph.output[0].name
    with warnings.catch_warnings():
        # It cannot infer shapes that the file computes, and says so.
        warnings.filterwarnings("ignore", "Output shapes disagree")
        return np.asarray(execute_onnx(wrapper, {source.name: batch})[output])
