"""The digest of a network: any field of any node counts."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.ir.digest import digest
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Node
from bnnhw.passes import to_integers
from campaigns.random_maps import random_map_network


def other(value: Any) -> Any:
    """Something of the same kind."""
    if isinstance(value, np.ndarray):
        changed = np.array(value, order="C")
        if changed.size:
            first = changed.reshape(-1)[:1]
            changed.reshape(-1)[:1] = ~first if value.dtype == np.bool_ else first + 1
            return changed
        return np.zeros((1, *value.shape[1:]), value.dtype)
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, DataType):
        return TERNARY if value == BIPOLAR else BIPOLAR
    if isinstance(value, Geometry):
        return replace(value, pads=(value.pads[0] + 1, *value.pads[1:]))
    if isinstance(value, tuple):
        return (*value[:-1], other(value[-1])) if value else (1,)
    assert value is None, value
    return np.zeros(1, np.int64)


def changed(node: Node) -> list[tuple[str, Node]]:
    """`node` with each of its fields changed, one at a time; of a geometry, each of its own fields as well."""
    found = []
    for field in fields(node):
        value = getattr(node, field.name)
        if field.name != "source":
            found.append((field.name, replace(node, **{field.name: other(value)})))
        if is_dataclass(value) and isinstance(value, Geometry):
            for inner in fields(value):
                part = replace(value, **{inner.name: other(getattr(value, inner.name))})
                found.append((f"{field.name}.{inner.name}", replace(node, **{field.name: part})))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_every_field_of_every_node_counts(seed: int) -> None:
    graph = to_integers(random_map_network(np.random.default_rng(seed)))
    known = digest(graph)
    assert digest(graph) == known
    for k, node in enumerate(graph.nodes):
        for name, twin in changed(node):
            nodes = (*graph.nodes[:k], twin, *graph.nodes[k + 1 :])
            assert digest(replace(graph, nodes=nodes)) != known, f"{node.op}.{name}"


def test_order_formats_and_outputs_count() -> None:
    graph: Graph = to_integers(random_map_network(np.random.default_rng(1)))
    known = digest(graph)
    name = graph.nodes[-1].output
    for twin in (
        replace(graph, nodes=graph.nodes[::-1]),
        replace(graph, input_format=BIPOLAR),
        replace(graph, outputs={**graph.outputs, "prediction": graph.input}),
        replace(graph, tensors={**graph.tensors, name: replace(graph.tensors[name], shape=(3, 3))}),
    ):
        assert digest(twin) != known
    assert digest(replace(graph, notes=("said to people",))) == known
