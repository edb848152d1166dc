"""Where quantisers are missing: which tensors need one, and which of these share a scale.

The walk knows four kinds of tensors: what software prepares in front of the first layer, codes, affine functions of a
layer's sums, and what is neither. A layer takes codes; a sum of branches takes codes whose scales have a common unit; a
pool takes codes or sums. Where they get something else, a quantiser goes behind the node that made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.context import node_name
from bnnhw.frontend.maps import of_channels_last

Array = NDArray[np.generic]

LAYERS = ("Conv", "MatMul", "Gemm")
# They move values about, or leave some out.
# fmt: off
MOVERS = {
    "MaxPool", "MaxPoolNHWC", "GlobalMaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity",
    "Dropout", "Cast", "Pad", "Slice", "Split", "Gather", "DequantizeLinear",
}
POOLS = {"AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum", "QuantAvgPool2d"}
QUANTISERS = {
    "Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Sign", "Round", "Floor", "Ceil", "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Where", "QuantizeLinear", "Trunc",
}
# fmt: on
JOINS = {"Add", "Sum", "Sub"}
AFFINE = {"Add", "Sub", "Mul", "Div", "Neg", "BatchNormalization"}
# Of the codes that a layer takes; software gives the first one more.
MAX_BITS = 8


class Kind(Enum):
    """What a tensor is."""

    SOFTWARE = auto()
    CODES = auto()
    SUMS = auto()
    OTHER = auto()


@dataclass(frozen=True)
class State:
    """What is known of a tensor.

    Parameters
    ----------
    kind
        See `Kind`.
    narrow
        Of codes: a layer can take them.
    unit
        Of codes: whether they are as their quantisers gave them, or sums of those, so that scales have a common unit.
    makers
        The tensors whose quantisers gave the codes.
    """

    kind: Kind
    narrow: bool = False
    unit: bool = False
    makers: frozenset[str] = frozenset()

    @property
    def taken_by_layers(self) -> bool:
        return self.kind is Kind.CODES and self.narrow

    @property
    def taken_by_sums(self) -> bool:
        return self.kind is Kind.CODES and self.unit


@dataclass
class Placement:
    """Where quantisers go.

    Parameters
    ----------
    points
        Tensors that get a quantiser, in the order of the file, each with the names of the nodes that it is for.
    units
        Groups of quantised tensors whose scales need a common unit, since they are added up.
    scales
        Groups of quantised tensors that are joined in front of a layer, and need one scale.
    """

    points: dict[str, list[str]] = field(default_factory=dict)
    units: list[frozenset[str]] = field(default_factory=list)
    scales: list[frozenset[str]] = field(default_factory=list)


def place(nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Array], source: str, *, codes: bool) -> Placement:
    """Where `nodes`, in the order of their edges, lack quantisers.

    Parameters
    ----------
    constants
        Every tensor whose value is known.
    source, codes
        The network's input, and whether it has a format.
    """
    walk = _Walk(nodes, constants, source, codes)
    while (missing := walk.missing()) is not None:
        walk.points.add(missing)
    return walk.placement()


class _Walk:
    def __init__(
        self, nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Array], source: str, codes: bool
    ) -> None:
        self._live = data(nodes, source)
        self._nodes = [node for node in nodes if self._live & set(node.output)]
        self._constants, self._source = constants, source
        self._makers = {name: node for node in self._nodes for name in node.output}
        kind = Kind.CODES if codes else Kind.SOFTWARE
        self._input = State(kind, codes, codes, frozenset({source}) if codes else frozenset())
        self.points: set[str] = set()

    def missing(self) -> str | None:
        """The first tensor that needs a quantiser and has none yet."""
        states = self._states()
        for node in self._nodes:
            for name in self._unmet(node, states):
                if (origin := self._origin(name)) not in self.points:
                    return origin
        return None

    def placement(self) -> Placement:
        """With what has been found."""
        states, found = self._states(), Placement()
        users: dict[str, list[str]] = {name: [] for name in self.points}
        for node in self._nodes:
            read = self._data(node)
            for name in dict.fromkeys(self._origin(name) for name in read):
                if name in users and node.op_type not in MOVERS:
                    users[name].append(node_name(node))
            makers = [states[name].makers for name in read]
            if node.op_type in JOINS and len(read) > 1:
                found.units.append(frozenset().union(*makers))
            elif node.op_type == "Concat" and all(states[name].taken_by_layers for name in read):
                found.scales.append(frozenset().union(*makers))
        order = [self._source, *(name for node in self._nodes for name in node.output)]
        found.points = {name: users[name] for name in order if name in users}
        return found

    def _data(self, node: onnx.NodeProto) -> list[str]:
        return [str(name) for name in node.input if name in self._live]

    def _origin(self, name: str) -> str:
        """The tensor whose values `name` holds, in another arrangement."""
        while name not in self.points and name in self._makers and self._makers[name].op_type in MOVERS:
            name = self._data(self._makers[name])[0]
        return name

    def _states(self) -> dict[str, State]:
        quantised = {name: State(Kind.CODES, True, True, frozenset({name})) for name in self.points}
        states = {self._source: quantised.get(self._source, self._input)}
        for node in self._nodes:
            state = self._after(node, [states[name] for name in self._data(node)])
            for name in node.output:
                states[name] = quantised.get(name, state)
        return states

    def _after(self, node: onnx.NodeProto, inputs: Sequence[State]) -> State:
        """What `node` makes of tensors of those kinds."""
        first, op = inputs[0], node.op_type
        if op in QUANTISERS:
            return State(Kind.CODES, self._bits(node) <= MAX_BITS, True, frozenset({node.output[0]}))
        if all(state.kind is Kind.SOFTWARE for state in inputs) and op not in LAYERS:
            return first
        if op in LAYERS and len(inputs) == 1:
            return State(Kind.SUMS)
        if op in MOVERS or (op in ("Relu", "Clip", "Max", "Min") and first.kind is Kind.CODES):
            return first
        if op in POOLS:
            return replace(first, narrow=False)
        if op in JOINS and len(inputs) > 1 and all(state.taken_by_sums for state in inputs):
            return State(Kind.CODES, False, True, frozenset().union(*(state.makers for state in inputs)))
        if op == "Concat" and all(state.kind in (Kind.CODES, Kind.SUMS) for state in inputs):
            if all(state.taken_by_layers for state in inputs):
                return State(Kind.CODES, True, False, frozenset().union(*(state.makers for state in inputs)))
            return State(Kind.SUMS)
        if op in AFFINE and len(inputs) == 1 and first.kind in (Kind.CODES, Kind.SUMS):
            return self._affine(node, first)
        return State(Kind.OTHER)

    def _affine(self, node: onnx.NodeProto, before: State) -> State:
        """Behind arithmetic with constants: codes stay codes if all of them get the same factor.

        With an addend they do not, since a convolution may pad with zero, which then is none of them.
        """
        sizes = [self._constants[name].size if name in self._constants else 0 for name in node.input]
        if before.kind is Kind.SUMS or node.op_type not in ("Mul", "Div", "Neg") or max(sizes) > 1:
            return State(Kind.SUMS)
        return replace(before, unit=before.unit and node.op_type == "Neg")

    def _bits(self, node: onnx.NodeProto) -> int:
        """Of the codes that a quantiser of the file gives, where it says so."""
        if node.op_type in ("Quant", "IntQuant") and len(node.input) > 3:
            width = self._constants.get(node.input[3])
            return 1 if width is None else int(np.asarray(width).reshape(-1)[0])
        return 1

    def _unmet(self, node: onnx.NodeProto, states: Mapping[str, State]) -> Iterator[str]:
        """What `node` reads, and cannot."""
        read = self._data(node)
        if node.op_type in LAYERS and len(read) == 1:
            yield from (name for name in read if not states[name].taken_by_layers)
        if all(states[name].kind is Kind.SOFTWARE for name in read):
            return
        if node.op_type in POOLS or node.op_type == "Concat":
            yield from (name for name in read if states[name].kind in (Kind.OTHER, Kind.SOFTWARE))
        elif node.op_type in JOINS and len(read) > 1:
            yield from (name for name in read if not states[name].taken_by_sums)


def data(nodes: Sequence[onnx.NodeProto], source: str) -> set[str]:
    """The tensors that the input `source` gives; shapes are none of them."""
    found = {source}
    for node in nodes:
        if node.op_type not in ("Shape", "Size") and found & set(node.input):
            found |= set(node.output) - {""}
    return found


def ends(nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Array], source: str) -> tuple[set[str], set[str]]:
    """Names of the layers that take the network's input, and of those that give its output."""
    before: dict[str, frozenset[str]] = {source: frozenset()}
    first, passed, names = set[str](), set[str](), set[str]()
    live = data(nodes, source)
    for node in nodes:
        if not live & set(node.output):
            continue
        seen = frozenset().union(*(before[name] for name in node.input if name in live))
        if is_layer(node, constants):
            name = node_name(node)
            first |= set() if seen else {name}
            passed |= seen
            names.add(name)
            seen = frozenset({name})
        before.update(dict.fromkeys(node.output, seen))
    return first, names - passed


def is_layer(node: onnx.NodeProto, constants: Mapping[str, Array]) -> bool:
    """Whether a node multiplies data by constant weights."""
    return (
        node.op_type in LAYERS and len(node.input) > 1 and node.input[1] in constants and node.input[0] not in constants
    )


def output_axis(node: onnx.NodeProto) -> int:
    """The axis of a layer's weights along which its outputs lie."""
    if node.op_type == "Conv" or (node.op_type == "Gemm" and attribute(node, "transB", 0)):
        return 0
    return -1


def channel_axis(node: onnx.NodeProto) -> int:
    """The axis of a layer's outputs along which its channels lie."""
    return 1 if node.op_type == "Conv" and not of_channels_last(node) else -1
