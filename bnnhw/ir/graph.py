"""Graph: a frozen list of nodes in topological order, with the type of every tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bnnhw.arithmetic.formats import FLOAT32, DataType, Format
from bnnhw.ir.nodes import Node


@dataclass(frozen=True)
class TensorType:
    """Shape of one sample (no batch axis), and format."""

    shape: tuple[int, ...]
    format: Format = FLOAT32


@dataclass(frozen=True)
class Graph:
    """A network.

    Parameters
    ----------
    name
        The model's name, for reports.
    input
        Name of the one input tensor.
    nodes
        Operations, each after those that make its inputs.
    tensors
        Type of the input and of every node's output.
    outputs
        Role -> tensor: ``outputs`` (what the model file outputs) always; after the passes also
        ``integers`` (the last layer's) and, for classifiers, ``prediction``.
    notes
        Remarks for the user, such as a dropped node.
    input_format
        The format that the model file declares for its input values, where it declares one.
    """

    name: str
    input: str
    nodes: tuple[Node, ...]
    tensors: Mapping[str, TensorType]
    outputs: Mapping[str, str]
    notes: tuple[str, ...] = field(default=())
    input_format: DataType | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))
        object.__setattr__(self, "outputs", MappingProxyType(dict(self.outputs)))

    def producer(self, tensor: str) -> Node | None:
        """The node that makes `tensor`; None for the graph's input."""
        return next((node for node in self.nodes if node.output == tensor), None)

    def consumers(self, tensor: str) -> tuple[Node, ...]:
        """The nodes that read `tensor`, in order."""
        return tuple(node for node in self.nodes if tensor in node.inputs)

    def with_nodes(self, nodes: Sequence[Node], **changes: object) -> Graph:
        """A copy with other nodes (and other fields); types of tensors that vanished are dropped."""
        tensors = changes.pop("tensors", self.tensors)
        assert isinstance(tensors, Mapping)
        alive = {self.input, *(node.output for node in nodes)}
        kept = {name: type_ for name, type_ in tensors.items() if name in alive}
        return replace(self, nodes=tuple(nodes), tensors=kept, **changes)  # type: ignore[arg-type]
