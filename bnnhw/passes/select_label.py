"""Finds integer scores whose order is the order of the model's own float outputs."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import ModelError
from bnnhw.ir.bounds import reachable
from bnnhw.ir.elementwise import apply
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import (
    ArgMax,
    Arithmetic,
    Dequant,
    Hardmax,
    Node,
    Reshape,
    Scale,
    Sigmoid,
    Softmax,
    Threshold,
    Transpose,
)
from bnnhw.ir.spec import last_integers
from bnnhw.passes.rewrite import Builder, label

# Scores get at most this many bits below the largest scale: some for what a float32 tells apart, some for classes whose
# scales are far apart.
MAX_SCALE_BITS = 36
# Integers of one class times classes that are checked one by one; beyond, every 2^k-th integer is.
MAX_PAIRS = 1 << 21
# Of those, so many are looked at first: most scales fail with them.
FIRST_PAIRS = 1 << 15
# From here on, float32's Sigmoid is 1, or as good as that.
SATURATED = 14.0

# What keeps the largest where it is.
_ORDERED = (Sigmoid, Softmax, Hardmax)


def run(graph: Graph) -> Graph:
    """Adds the outputs ``integers`` and ``prediction``, the argmax of ``scale[c] * integer[c] + bias[c]``.

    The scale and bias are the coarsest power-of-two rounding of the float32 function after the last layer for which
    every
    reachable pair of (class, integer) keeps its order. Pairs that float32 itself cannot keep apart may fall either
    way; a note tells how near they are.

    Raises
    ------
    ModelError
        If no such scores exist: the function after the last layer is no affine one, or mixes classes.
    """
    last = last_integers(graph)
    if prod(graph.tensors[last.output].shape[:-1]) > 1:
        raise ModelError(
            f"model {graph.name}: layer {label(last)}: its output is a map of {graph.tensors[last.output].shape}, and "
            "no class per image; end the model with a global pool or a dense layer"
        )
    suffix = list(graph.nodes[graph.nodes.index(last) + 1 :])
    low, high = _range(graph, last)
    stride = max(1, -(-int((high - low).max() + 1) * len(low) // MAX_PAIRS))
    span = np.arange(0, int((high - low).max()) + 1, stride)
    values = np.minimum(low + span[:, None], high)
    floats = _scores(values, suffix)
    notes = graph.notes
    scale, bias, unit, exact = _affine(graph, last, values, floats)
    if not exact:
        notes = (
            *notes,
            f"{label(last)}: some outputs are closer than float32 can distinguish; either may be predicted there",
        )
    noise = _noise(suffix)
    margin = float((noise * unit).max()) if (noise > 0).any() else -1.0
    if margin >= 0 and exact and len(scale) > 1:
        notes = (
            *notes,
            f"{label(last)}: classes with equal or nearly equal scores may be ordered differently where float32 rounds "
            "the sums; the hardware takes the first of equal ones, and `compare` counts such samples separately",
        )
    if len(scale) > 1 and any(isinstance(node, Sigmoid) for node in suffix) and floats.max() > SATURATED:
        notes = (
            *notes,
            f"{label(last)}: scores beyond {SATURATED:g} have one and the same Sigmoid in float32; the hardware still "
            "orders them, and `compare` counts such samples separately",
        )
    prediction = ArgMax(
        name="prediction", inputs=(last.output,), output="prediction", scale=scale, bias=bias, margin=margin
    )
    outputs = {**graph.outputs, "integers": last.output, "prediction": "prediction"}
    builder = Builder(graph)
    for node in graph.nodes:
        # A Sigmoid or Softmax keeps the order, but float32 may round two scores to one.
        if isinstance(node, ArgMax) and isinstance(before := graph.producer(node.inputs[0]), _ORDERED):
            node = replace(node, inputs=before.inputs)
        builder.add(node)
    builder.add(prediction)
    return builder.graph(outputs, notes=notes)


def _range(graph: Graph, last: Node) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if isinstance(last, Threshold):
        channels = np.zeros(last.thresholds.shape[0], np.int64)
        return channels + last.table.min(axis=1), channels + last.table.max(axis=1)
    if isinstance(last, Scale):
        ends = np.sort(last.offset + last.step * np.stack(np.broadcast_arrays(last.low, last.high)), axis=0)
        channels = np.zeros(last.factors.shape[1], np.int64)
        return channels + ends[0], channels + ends[1]
    return reachable(last.output, graph.tensors, {node.output: node for node in graph.nodes})


def _scores(values: NDArray[np.int64], suffix: list[Node]) -> NDArray[np.float64]:
    """The float outputs at `values` (integers, classes), as far as they decide the order."""
    result: NDArray[Any] = values
    for node in suffix:
        if isinstance(node, (*_ORDERED, ArgMax)):
            break  # these keep the order, and nothing but them follows
        if not isinstance(node, (Reshape, Transpose)):
            result = apply(node, result)
    return np.asarray(result, np.float64)


def _noise(suffix: list[Node]) -> NDArray[np.float64]:
    """How far the float outputs of another executor may be from those of exact sums, twice: for two of them."""
    noise = np.zeros(1)
    for node in suffix:
        if isinstance(node, Dequant):
            noise = noise + node.noise
        elif isinstance(node, Arithmetic) and node.operation != "add":
            factor = np.abs(node.operand.astype(np.float64))
            noise = noise * (factor if node.operation == "mul" else 1 / factor)
    return 2 * noise


def _affine(
    graph: Graph, last: Node, values: NDArray[np.int64], floats: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], float, bool]:
    """Integer scale and bias of each class, what a float of 1 is in scores, and whether they keep the order of exactly
    equal floats as well."""
    if not np.isfinite(floats).all() or (floats[0] == floats[-1]).all():
        raise ModelError(
            f"model {graph.name}: layer {label(last)}: its outputs are constant or infinite, so there is no class"
        )
    span = np.maximum(values[-1] - values[0], 1)
    gain = (floats[-1] - floats[0]) / span
    start = floats[0] - gain * values[0]
    largest = np.abs(gain).max()
    some = slice(None, None, max(1, values.size // FIRST_PAIRS))
    for tolerance in (0.0, 2 * float(np.finfo(np.float32).eps)):
        error = tolerance * np.abs(floats).max(axis=0)
        for bits in range(MAX_SCALE_BITS):
            unit = largest / (1 << bits)
            scale = np.rint(gain / unit).astype(np.int64)
            bias = np.rint((start - start.min()) / unit).astype(np.int64)
            scores = values * scale + bias
            _, value, _, near = _sorted(scores[some], floats[some], error)
            if _rises(value, near) and _same_order(scores, floats, error):
                return scale, bias, 1 / unit, tolerance == 0.0
    raise ModelError(
        f"model {graph.name}: layer {label(last)}: what follows it is not a scale and a bias per class; "
        "end the model with the layer's own outputs"
    )


Sorted = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]


def _same_order(scores: NDArray[np.int64], floats: NDArray[np.float64], error: NDArray[np.float64]) -> bool:
    """Whether scores (integers, classes) of different classes compare as their floats do, but for floats that differ
    by no more than the `error` of their classes."""
    score, value, classes, error = _sorted(scores, floats, error)
    if not _rises(value, error):
        return False
    differ = classes[1:] != classes[:-1]
    tie = score[1:] == score[:-1]
    near = value[1:] - value[:-1] <= error[1:] + error[:-1]
    # Equal scores must be equal floats; without tolerance, equal floats must be equal scores as well.
    return not (differ & tie & ~near).any() and (bool(error.any()) or not (differ & ~tie & near).any())


def _sorted(scores: NDArray[np.int64], floats: NDArray[np.float64], error: NDArray[np.float64]) -> Sorted:
    """Scores, floats, classes and errors in the order of the scores."""
    classes = np.broadcast_to(np.arange(scores.shape[1]), scores.shape).reshape(-1)
    errors = np.broadcast_to(error, scores.shape).reshape(-1)
    order = np.lexsort((floats.reshape(-1), scores.reshape(-1)))
    return scores.reshape(-1)[order], floats.reshape(-1)[order], classes[order], errors[order]


def _rises(value: NDArray[np.float64], error: NDArray[np.float64]) -> bool:
    """Whether no float is above one behind it."""
    return not bool((np.maximum.accumulate(value - error)[:-1] > (value + error)[1:]).any())
