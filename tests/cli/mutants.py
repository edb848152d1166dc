"""Damaged versions of a model file: of its bytes, and of the ONNX structure inside them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator

import numpy as np
import onnx
from numpy.random import Generator

Mutant = tuple[str, bytes]


def damaged_bytes(content: bytes, rng: Generator, count: int) -> Iterator[Mutant]:
    """`count` versions that no tool would write: cut, flipped, zeroed, removed, repeated, exchanged."""
    kinds: tuple[Callable[[bytes, Generator], bytes], ...] = (_cut, _flip, _zero, _remove, _repeat, _overwrite)
    for k in range(count):
        kind = kinds[k % len(kinds)]
        yield f"{kind.__name__[1:]} {k}", kind(content, rng)


def damaged_gzip(content: bytes, rng: Generator, count: int) -> Iterator[Mutant]:
    """The same of a compressed file, where most damage hits the compression."""
    yield from damaged_bytes(gzip.compress(content, mtime=0), rng, count)


def damaged_structure(content: bytes, rng: Generator, count: int) -> Iterator[Mutant]:
    """`count` well-formed ONNX files with something wrong in the graph."""
    of_nodes = (_drop_node, _other_operator, _drop_attributes, _rewire)
    kinds = (*of_nodes, _drop_constant, _reshape_constant, _poison_constant)
    for k in range(count):
        model = onnx.ModelProto.FromString(content)
        kind = kinds[k % len(kinds)]
        kind(model.graph, rng)
        yield f"{kind.__name__[1:]} {k}", model.SerializeToString()


def foreign_files() -> Iterator[Mutant]:
    """Files that are something else."""
    yield "empty", b""
    yield "one byte", b"\x00"
    yield "text", b"This is not a model.\n" * 50
    yield "json", b'{"nodes": []}'
    yield "png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
    yield "elf", b"\x7fELF\x02\x01\x01" + bytes(500)
    yield "zip", b"PK\x03\x04" + bytes(100)
    yield "gzip of nothing", gzip.compress(b"", mtime=0)
    yield "gzip of text", gzip.compress(b"This is not a model.\n", mtime=0)
    yield "gzip header alone", b"\x1f\x8b\x08"
    yield "empty model", onnx.ModelProto(ir_version=8).SerializeToString()
    yield "model of no nodes", onnx.ModelProto(ir_version=8, graph=onnx.GraphProto(name="g")).SerializeToString()
    yield "identity", _identity().SerializeToString()


def _identity() -> onnx.ModelProto:
    sides = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    return onnx.helper.make_model(onnx.helper.make_graph([node], "g", sides[:1], sides[1:]))


def _span(content: bytes, rng: Generator) -> tuple[int, int]:
    start = int(rng.integers(len(content)))
    return start, min(len(content), start + int(2 ** rng.uniform(0, 10)))


def _cut(content: bytes, rng: Generator) -> bytes:
    return content[: int(rng.integers(len(content)))]


def _flip(content: bytes, rng: Generator) -> bytes:
    array = np.frombuffer(content, np.uint8).copy()
    places = rng.integers(len(array), size=int(rng.integers(1, 20)))
    # Structure is at the ends of the file and between the weights, which most places hit: aim at the ends as well.
    places[::2] %= 2000
    array[places] ^= (1 << rng.integers(8, size=len(places))).astype(np.uint8)
    return array.tobytes()


def _zero(content: bytes, rng: Generator) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + bytes(end - start) + content[end:]


def _remove(content: bytes, rng: Generator) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + content[end:]


def _repeat(content: bytes, rng: Generator) -> bytes:
    start, end = _span(content, rng)
    return content[:end] + content[start:]


def _overwrite(content: bytes, rng: Generator) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + rng.bytes(end - start) + content[end:]


def _drop_node(graph: onnx.GraphProto, rng: Generator) -> None:
    del graph.node[int(rng.integers(len(graph.node)))]


def _other_operator(graph: onnx.GraphProto, rng: Generator) -> None:
    node = graph.node[int(rng.integers(len(graph.node)))]
    node.op_type = str(rng.choice(["Conv", "Gemm", "MatMul", "Add", "Quant", "Reshape", "LSTM", "NoSuchOperator", ""]))


def _drop_constant(graph: onnx.GraphProto, rng: Generator) -> None:
    del graph.initializer[int(rng.integers(len(graph.initializer)))]


def _constant(graph: onnx.GraphProto, rng: Generator) -> tuple[onnx.TensorProto, np.ndarray]:
    tensor = graph.initializer[int(rng.integers(len(graph.initializer)))]
    return tensor, onnx.numpy_helper.to_array(tensor)


def _reshape_constant(graph: onnx.GraphProto, rng: Generator) -> None:
    tensor, values = _constant(graph, rng)
    longer = np.concatenate([values.reshape(-1), values.reshape(-1)[:1]])
    tensor.CopyFrom(onnx.numpy_helper.from_array(longer, tensor.name))


def _poison_constant(graph: onnx.GraphProto, rng: Generator) -> None:
    tensor, values = _constant(graph, rng)
    poison = rng.choice([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e30, 0.3]) if values.dtype.kind == "f" else -7
    values = np.full_like(values, poison)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def _drop_attributes(graph: onnx.GraphProto, rng: Generator) -> None:
    with_attributes = [node for node in graph.node if node.attribute]
    del with_attributes[int(rng.integers(len(with_attributes)))].attribute[:]


def _rewire(graph: onnx.GraphProto, rng: Generator) -> None:
    node = graph.node[int(rng.integers(len(graph.node)))]
    names = [name for other in graph.node for name in other.output] + ["nowhere"]
    if node.input:
        node.input[int(rng.integers(len(node.input)))] = str(rng.choice(names))
