"""Graph <-> folder: graph.json for the structure, tensors.npz for the arrays. No pickle, nothing that runs code."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType, parse_format
from bnnhw.errors import InputError, ModelError
from bnnhw.files import write_npz, write_text
from bnnhw.ir import nodes as node_types
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import Node
from bnnhw.ir.spec import verify
from bnnhw.reading import conforms, read_json, read_npz

SCHEMA = 3
GRAPH, TENSORS = "graph.json", "tensors.npz"

_KINDS = {
    name: kind
    for name, kind in vars(node_types).items()
    if isinstance(kind, type) and issubclass(kind, Node) and kind is not Node
}


def save(graph: Graph, folder: Path) -> None:
    """Writes an integer-stage `graph` into `folder`.

    Raises
    ------
    InputError
        If `folder` cannot be written.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    content = {
        "schema": SCHEMA,
        "name": graph.name,
        "input": graph.input,
        "input_format": graph.input_format and graph.input_format.name,
        "outputs": dict(graph.outputs),
        "notes": list(graph.notes),
        "tensors": {
            name: {"shape": list(type_.shape), "format": type_.format.name} for name, type_ in graph.tensors.items()
        },
        "nodes": [_pack(node, arrays) for node in graph.nodes],
    }
    write_npz(folder / TENSORS, arrays)
    write_text(folder / GRAPH, json.dumps(content, indent=1) + "\n")


def load(folder: Path) -> Graph:
    """Reads what `save` wrote.

    Raises
    ------
    InputError
        If a file is missing, damaged, of another version, or no valid graph.
    """
    path = folder / GRAPH
    content = read_json(path, remedy="compile again", links=False)
    try:
        arrays = read_npz(folder / TENSORS, links=False)
    except InputError as error:
        raise InputError(f"{error}: compile again") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise InputError(f"{path}: not a graph of schema {SCHEMA}, which this bnnhw reads: compile again")
    try:
        graph = Graph(
            name=content["name"],
            input=content["input"],
            nodes=tuple(_unpack(entry, arrays) for entry in content["nodes"]),
            tensors={
                name: TensorType(tuple(entry["shape"]), parse_format(entry["format"]))
                for name, entry in content["tensors"].items()
            },
            outputs=content["outputs"],
            notes=tuple(content["notes"]),
            input_format=content["input_format"] and DataType.parse(content["input_format"]),
        )
        _check_types("the graph", graph)
        for type_ in graph.tensors.values():
            _check_types("a tensor", type_)
        return verify(graph, "integer")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, MemoryError) as error:
        raise InputError(f"{path}: not a valid graph ({_short(error)}): compile again") from None
    except ModelError as error:
        raise InputError(f"{path}: not a valid graph ({_short(error)}): compile again") from None


def _pack(node: Node, arrays: dict[str, NDArray[np.generic]]) -> dict[str, Any]:
    entry: dict[str, Any] = {"op": node.op}
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{node.name}/{field.name}"] = value
            value = {"tensor": f"{node.name}/{field.name}"}
        elif isinstance(value, DataType):
            value = {"format": value.name}
        elif isinstance(value, Geometry):
            value = {"geometry": asdict(value)}
        entry[field.name] = value
    return entry


def _unpack(entry: dict[str, Any], arrays: dict[str, NDArray[np.generic]]) -> Node:
    kind = _KINDS[entry["op"]]
    values: dict[str, Any] = {}
    for field in fields(kind):
        value = entry[field.name]
        if isinstance(value, dict) and "tensor" in value:
            if value["tensor"] not in arrays:
                raise ValueError(f"{TENSORS} has no array {value['tensor']!r}")
            value = arrays[value["tensor"]]
        elif isinstance(value, dict) and "geometry" in value:
            value = Geometry(**{name: tuple(numbers) for name, numbers in value["geometry"].items()})
        elif isinstance(value, dict):
            value = DataType.parse(value["format"])
        elif isinstance(value, list):
            value = tuple(value)
        values[field.name] = value
    node = kind(**values)
    _check_types(f"node {node.name!r}", node)
    return node


def _check_types(what: str, part: Graph | TensorType | Node | Geometry) -> None:
    """Refuses fields that are not of their type: nothing looks at that again.

    Raises
    ------
    TypeError
        Naming the first one.
    """
    kind: Any = type(part)
    for name, hint in _hints(kind).items():
        value = getattr(part, name)
        if not conforms(value, hint):
            raise TypeError(f"{what}: {name} is no {getattr(hint, '__name__', hint)}")
        if isinstance(value, Geometry):
            _check_types(what, value)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
