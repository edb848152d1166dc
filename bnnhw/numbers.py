"""What a design around an accelerator must know of its numbers: from values to codes, from integers to scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.floats import LAST, first_where, numbered
from bnnhw.ir.elementwise import ELEMENTWISE, PARAMETERS, apply
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Arithmetic, Dequant, Encode, MultiThreshold, Node, Reshape, Slice, Transpose
from bnnhw.reference import encode_inputs
from bnnhw.reference.kernels import evaluate

ORDERING = (Reshape, Transpose, Slice)
# How far a cut may be from that of a straight line, in steps of the code, for the line to be given instead: what
# float32 makes of it.
STRAIGHT = 1e-3
# More are not searched for: 16-bit codes of a map with parameters per channel.
MAX_CUTS = 1 << 22


@dataclass(frozen=True, eq=False)
class Encoding:
    """How the software in front of the accelerator makes codes of values.

    Parameters
    ----------
    integers
        (levels,) int64, what the codes stand for, ascending.
    order
        (elements,) int64: element j of a frame is element ``order[j]`` of the model's input, flattened row by row.
    groups
        (elements,) int64: which column of `cuts` belongs to the element.
    cuts
        (levels - 1, columns) float32: the integer is at least ``integers[k + 1]`` from ``cuts[k]`` on; where `falling`
        is set, up to ``cuts[k]``.
    falling
        (columns,) bool.
    """

    integers: NDArray[np.int64]
    order: NDArray[np.int64]
    groups: NDArray[np.int64]
    cuts: NDArray[np.float32]
    falling: NDArray[np.bool_]

    @property
    def in_order(self) -> bool:
        """Whether a frame has the elements of the model's input as they lie there."""
        return bool((self.order == np.arange(len(self.order))).all())

    def line(self, column: int) -> tuple[float, float] | None:
        """Scale and offset of a column: the integer is ``round(scale * x + offset)``, clipped to `integers`; None where
        the cuts lie on no straight line, or there is only one."""
        if len(self.integers) < 3:
            return None
        cuts = self.cuts[:, column].astype(np.float64)
        middles = (self.integers[1:] + self.integers[:-1]) / 2
        if cuts[0] == cuts[-1]:
            return None
        scale = float((middles[-1] - middles[0]) / (cuts[-1] - cuts[0]))
        offset = float(middles[0] - scale * cuts[0])

        def error(scale: float, offset: float) -> float:
            return float(np.abs(scale * cuts + offset - middles).max() / (self.integers[1] - self.integers[0]))

        found = error(scale, offset)
        if not found < STRAIGHT:
            return None
        for digits in range(1, 10):  # the shortest numbers that are as good: 0.375, not 0.374999949
            short = float(f"{scale:.{digits}g}"), round(offset, digits - 1) + 0.0
            if error(*short) <= max(2 * found, 1e-6):
                return short
        return scale, offset


def input_facts(graph: Graph) -> dict[str, Any]:
    """What the hardware's input is, and how the software in front of it gets there from real values.

    Returns
    -------
    dict
        ``shape`` of the model's input; ``format`` of the codes, which stand for the integers ``low`` to ``high``;
        ``lines``, the different pairs of scale and offset with which ``round(scale * x + offset)``, clipped, is the
        integer: one where all elements are alike, none where it is no such line; ``cuts``, where all elements are alike
        and it is no line: the integer goes up by a step at each of these values, or down where ``falling``; ``given``,
        whether the model states that its inputs are these integers already.
    """
    found, encode = encoding(graph), _until_codes(graph)[-1]
    assert isinstance(encode, Encode)
    facts: dict[str, Any] = {
        "shape": list(graph.tensors[graph.input].shape),
        "format": encode.dtype.name,
        "low": encode.offset,
        "high": encode.offset + encode.step * (encode.levels - 1),
        "lines": [],
        "cuts": [],
        "falling": False,
        "given": graph.input_format is not None,
    }
    if found is not None:
        lines = [found.line(column) for column in range(len(found.falling))]
        straight = [line for line in lines if line is not None]
        if len(straight) == len(lines):
            facts["lines"] = [list(line) for line in dict.fromkeys(straight)]
        elif len(lines) == 1:
            facts |= {"cuts": found.cuts[:, 0].tolist(), "falling": bool(found.falling[0])}
    return facts


