"""What the passes share: a list of nodes being rewritten, its types inferred again at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bnnhw.errors import ModelError
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Node
from bnnhw.ir.shapes import infer


def rebuild(graph: Graph, nodes: Sequence[Node], outputs: dict[str, str] | None = None) -> Graph:
    """`graph` with other nodes, every type inferred anew."""
    tensors = {graph.input: graph.tensors[graph.input]}
    for node in nodes:
        try:
            tensors[node.output] = infer(node, *(tensors[name] for name in node.inputs))
        except ValueError as error:
            raise ModelError(f"model {graph.name}: {label(node)}: {error}") from None
    return graph.with_nodes(nodes, tensors=tensors, **({"outputs": outputs} if outputs else {}))


def sequence(graph: Graph) -> tuple[Node, ...]:
    """The nodes of a graph without branches.

    Raises
    ------
    ModelError
        If a tensor has several readers, or none and is not the output.
    """
    tensor = graph.input
    for node in graph.nodes:
        if node.inputs != (tensor,):
            raise ModelError(
                f"model {graph.name}: {label(node)}: the graph branches here; only one chain of layers maps"
            )
        tensor = node.output
    return graph.nodes


def joined(graph: Graph, nodes: Sequence[Node], outputs: dict[str, str] | None = None) -> Graph:
    """`graph` with `nodes` as its chain: each reads what the one before it makes."""
    tensor = graph.input
    linked = []
    for node in nodes:
        linked.append(replace(node, inputs=(tensor,)))
        tensor = node.output
    return rebuild(graph, linked, outputs or {**graph.outputs, "outputs": tensor})


def label(node: Node) -> str:
    """How messages name a node: its own name, and those that it stands for in the model file."""
    others = [name for name in node.source if name != node.name]
    return f"{node.name} ({', '.join(others[:3])})" if others else node.name
