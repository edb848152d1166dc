"""Takes layout changes out of the way of the layers: after the first one, every tensor is a vector."""

from __future__ import annotations

from dataclasses import fields, replace
from math import prod
from typing import Any

import numpy as np

from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import ELEMENTWISE
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import ArgMax, MatMul, MultiThreshold, Node, Reshape, Transpose
from bnnhw.passes.rewrite import joined, label, sequence


def run(graph: Graph) -> Graph:
    """Flattens before the first layer with weights and drops the reshapes after it, which a vector does not need.

    Raises
    ------
    ModelError
        If a layer is applied to several vectors per sample, or axes are swapped between layers.
    """
    nodes: list[Node] = []
    seen_layer = False
    for node in sequence(graph):
        shape = graph.tensors[node.inputs[0]].shape
        if isinstance(node, MatMul) and prod(shape) != node.weight.shape[1]:
            raise ModelError(
                f"model {graph.name}: {label(node)}: weights of {node.weight.shape[1]} inputs are applied along "
                f"the last axis of {shape}: flatten the tensor before it"
            )
        if isinstance(node, MatMul) and len(shape) != 1:
            name = f"{node.name}.flatten"
            nodes.append(Reshape(name=name, inputs=(), output=name, source=node.source, shape=(prod(shape),)))
        if seen_layer and isinstance(node, Transpose) and sum(size > 1 for size in shape) > 1:
            raise ModelError(
                f"model {graph.name}: {label(node)}: axes are swapped between layers; permute the weights instead"
            )
        if not (seen_layer and isinstance(node, (Reshape, Transpose))):
            nodes.append(_of_vectors(node) if seen_layer else node)
        seen_layer |= isinstance(node, MatMul)
    return joined(graph, _with_final_shape(graph, nodes))


def _of_vectors(node: Node) -> Node:
    """`node` with parameters of a vector's shape."""
    if isinstance(node, MultiThreshold):
        return replace(node, sample_rank=1, channels_last=False)
    if not isinstance(node, ELEMENTWISE):
        return node
    arrays = {field.name: getattr(node, field.name) for field in fields(node)}
    flat: dict[str, Any] = {
        name: value.reshape(-1) for name, value in arrays.items() if isinstance(value, np.ndarray) and value.ndim
    }
    return replace(node, **flat)


def _with_final_shape(graph: Graph, nodes: list[Node]) -> list[Node]:
    """`nodes`, and a last reshape where the model's own output is not a vector."""
    shape = graph.tensors[graph.outputs["outputs"]].shape
    if (
        len(shape) == 1
        or any(isinstance(node, ArgMax) for node in nodes)
        or not any(isinstance(node, MatMul) for node in nodes)
    ):
        return nodes
    return [*nodes, Reshape(name="output_shape", inputs=(), output="output_shape", shape=shape)]
