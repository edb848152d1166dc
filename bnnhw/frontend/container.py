"""Reads a model file, and believes nothing of it before it is checked."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from numpy.typing import NDArray
from onnx import numpy_helper

from bnnhw.arithmetic.formats import DataType
from bnnhw.errors import ModelError
from bnnhw.frontend.wire import MAX_FIELDS, has_too_many_fields

# Far above any network that fits a part here; keeps a hostile file from filling the memory.
MAX_BYTES = 256 << 20
MAX_ELEMENTS = 1 << 24
# Of an input value; wider integers tell nothing about the values.
MAX_INPUT_BITS = 16
# Of a tensor; numpy takes 64.
MAX_AXES = 32
# Before it, operators kept shapes and broadcasting rules in attributes.
OLDEST_OPSET = 7
# For files that name none.
DEFAULT_OPSET = 13

# Formats of integer inputs; wider integers tell nothing about the values.
_INTEGERS: dict[int, str] = {
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.UINT8: "uint8",
    onnx.TensorProto.INT16: "int16",
    onnx.TensorProto.UINT16: "uint16",
    onnx.TensorProto.BOOL: "uint1",
}
_WITHOUT_FORMAT = (
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.INT32,
    onnx.TensorProto.UINT32,
    onnx.TensorProto.INT64,
    onnx.TensorProto.UINT64,
)


@dataclass(frozen=True)
class Container:
    """What a model file holds.

    Parameters
    ----------
    name
        The file's name without its endings.
    nodes
        In the order of the file, but none before one that it reads from.
    constants
        Initialisers by name.
    input, input_shape, input_format
        The one input that is no initialiser; its shape with a batch axis of 1; its integer format, if the file tells.
    batch
        The size of the input's batch axis in the file, 1 where it has none: shapes in nodes may hold it.
    output
        The answer among the outputs.
    outputs
        All of them, but the values of a TopK whose classes are the answer.
    opset
        Version of the standard operator set.
    """

    name: str
    nodes: tuple[onnx.NodeProto, ...]
    constants: dict[str, NDArray[np.generic]]
    input: str
    input_shape: tuple[int, ...]
    input_format: DataType | None
    batch: int
    output: str
    outputs: tuple[str, ...]
    opset: int

    @cached_property
    def tensors(self) -> set[str]:
        """Names of all tensors."""
        return {self.input, *self.constants, *(name for node in self.nodes for name in node.output)}


def read(path: Path, output_tensor: str | None = None) -> Container:
    """The content of an .onnx or .onnx.gz file; `output_tensor` is the answer among its outputs.

    Raises
    ------
    ModelError
        If the file cannot be read, is no ONNX model, keeps data outside itself, has more than one input or no such
        output.
    """
    content = unpacked(path)
    if has_too_many_fields(content):
        raise ModelError(f"{path}: more than {MAX_FIELDS} parts of a model: no such network fits an FPGA here")
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf has several error classes, by its back end
        raise ModelError(f"{path}: no ONNX file, or a damaged one ({type(error).__name__}): export it again") from None
    if model.functions:
        model = _inlined(path, model)
    graph = model.graph
    if not graph.node or not graph.output:
        raise ModelError(f"{path}: holds no ONNX graph with nodes and an output: export it again")
    try:
        opset = _opset(path, model)
        _check_attributes(path, graph)
        if graph.sparse_initializer:
            raise ModelError(f"{path}: holds sparse tensors: export the model with dense ones")
        constants = {tensor.name: _array(path, tensor) for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in constants]
        if len(inputs) != 1:
            raise ModelError(f"{path}: {len(inputs)} inputs ({_names(inputs)}): export a model with one")
        outputs = _outputs(path, graph, output_tensor)
        return Container(
            name=path.name.removesuffix(".gz").removesuffix(".onnx"),
            nodes=_sorted(path, graph, {*constants, inputs[0].name}),
            constants=constants,
            input=inputs[0].name,
            input_shape=_input_shape(path, inputs[0]),
            input_format=_input_format(path, graph, inputs[0]),
            batch=max(1, int(inputs[0].type.tensor_type.shape.dim[0].dim_value)),
            output=outputs[0],
            outputs=outputs,
            opset=opset,
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelError(f"{path}: damaged: {error}: export it again") from None


def _outputs(path: Path, graph: onnx.GraphProto, wanted: str | None) -> tuple[str, ...]:
    """The outputs, the answer in front: the wanted or the first one.

    Where a model outputs the values and the indices of a TopK, as FINN writes it, it is the indices, and they alone.
    """
    names = [str(value.name) for value in graph.output]
    if wanted is not None:
        if wanted not in names:
            raise ModelError(f"{path}: no output {wanted!r}: --output-tensor takes one of {_names(graph.output)}")
        return (wanted, *(name for name in names if name != wanted))
    for node in graph.node:
        if node.op_type == "TopK" and len(names) > 1 and sorted(names) == sorted(node.output):
            return (str(node.output[1]),)
    return tuple(names)


def unpacked(path: Path) -> bytes:
    """The bytes of a file, and of one that is compressed with gzip those inside.

    Raises
    ------
    ModelError
        If it cannot be read, or is larger than any network that fits.
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path}: not a file: name an .onnx or .onnx.gz file")
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path}: larger than {MAX_BYTES >> 20} MiB: no such network fits an FPGA here")
        content = path.read_bytes()
        if content[:2] != b"\x1f\x8b":
            return content
        with gzip.open(path) as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_BYTES:
        raise ModelError(f"{path}: unpacks to more than {MAX_BYTES >> 20} MiB: no such network fits an FPGA here")
    return content


