"""What is known while a model file is translated node by node."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend.container import MOST_ELEMENTS, Container
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.graph import TensorType
from bnnhw.ir.nodes import ArgMax, Node, Reshape, Sigmoid, Softmax
from bnnhw.ir.shapes import infer

Array = NDArray[np.generic]

# All constants that a file's expressions make, together.
MOST_FOLDED = 2 * MOST_ELEMENTS


class Unreached(Exception):
    """A node reads what a refused node would make; what can be said about it without that has been checked."""


@dataclass
class Context:
    """The state of one walk.

    Parameters
    ----------
    file
        The model file's content.
    constants
        Every tensor whose value is known.
    needed
        Every tensor that the output depends on.
    shapes
        Shape of every other tensor, with a batch axis of 1; None where a refused node makes it.
    types
        Type of every IR tensor.
    scales
        For constants that are whole multiples of a scale, that scale, as an array of their shape.
    current
        The IR tensor that stands for a tensor of the file, where the names differ.
    layers, folded
        How many layers with weights, and elements of folded constants, there are so far.
    taken
        Names of IR nodes.
    end
        What turned the last layer's outputs into an answer, once that happened.
    """

    file: Container
    constants: dict[str, Array]
    needed: set[str]
    shapes: dict[str, tuple[int, ...] | None]
    types: dict[str, TensorType]
    scales: dict[str, Array] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    layers: int = 0
    folded: int = 0
    taken: set[str] = field(default_factory=set)
    end: Node | None = None

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Shape of a tensor that is no constant, with its batch axis."""
        shape = self.shapes.get(tensor)
        if shape is None:
            raise Unreached
        return shape

    def constant(self, node: onnx.NodeProto, position: int, what: str) -> Array:
        """A constant input, by position."""
        name = node.input[position] if position < len(node.input) else ""
        if name not in self.constants:
            if self._lost(name):
                raise Unreached
            raise Refusal(f"its {what} is not a constant", "export the model with constant parameters")
        return self.constants[name]

    def define(self, tensor: str, value: Array) -> None:
        """`tensor` is a constant."""
        self.folded += value.size
        if self.folded > MOST_FOLDED:
            raise Refusal(f"constants of more than {MOST_FOLDED} elements together", "export the model again")
        self.constants[tensor] = value

    def emit(self, node: onnx.NodeProto, *made: Node) -> None:
        """Appends IR nodes that together stand for `node`, whose data is its one input that is no constant."""
        source = self.data(node)
        self.shape(source)
        tensor = self.current.get(source, source)
        if self.end is not None and not isinstance(made[0], (ArgMax, Reshape)):
            raise Refusal(f"stands after {self.end.op}", f"end the model with {self.end.op}, or with what goes into it")
        for k, part in enumerate(made):
            last = k == len(made) - 1
            output = node.output[0] if last else _unique(f"{node.output[0]}.{k}", self.types, self.file.tensors)
            name = _unique(node_name(node) if last else f"{node_name(node)}.{k}", self.taken)
            self.taken.add(name)
            placed = replace(part, name=name, inputs=(tensor,), output=output, source=(node_name(node),))
            try:
                self.types[output] = infer(placed, self.types[tensor])
            except ValueError as error:
                raise Refusal(str(error), "export the model again") from None
            self.nodes.append(placed)
            tensor = output
            if isinstance(placed, (Softmax, Sigmoid, ArgMax)):
                self.end = placed
        self.shapes[node.output[0]] = (1, *self.types[tensor].shape)

    def alias(self, node: onnx.NodeProto) -> None:
        """`node` changes nothing."""
        tensor = self.data(node)
        self.shapes[node.output[0]] = self.shape(tensor)
        self.current[node.output[0]] = self.current.get(tensor, tensor)

    def data(self, node: onnx.NodeProto) -> str:
        """The one input that is not a constant.

        Raises
        ------
        Refusal
            If there are several.
        """
        found = [name for name in node.input if name and name not in self.constants]
        if len(found) != 1:
            if any(self._lost(name) for name in found):
                raise Unreached
            raise Refusal(f"{len(found)} inputs that are no constants", "only chains of layers map in this version")
        return str(found[0])

    def _lost(self, tensor: str) -> bool:
        """Whether `tensor` is what a refused node would make."""
        return tensor in self.shapes and self.shapes[tensor] is None


def _unique(name: str, *taken: Collection[str]) -> str:
    candidate, k = name, 1
    while any(candidate in names for names in taken):
        k += 1
        candidate = f"{name}.{k}"
    return candidate


def node_name(node: onnx.NodeProto) -> str:
    """The node's name, or that of its output where it has none."""
    return str(node.name or (node.output[0] if node.output else node.op_type))


# Translates a node, and says what becomes of it.
Handler = Callable[[Context, onnx.NodeProto], str]
