"""What the passes share: a graph that is written anew node by node, its types inferred on the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from bnnhw.errors import ModelError
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import Node
from bnnhw.ir.shapes import infer


class Builder:
    """A new list of nodes for `graph`, which starts with nothing but its input.

    `tensors` has the types of all tensors there are, `makers` the nodes that make them.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self.makers: dict[str, Node] = {}
        self.tensors: dict[str, TensorType] = {graph.input: graph.tensors[graph.input]}

    def add(self, node: Node, *inputs: str) -> str:
        """Appends `node`, reading `inputs` where any are given; the name of what it makes.

        Raises
        ------
        ModelError
            If the node cannot take its inputs.
        """
        placed = replace(node, inputs=inputs) if inputs else node
        try:
            made = infer(placed, *(self.tensors[name] for name in placed.inputs))
        except ValueError as error:
            raise ModelError(f"model {self._graph.name}: {label(node)}: {error}") from None
        self._nodes.append(placed)
        self.makers[placed.output] = placed
        self._names.add(placed.name)
        self.tensors[placed.output] = made
        return placed.output

    def unique(self, name: str, *taken: Collection[str]) -> str:
        """`name`, or with a number behind it, so that no tensor and no node has it, nor any of `taken`."""
        found, k = name, 1
        while found in self.tensors or found in self._names or any(found in names for names in taken):
            k += 1
            found = f"{name}.{k}"
        return found

    def graph(self, outputs: Mapping[str, str], **changes: object) -> Graph:
        """The graph with the new nodes that some output depends on."""
        needed = set(outputs.values())
        kept: list[Node] = []
        for node in reversed(self._nodes):
            if node.output in needed:
                needed |= set(node.inputs)
                kept.append(node)
        return self._graph.with_nodes(kept[::-1], tensors=self.tensors, outputs=dict(outputs), **changes)


def rebuild(graph: Graph, nodes: Sequence[Node]) -> Graph:
    """`graph` with other nodes between the same names, every type inferred anew."""
    builder = Builder(graph)
    for node in nodes:
        builder.add(node)
    return builder.graph(graph.outputs)


def label(node: Node) -> str:
    """How messages name a node: its own name, and those that it stands for in the model file."""
    others = [name for name in node.source if name != node.name]
    return f"{node.name} ({', '.join(others[:3])})" if others else node.name
