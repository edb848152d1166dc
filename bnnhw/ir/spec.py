"""The rules of a Graph at each stage, checked at every border between passes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from bnnhw.arithmetic.formats import FLOAT32, Float32, Format
from bnnhw.arithmetic.scaling import MAX_TOTAL_BITS
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import ELEMENTWISE
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import (
    ArgMax,
    Concat,
    Conv,
    Dense,
    Dequant,
    Encode,
    Gather,
    GroupedDense,
    Hardmax,
    Lookup,
    MatMul,
    MaxPool,
    Node,
    Pad,
    Product,
    Reshape,
    Scale,
    Slice,
    Softmax,
    Sum,
    SumPool,
    Threshold,
    Transpose,
    Window,
)
from bnnhw.ir.shapes import infer

Stage = Literal["imported", "lowered", "integer"]

_FLOAT = (
    *(kind for kind in ELEMENTWISE if kind not in (Encode, Dequant)), Product, Reshape, Transpose, Softmax, Hardmax,
    ArgMax,
)  # fmt: skip
# What becomes hardware: a Reshape moves nothing there, it only counts differently.
HARDWARE = (
    Window, Dense, GroupedDense, Threshold, Scale, MaxPool, SumPool, Sum, Concat, Slice, Gather, Lookup, Reshape,
)  # fmt: skip
_EITHER = (MaxPool, SumPool, Sum, Concat, Slice, Gather, Lookup)  # on floats and on integers
ALLOWED: dict[Stage, tuple[type[Node], ...]] = {
    "imported": (*_FLOAT, *_EITHER, MatMul, Conv, Pad),
    "lowered": (*_FLOAT, *_EITHER, Pad, Encode, Window, Dense, GroupedDense, Threshold, Scale, Dequant),
    "integer": (*_FLOAT, *_EITHER, Pad, Encode, Window, Dense, GroupedDense, Threshold, Scale, Dequant),
}


def verify(graph: Graph, stage: Stage) -> Graph:
    """`graph` itself, if it keeps the rules of `stage`.

    Raises
    ------
    ModelError
        With every rule that is broken, each naming its node.
    """
    problems = [*_structure(graph), *(f"{n.name}: {n.op} has no place here" for n in _foreign(graph, stage))]
    if not problems:
        problems = [*_types(graph), *_values(graph)]
    if not problems and stage == "integer":
        problems = list(_integer_order(graph))
    if problems:
        raise ModelError(f"model {graph.name}: not a valid graph of stage {stage}", tuple(problems))
    return graph


def last_integers(graph: Graph) -> Node:
    """The last node of a lowered `graph` that makes integers: what the hardware gives."""
    return [node for node in graph.nodes if graph.tensors[node.output].format != FLOAT32][-1]


def _structure(graph: Graph) -> list[str]:
    problems = []
    known = {graph.input}
    names: set[str] = set()
    for node in graph.nodes:
        if node.name in names:
            problems.append(f"{node.name}: the name occurs twice")
        names.add(node.name)
        problems += [f"{node.name}: reads {name!r}, which nothing before it makes" for name in set(node.inputs) - known]
        if node.output in known:
            problems.append(f"{node.name}: makes {node.output!r}, which exists already")
        known.add(node.output)
    problems += [f"{role}: no tensor {name!r}" for role, name in graph.outputs.items() if name not in known]
    problems += [f"{name}: a tensor without a type" for name in known - set(graph.tensors)]
    return problems


def _foreign(graph: Graph, stage: Stage) -> list[Node]:
    return [node for node in graph.nodes if not isinstance(node, ALLOWED[stage])]


def _types(graph: Graph) -> list[str]:
    problems = []
    for node in graph.nodes:
        try:
            made = infer(node, *(graph.tensors[name] for name in node.inputs))
        except ValueError as error:
            problems.append(f"{node.name}: {error}")
            continue
        if made != graph.tensors[node.output]:
            problems.append(f"{node.name}: makes {made}, but {node.output!r} is {graph.tensors[node.output]}")
    return problems


def _values(graph: Graph) -> list[str]:
    problems = []
    for node in graph.nodes:
        if isinstance(node, (MatMul, Conv, Dense)) and not node.weight_dtype.contains(node.weight):
            problems.append(f"{node.name}: weights outside {node.weight_dtype}")
        if isinstance(node, Dense) and graph.tensors[node.inputs[0]].format == FLOAT32:
            problems.append(f"{node.name}: its input is not of an integer format")
        if isinstance(node, Encode):
            ends = [node.offset, node.offset + node.step * (node.levels - 1)]
            scaled = np.isfinite(node.scale).all() and (node.scale != 0).all()
            if not scaled or node.levels < 1 or not node.dtype.contains(ends):
                problems.append(f"{node.name}: values {ends[0]}..{ends[1]} of scale {node.scale} outside {node.dtype}")
        if isinstance(node, Threshold):
            if np.any(np.diff(node.thresholds, axis=1) < 0):
                problems.append(f"{node.name}: thresholds that descend")
            if not node.dtype.contains(node.table):
                problems.append(f"{node.name}: values {node.table.min()}..{node.table.max()} outside {node.dtype}")
        if isinstance(node, Scale):
            problems += _scale(node, graph.tensors[node.inputs[0]].format)
    return problems


def _scale(node: Scale, x: Format) -> list[str]:
    """What a scale must keep to so that nothing overflows."""
    pieces, channels = node.factors.shape if node.factors.ndim == 2 else (0, 0)
    shaped = node.biases.shape == (pieces, channels) and node.pivots.shape == (pieces - 1, channels)
    if pieces not in (1, 2) or not shaped or {node.low.shape, node.high.shape} - {(), (channels,)}:
        return [f"{node.name}: factors, biases, pivots and limits of different shapes"]
    ends = node.offset + node.step * np.stack(np.broadcast_arrays(node.low, node.high))
    if isinstance(x, Float32) or (node.low > node.high).any() or not node.dtype.contains(ends):
        return [f"{node.name}: values {ends.min()}..{ends.max()} outside {node.dtype}"]
    largest = int(np.abs(node.factors).max()) * max(abs(x.min), abs(x.max)) + int(np.abs(node.biases).max())
    if largest >> MAX_TOTAL_BITS or not 0 <= node.shift < MAX_TOTAL_BITS:
        return [f"{node.name}: sums of more than {MAX_TOTAL_BITS} bits"]
    return []


def _integer_order(graph: Graph) -> list[str]:
    """Software before the one Encode, hardware after it, software after the last integers."""
    encodes = [node for node in graph.nodes if isinstance(node, Encode)]
    if len(encodes) != 1:
        return [f"{graph.name}: {len(encodes)} places where values become integers, instead of one"]
    inside, problems = graph.nodes.index(encodes[0]), []
    if not any(isinstance(node, (Dense, Lookup)) for node in graph.nodes):
        return [f"{graph.name}: no layer with weights or tables"]
    end = graph.nodes.index(last_integers(graph))
    for k, node in enumerate(graph.nodes):
        if isinstance(node, (Dense, Threshold, Scale)) and k < inside:
            problems.append(f"{node.name}: integers before they exist")
        if inside < k <= end and not isinstance(node, HARDWARE):
            problems.append(f"{node.name}: {node.op} between the hardware's layers")
    for role in ("outputs", "integers", "prediction"):
        if role not in graph.outputs:
            problems.append(f"{graph.name}: no output for {role}")
    return [*problems, *_classes(graph)]


def _classes(graph: Graph) -> list[str]:
    """One argmax of the last integers, with a scale and a bias for each."""
    scored = [node for node in graph.nodes if isinstance(node, ArgMax) and node.scale is not None]
    if len(scored) != 1:
        return [f"{graph.name}: {len(scored)} places where integers become a class, instead of one"]
    node, channels = scored[0], graph.tensors[last_integers(graph).output].shape[-1:]
    if node.bias is None or node.scale is None or not node.scale.shape == node.bias.shape == channels:
        return [f"{node.name}: no scale and bias for each of {channels} integers"]
    return []