def encoding(graph: Graph) -> Encoding | None:
    """The encoding of a network's input; None where it is more than a function of each element, or too large to list,
    or where the model says that its inputs are integers already."""
    nodes = _until_codes(graph)
    encode = nodes[-1]
    assert isinstance(encode, Encode)
    if graph.input_format is not None or not all(isinstance(node, (*ELEMENTWISE, *ORDERING)) for node in nodes):
        return None
    order = input_order(graph)
    assert order is not None
    integers = encode.offset + encode.step * np.arange(encode.levels, dtype=np.int64)
    if all(_is_scalar(node) for node in nodes):
        # All elements alike: one of them is enough.
        def codes(values: NDArray[np.float32]) -> NDArray[np.int64]:
            found = values
            for node in nodes:
                if isinstance(node, ELEMENTWISE):
                    found = apply(node, found)
            return np.asarray(found, np.int64).reshape(values.shape)

        columns, groups = 1, np.zeros(len(order), np.int64)
    else:
        shape = graph.tensors[graph.input].shape

        def codes(values: NDArray[np.float32]) -> NDArray[np.int64]:
            samples = np.zeros((len(values), int(np.prod(shape))), np.float32)
            samples[:, order] = values
            return encode_inputs(graph, samples.reshape(-1, *shape)).reshape(len(values), -1).astype(np.int64)

        columns, groups = len(order), np.arange(len(order))
        if columns * len(integers) > MAX_CUTS:
            return None
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = codes(numbered(np.array([[-LAST], [LAST]])).repeat(columns, 1))
        falling = low > high
        direction = np.where(falling, -1, 1).astype(np.float32)
        wanted = integers[1:, None]
        numbers = first_where(lambda values: codes(values * direction) >= wanted, (len(integers) - 1, columns))
    cuts = numbered(numbers) * direction
    if columns > 1:
        # What is alike shares a column.
        both, groups = np.unique(np.vstack([cuts, falling]), axis=1, return_inverse=True)
        cuts, falling = both[:-1].astype(np.float32), both[-1].astype(bool)
    return Encoding(integers, order, groups.reshape(-1), cuts, falling)


def input_order(graph: Graph) -> NDArray[np.int64] | None:
    """(elements,) of a frame: where each lies in the model's input, flattened; None where they are not simply moved."""
    shape = graph.tensors[graph.input].shape
    places = np.arange(int(np.prod(shape)), dtype=np.float64).reshape(1, *shape)
    for node in _until_codes(graph):
        if isinstance(node, ORDERING):
            places = evaluate(node, places)
        elif not isinstance(node, ELEMENTWISE):
            return None
    return places.reshape(-1).astype(np.int64)


def _until_codes(graph: Graph) -> list[Node]:
    """The software in front of the accelerator."""
    last = next(k for k, node in enumerate(graph.nodes) if isinstance(node, Encode))
    return list(graph.nodes[: last + 1])


def _is_scalar(node: Node) -> bool:
    """Whether a node does the same to all elements."""
    if isinstance(node, MultiThreshold):
        return node.thresholds.size == len(node.thresholds)
    return all(np.size(getattr(node, name)) <= 1 for name in PARAMETERS.get(type(node), ()))


@dataclass(frozen=True, eq=False)
class Scores:
    """What the software behind the accelerator makes of its integers: ``scale * integer + offset``, in float32.

    Parameters
    ----------
    scale, offset
        (elements,) float64.
    rest
        Names of the operators of the model that follow, which are the user's to compute.
    """

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    rest: tuple[str, ...]

    @property
    def uniform(self) -> bool:
        """Whether all integers have the same scale and offset."""
        return bool((self.scale == self.scale[0]).all() and (self.offset == self.offset[0]).all())


def scores(graph: Graph) -> Scores:
    """The way from the last integers to the model's outputs."""
    name = graph.outputs["integers"]
    shape = graph.tensors[name].shape
    scale, offset = np.ones(shape), np.zeros(shape)
    rest: list[str] = []
    for node in graph.nodes:
        if not node.inputs or node.inputs[0] != name or name == graph.outputs["outputs"]:
            continue
        if isinstance(node, Dequant) and not rest:
            scale, offset = scale * node.scale, offset * node.scale
        elif isinstance(node, Arithmetic) and not rest:
            operand = node.operand.astype(np.float64)
            if node.operation == "add":
                offset = offset + operand
            else:
                factor = operand if node.operation == "mul" else 1 / operand
                scale, offset = scale * factor, offset * factor
        elif node.output == graph.outputs.get("prediction") and node.output != graph.outputs["outputs"]:
            continue
        else:
            rest.append(node.op)
        name = node.output
    flat = int(np.prod(shape))
    return Scores(
        np.broadcast_to(scale, shape).reshape(flat), np.broadcast_to(offset, shape).reshape(flat), tuple(rest)
    )
