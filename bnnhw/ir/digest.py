"""A digest of all that a network computes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import Any

import numpy as np

from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Node


def digest(graph: Graph) -> str:
    """64 hexadecimal digits that differ when anything in `graph` does: a field of a node, an element of an array, a
    format, an order. Only what is said about it to people does not count: its notes, and where its nodes come from.
    """
    content = hashlib.sha256()
    head = {
        "name": graph.name,
        "input": graph.input,
        "input_format": str(graph.input_format),
        "outputs": sorted(graph.outputs.items()),
        "tensors": sorted((name, list(type_.shape), type_.format.name) for name, type_ in graph.tensors.items()),
        "nodes": [node.op for node in graph.nodes],
    }
    content.update(json.dumps(head).encode())
    for node in graph.nodes:
        for field in fields(node):
            if field.name != "source":
                _add(content, node, field.name)
    return content.hexdigest()


def _add(content: Any, node: Node, name: str) -> None:
    value = getattr(node, name)
    if isinstance(value, np.ndarray):
        content.update(f"{name}: {value.dtype.str} {value.shape}".encode())
        content.update(np.ascontiguousarray(value).tobytes())
    else:
        # Strings, numbers, None, and frozen dataclasses and tuples of these: their text tells all of it.
        content.update(f"{name}: {value!r}".encode())
