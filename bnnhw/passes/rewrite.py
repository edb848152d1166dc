"""What the passes share: a graph that is written anew node by node, its types inferred on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bnnhw.arithmetic.formats import FLOAT32
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import ELEMENTWISE
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import ArgMax, Encode, Node
from bnnhw.ir.shapes import infer


class Builder:
    """A new list of nodes for `graph`, which starts with nothing but its input."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes: list[Node] = []
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
        self.tensors[placed.output] = made
        return placed.output

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


def way_to_encode(graph: Graph, node: Node) -> list[Node] | None:
    """The elementwise nodes after `node` up to an Encode and with it; None where none follows.

    Raises
    ------
    ModelError
        If values fork before they are quantised.
    """
    source, found = node, list[Node]()
    while True:
        after = [reader for reader in graph.consumers(node.output) if not isinstance(reader, ArgMax)]
        if len(after) == 1 and isinstance(after[0], ELEMENTWISE):
            node = after[0]
            found.append(node)
            if isinstance(node, Encode):
                return found
            continue
        for reader in after:
            if _encoded_later(graph, reader):
                why = "its values are quantised in several ways; quantise them once, before they fork"
                if len(after) == 1:
                    why = f"{label(reader)} ({reader.op}) before its quantiser is not monotone; use another activation"
                raise ModelError(f"model {graph.name}: {label(source)}: {why}")
        return None


def _encoded_later(graph: Graph, node: Node) -> bool:
    """Whether floats that `node` makes are encoded somewhere."""
    if isinstance(node, Encode):
        return True
    floats = graph.tensors[node.output].format == FLOAT32
    return floats and any(_encoded_later(graph, reader) for reader in graph.consumers(node.output))


def label(node: Node) -> str:
    """How messages name a node: its own name, and those that it stands for in the model file."""
    others = [name for name in node.source if name != node.name]
    return f"{node.name} ({', '.join(others[:3])})" if others else node.name
