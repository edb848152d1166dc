"""What is known while a model file is translated node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.frontend.container import MAX_ELEMENTS, Container
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import TensorType
from bnnhw.ir.nodes import (
    ArgMax,
    Concat,
    Conv,
    Gather,
    Hardmax,
    Lookup,
    MatMul,
    MaxPool,
    Node,
    Pad,
    Reshape,
    Sigmoid,
    Slice,
    Softmax,
    Sum,
    SumPool,
)
from bnnhw.ir.shapes import infer

Array = NDArray[np.generic]

# All constants that a file's expressions make, together.
MAX_FOLDED = 2 * MAX_ELEMENTS
# The one of a node's IR nodes that bears its name in reports, if there is one of these.
_NAMED = (MatMul, Conv, MaxPool, SumPool, Sum, Concat, Slice, Gather, Lookup, Pad)


class Unreached(Exception):
    """A node reads what a refused node would make; what can be said about it without that has been checked."""


@dataclass(frozen=True)
class Windows:
    """What an Im2Col node makes, until a MatMul turns it into a convolution.

    Parameters
    ----------
    node
        The Im2Col's name.
    tensor
        The IR tensor that it reads, (H, W, C).
    geometry, value
        Its windows, and what it pads with.
    """

    node: str
    tensor: str
    geometry: Geometry
    value: float


@dataclass(frozen=True, eq=False)
class Addresses:
    """Numbers that bits of a vector make, until tables are looked up at them.

    Parameters
    ----------
    node
        The node of the file that chose the bits.
    tensor
        The IR tensor that it reads, (B,), of zeros and ones.
    wiring
        (M, k): the bits that each of M numbers is made of.
    factors, offsets
        (M, k) and (M,): what each of them adds to its number, and what the number is without.
    summed
        Whether the file's tensor is the numbers, (1, M) or (1, M, 1), and not yet what is added up to them, (1, M, k).
    """

    node: str
    tensor: str
    wiring: NDArray[np.int64]
    factors: NDArray[np.int64]
    offsets: NDArray[np.int64]
    summed: bool = False


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
    integers
        The number formats of tensors of the file that QuantizeLinear made, up to what makes floats of them again.
    current
        The IR tensor that stands for a tensor of the file, where the names differ.
    windows
        The tensors of the file that an Im2Col makes; no IR tensor stands for them.
    addresses
        The tensors of the file that are addresses in tables, or the bits of these; no IR tensor stands for them. None
        for those that a refused node would make.
    makers
        The IR node that makes an IR tensor.
    layers, folded
        How many layers with weights, and elements of folded constants, there are so far.
    taken
        Names of IR nodes.
    parts
        How many IR nodes stand for a node so far.
    ends
        For IR tensors that are answers, what turned the last layer's outputs into one.
    """

    file: Container
    constants: dict[str, Array]
    needed: set[str]
    shapes: dict[str, tuple[int, ...] | None]
    types: dict[str, TensorType]
    scales: dict[str, Array] = field(default_factory=dict)
    integers: dict[str, DataType] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)
    windows: dict[str, Windows] = field(default_factory=dict)
    addresses: dict[str, Addresses | None] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    makers: dict[str, Node] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    layers: int = 0
    folded: int = 0
    taken: set[str] = field(default_factory=set)
    parts: Counter[str] = field(default_factory=Counter)
    ends: dict[str, Node] = field(default_factory=dict)

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

    def weights(self, node: onnx.NodeProto) -> Array:
        """The constant that a layer multiplies its input by."""
        if len(self.all_data(node)) > 1 and node.input[1] not in self.constants:
            raise Refusal("a product of two tensors, which does not map yet", "use a layer of constant weights")
        return self.constant(node, 1, "weights")

    def define(self, tensor: str, value: Array) -> None:
        """`tensor` is a constant."""
        self.folded += value.size
        if self.folded > MAX_FOLDED:
            raise Refusal(f"constants of more than {MAX_FOLDED} elements together", "export the model again")
        self.constants[tensor] = value

    def emit(self, node: onnx.NodeProto, *made: Node, inputs: Sequence[str] = ()) -> None:
        """Appends IR nodes that together stand for `node`.

        The first reads the IR tensors `inputs`, or without any what stands for the one input of `node` that is no
        constant; each of the others reads what the one before it makes.
        """
        tensors = tuple(inputs) or (self.tensor(self.data(node)),)
        principal = max((k for k, part in enumerate(made) if isinstance(part, _NAMED)), default=len(made) - 1)
        for k, part in enumerate(made[:-1]):
            tensors = (self.place(node, part, *tensors, named=k == principal),)
        named = principal == len(made) - 1
        output = self.place(node, made[-1], *tensors, named=named, output=node.output[0])
        self.shapes[node.output[0]] = (1, *self.types[output].shape)

    def place(self, node: onnx.NodeProto, part: Node, *tensors: str, named: bool = False, output: str = "") -> str:
        """Appends one of the IR nodes that stand for `node`, and gives the tensor that it makes.

        `named` is the one with the name of `node`; `output` is the tensor's name where it is a tensor of the file.
        """
        end = next((self.ends[tensor] for tensor in tensors if tensor in self.ends), None)
        if end is not None and not isinstance(part, (ArgMax, Reshape)):
            raise Refusal(
                f"stands after {end.op}, which does not map between layers yet",
                f"end the model with {end.op}, or with what goes into it",
            )
        stem = node_name(node)
        k = self.parts[stem]
        self.parts[stem] += 1
        output = output or _unique(f"{node.output[0]}.{k}", self.types, self.file.tensors)
        name = _unique(stem if named else f"{stem}.{k}", self.taken)
        placed = replace(part, name=name, inputs=tensors, output=output, source=(stem,))
        self.types[output] = self.infer(tensors, placed)
        self.taken.add(name)
        self.nodes.append(placed)
        self.makers[output] = placed
        if isinstance(placed, (Softmax, Hardmax, Sigmoid, ArgMax)):
            end = placed
        if end is not None:
            self.ends[output] = end
        return output

    def infer(self, tensors: Sequence[str], *made: Node) -> TensorType:
        """Type of what a chain of IR nodes makes of IR tensors."""
        types = [self.types[tensor] for tensor in tensors]
        try:
            for part in made:
                types = [infer(part, *types)]
        except ValueError as error:
            raise Refusal(str(error), "export the model again") from None
        if prod(types[0].shape) > MAX_ELEMENTS:
            raise Refusal(f"a tensor of shape {types[0].shape}", "make it smaller: no such network fits an FPGA here")
        return types[0]

    def alias(self, node: onnx.NodeProto) -> None:
        """`node` changes nothing."""
        tensor = self.data(node)
        self.shapes[node.output[0]] = self.shape(tensor)
        self.current[node.output[0]] = self.tensor(tensor)

    def tensor(self, name: str) -> str:
        """The IR tensor that stands for the tensor `name` of the file, which is no constant."""
        self.shape(name)
        if name in self.windows:
            raise Refusal(f"reads the windows of {self.windows[name].node}", "only a MatMul may stand after an Im2Col")
        if (addresses := self.addresses.get(name)) is not None:
            raise Refusal(
                f"reads the bits that {addresses.node} chose",
                "add their products with powers of two, and look the sum up in a constant table",
            )
        return self.current.get(name, name)

    def data(self, node: onnx.NodeProto) -> str:
        """The one input that is not a constant.

        Raises
        ------
        Refusal
            If there are several.
        """
        found = self.all_data(node)
        if len(found) != 1:
            raise Refusal(f"{len(found)} inputs that are no constants", "only Add, Sum and Concat take several")
        return found[0]

    def all_data(self, node: onnx.NodeProto) -> list[str]:
        """The inputs that are not constants, in order."""
        found = [str(name) for name in node.input if name and name not in self.constants]
        if len(found) > 1 and any(self._lost(name) for name in found):
            raise Unreached
        return found

    def end(self, node: onnx.NodeProto) -> Node | None:
        """What has turned the last layer's outputs into an answer before `node`, if anything has."""
        return self.ends.get(self.tensor(self.data(node)))

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
