"""Reads a model file, and believes nothing of it before it is checked."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from bnnhw.dtypes import DataType
from bnnhw.errors import ModelError

# Far above any network that fits a part here; keeps a hostile file from filling the memory.
MOST_BYTES = 256 << 20
MOST_ELEMENTS = 1 << 26

_INTEGERS = {
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.UINT8: "uint8",
    onnx.TensorProto.INT16: "int16",
    onnx.TensorProto.UINT16: "uint16",
    onnx.TensorProto.BOOL: "uint1",
}
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)


@dataclass(frozen=True)
class Container:
    """What a model file holds.

    Parameters
    ----------
    name
        The file's name without its endings.
    nodes
        In an order in which each comes after those it reads from.
    constants
        Initialisers by name.
    input, input_shape, input_format
        The one input that is no initialiser; its shape with a batch axis of 1; its integer format, if the file tells.
    output
        The one output.
    opsets
        Version of each operator set.
    """

    name: str
    nodes: tuple[onnx.NodeProto, ...]
    constants: dict[str, NDArray[np.generic]]
    input: str
    input_shape: tuple[int, ...]
    input_format: DataType | None
    output: str
    opsets: tuple[onnx.OperatorSetIdProto, ...]


def read(path: Path) -> Container:
    """The content of an .onnx or .onnx.gz file.

    Raises
    ------
    ModelError
        If the file cannot be read, is no ONNX model, keeps data outside itself, or has more than one input or output.
    """
    graph_bytes = _bytes(path)
    try:
        model = onnx.ModelProto.FromString(graph_bytes)
    except Exception as error:  # protobuf has several error classes, by its back end
        raise ModelError(f"{path}: not an ONNX file, or a damaged one ({type(error).__name__}): export it again") from None
    graph = model.graph
    if not graph.node or not graph.output:
        raise ModelError(f"{path}: holds no ONNX graph with nodes and an output: export it again")
    try:
        constants = {tensor.name: _array(path, tensor) for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise ModelError(
                f"{path}: {len(inputs)} inputs ({_names(inputs)}) and {len(graph.output)} outputs ({_names(graph.output)}); "
                "export a model with one of each"
            )
        return Container(
            name=path.name.removesuffix(".gz").removesuffix(".onnx"),
            nodes=_sorted(path, graph, {*constants, inputs[0].name}),
            constants=constants,
            input=inputs[0].name,
            input_shape=_input_shape(path, inputs[0]),
            input_format=_input_format(path, graph, inputs[0]),
            output=graph.output[0].name,
            opsets=tuple(model.opset_import),
        )
    except (UnicodeDecodeError, ValueError, TypeError, OverflowError) as error:
        raise ModelError(f"{path}: damaged: {error}: export it again") from None


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path}: larger than {MOST_BYTES >> 20} MiB: no network of that size fits an FPGA here")
        content = path.read_bytes()
        if content[:2] != b"\x1f\x8b":
            return content
        with gzip.open(path) as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MOST_BYTES:
        raise ModelError(f"{path}: unpacks to more than {MOST_BYTES >> 20} MiB: no network of that size fits an FPGA here")
    return content


def _array(path: Path, tensor: onnx.TensorProto) -> NDArray[np.generic]:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise ModelError(f"{path}: tensor {tensor.name!r} lies in another file: save the model with all its data inside")
    if any(size < 0 for size in tensor.dims) or np.prod([float(size) for size in tensor.dims]) > MOST_ELEMENTS:
        raise ModelError(f"{path}: tensor {tensor.name!r} has an impossible shape {list(tensor.dims)}")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:  # onnx raises whatever its conversion meets
        raise ModelError(f"{path}: tensor {tensor.name!r} is damaged ({error}): export the model again") from None


def _sorted(path: Path, graph: onnx.GraphProto, known: set[str]) -> tuple[onnx.NodeProto, ...]:
    """The nodes in order of their edges; the file's own order need not be that."""
    waiting = list(graph.node)
    made: set[str] = set()
    for node in waiting:
        for name in node.output:
            if name and (name in made or name in known):
                raise ModelError(f"{path}: tensor {name!r} is made twice: export the model again")
            made.add(name)
    ready, done = set(known) | {""}, []
    while waiting:
        now = [node for node in waiting if all(name in ready for name in node.input)]
        if not now:
            lost = sorted({name for node in waiting for name in node.input} - ready - made)
            reason = f"nothing makes tensor {lost[0]!r}" if lost else "its nodes form a circle"
            raise ModelError(f"{path}: {reason}: export the model again")
        done += now
        ready |= {name for node in now for name in node.output}
        taken = set(map(id, now))
        waiting = [node for node in waiting if id(node) not in taken]
    return tuple(done)


def _input_shape(path: Path, value: onnx.ValueInfoProto) -> tuple[int, ...]:
    dims = value.type.tensor_type.shape.dim
    sizes = tuple(int(dim.dim_value) for dim in dims[1:])
    if not sizes or any(size < 1 for size in sizes):
        shown = [dim.dim_value or dim.dim_param or "?" for dim in dims]
        raise ModelError(f"{path}: input {value.name!r} has the shape {shown}; it needs a batch axis and fixed sizes after it")
    if np.prod([float(size) for size in sizes]) > MOST_ELEMENTS:
        raise ModelError(f"{path}: input {value.name!r} has an impossible shape {list(sizes)}")
    return (1, *sizes)


def _input_format(path: Path, graph: onnx.GraphProto, value: onnx.ValueInfoProto) -> DataType | None:
    """The integer format of the input, from its element type or FINN's annotation; None for floats."""
    for annotation in graph.quantization_annotation:
        if annotation.tensor_name == value.name:
            for entry in annotation.quant_parameter_tensor_names:
                if entry.key == "finn_datatype" and not entry.value.startswith("FLOAT"):
                    return DataType.parse(entry.value)
    element = value.type.tensor_type.elem_type
    if element in _FLOATS:
        return None
    if element not in _INTEGERS:
        raise ModelError(f"{path}: input {value.name!r} has element type {element}; use floats, or integers of up to 16 bits")
    return DataType.parse(_INTEGERS[element])


def _names(values: object) -> str:
    return ", ".join(repr(value.name) for value in values)  # type: ignore[attr-defined]