def _inlined(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its own functions written out where they are called."""
    if sum(len(function.node) for function in model.functions) * len(model.graph.node) > MAX_FIELDS:
        raise ModelError(f"{path}: its functions have too many nodes: no such network fits an FPGA here")
    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:  # onnx raises whatever its C++ part meets
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path}: its functions cannot be written out ({first}): export it without them") from None


def _opset(path: Path, model: onnx.ModelProto) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    opset = versions[0] if versions else DEFAULT_OPSET
    if opset < OLDEST_OPSET:
        raise ModelError(f"{path}: made for operator set {opset}: export it for 9 or a later one")
    return opset


def _check_attributes(path: Path, graph: onnx.GraphProto) -> None:
    """Tensors in attributes are read later, by onnx itself: what they may not be is refused here."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise ModelError(f"{path}: node {node.name!r} holds a sparse tensor: export the model with dense ones")
            for tensor in (attribute.t, *attribute.tensors):
                _check_tensor(path, tensor)


def _check_tensor(path: Path, tensor: onnx.TensorProto) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise ModelError(
            f"{path}: tensor {tensor.name!r} is stored in another file: save the model with its data inside"
        )
    if _impossible(tensor.dims):
        raise ModelError(f"{path}: tensor {tensor.name!r} has an impossible shape {list(tensor.dims[:MAX_AXES])}")


def _impossible(shape: Sequence[int]) -> bool:
    return len(shape) > MAX_AXES or any(size < 0 for size in shape) or prod(shape) > MAX_ELEMENTS


def _array(path: Path, tensor: onnx.TensorProto) -> NDArray[np.generic]:
    _check_tensor(path, tensor)
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:  # onnx raises whatever its conversion meets
        raise ModelError(f"{path}: tensor {tensor.name!r} is damaged ({error}): export the model again") from None


def _sorted(path: Path, graph: onnx.GraphProto, known: set[str]) -> tuple[onnx.NodeProto, ...]:
    """The nodes in the order of the file, but none before one that it reads from."""
    makers: dict[str, int] = {}
    for k, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in makers or name in known:
                raise ModelError(f"{path}: tensor {name!r} is computed by two nodes: export the model again")
            makers[name] = k
    order: TopologicalSorter[int] = TopologicalSorter()
    for k, node in enumerate(graph.node):
        read = {name for name in node.input if name} - known
        if lost := sorted(read - makers.keys()):
            raise ModelError(f"{path}: no node computes tensor {lost[0]!r}: export the model again")
        order.add(k, *(makers[name] for name in read))
    try:
        order.prepare()
    except CycleError:
        raise ModelError(f"{path}: its nodes form a cycle: export the model again") from None
    waiting: list[int] = []
    done: list[onnx.NodeProto] = []
    while order.is_active():
        for k in order.get_ready():
            heappush(waiting, k)
        first = heappop(waiting)
        done.append(graph.node[first])
        order.done(first)
    return tuple(done)


def _input_shape(path: Path, value: onnx.ValueInfoProto) -> tuple[int, ...]:
    dims = value.type.tensor_type.shape.dim[: MAX_AXES + 2]
    sizes = tuple(int(dim.dim_value) for dim in dims[1:])
    if not sizes or any(size < 1 for size in sizes):
        shown = [dim.dim_value or dim.dim_param or "?" for dim in dims]
        raise ModelError(
            f"{path}: input {value.name!r} has the shape {shown}: use a batch axis and fixed sizes after it"
        )
    if _impossible(sizes):
        raise ModelError(f"{path}: input {value.name!r} has an impossible shape {list(sizes)}")
    return (1, *sizes)


def _input_format(path: Path, graph: onnx.GraphProto, value: onnx.ValueInfoProto) -> DataType | None:
    """The integer format of the input, from its element type or FINN's annotation; None where neither tells one."""
    element = value.type.tensor_type.elem_type
    if element not in _INTEGERS and element not in _WITHOUT_FORMAT:
        raise ModelError(
            f"{path}: input {value.name!r} has element type {_element_name(element)}: export it as float32 or integers"
        )
    for annotation in graph.quantization_annotation:
        if annotation.tensor_name == value.name:
            for entry in annotation.quant_parameter_tensor_names:
                if entry.key == "finn_datatype":
                    return _finn_format(entry.value)
    return DataType.parse(_INTEGERS[element]) if element in _INTEGERS else None


def _finn_format(name: str) -> DataType | None:
    """FINN also annotates floats, fixed point, and integers of any width: None for those."""
    try:
        found = DataType.parse(name)
    except ValueError:
        return None
    return found if found.bits <= MAX_INPUT_BITS else None


def _element_name(element: int) -> str:
    return next((name for name, value in onnx.TensorProto.DataType.items() if value == element), str(element))


def _names(values: Iterable[onnx.ValueInfoProto]) -> str:
    return ", ".join(repr(value.name) for value in values)
