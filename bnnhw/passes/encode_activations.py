"""Turns quantised float activations into integers: every layer then multiplies integers by integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.dtypes import BIPOLAR, DataType
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import QUANTISERS, apply, code_range
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import (
    Arithmetic,
    BipolarQuant,
    Clip,
    Dense,
    Dequant,
    Encode,
    MatMul,
    MultiThreshold,
    Node,
    Quant,
    Reshape,
    Transpose,
)
from bnnhw.passes.rewrite import joined, label, sequence

MOST_BITS = 8  # of an activation between layers
MOST_INPUT_BITS = 16  # of the network's input

# How far float32 values may be from evenly spaced levels, in steps: rounding of 16-bit levels stays well below.
SPACING_TOLERANCE = 1e-2


def run(graph: Graph) -> Graph:
    """Each MatMul becomes Encode, Dense, Dequant; a quantiser after the last layer is encoded, too.

    The values that reach a layer are the levels of the last quantiser before it (or of the declared input format), put
    through the elementwise operations in between. They must be whole multiples, or half-odd ones, of one step.

    Raises
    ------
    ModelError
        With every layer whose input is not quantised, not evenly spaced, or too wide.
    """
    nodes: list[Node] = []
    problems: list[str] = []
    levels: NDArray[np.float32] | None = None
    if graph.input_format is not None:
        levels = _values(graph.input_format)
    first = True
    encoded_at = 0  # where in `nodes` the latest quantiser ends
    for node in sequence(graph):
        if isinstance(node, MatMul):
            try:
                encode = _encode(f"{node.name}.encode", node, levels, MOST_INPUT_BITS if first else MOST_BITS)
            except ModelError as error:
                problems.append(f"{label(node)}: {error}")
                encode = Encode(
                    name=f"{node.name}.encode", inputs=(), output=f"{node.name}.encode", dtype=BIPOLAR, scale=1.0,
                    offset=-1, step=2, levels=2,
                )  # fmt: skip
            nodes += [encode, *_dense(node, encode)]
            levels, first = None, False
            continue
        nodes.append(node)
        if isinstance(node, QUANTISERS):
            encoded_at = len(nodes)
        try:
            levels = _through(node, levels)
        except ModelError as error:
            problems.append(f"{label(node)}: {error}")
    if problems:
        raise ModelError(f"model {graph.name}: activations that do not become integers", tuple(problems))
    if isinstance(nodes[encoded_at - 1], QUANTISERS) and not any(isinstance(n, Dense) for n in nodes[encoded_at:]):
        quantiser = nodes[encoded_at - 1]
        encode = _encode("output.encode", quantiser, _through(quantiser, None), MOST_BITS)
        scale = np.array(encode.scale, np.float64)
        nodes[encoded_at:encoded_at] = [
            encode,
            Dequant(name="output.scale", inputs=(), output="output.scale", source=quantiser.source, scale=scale),
        ]
    return joined(graph, nodes)


def _dense(node: MatMul, encode: Encode) -> list[Node]:
    accumulator = f"{node.name}.accumulator"
    return [
        Dense(
            name=node.name,
            inputs=(),
            output=accumulator,
            source=node.source,
            weight=node.weight,
            weight_dtype=node.weight_dtype,
            flip=np.zeros(node.weight.shape[0], dtype=np.bool_),
        ),
        Dequant(
            name=f"{node.name}.scale",
            inputs=(),
            output=node.output,
            source=node.source,
            scale=np.asarray(node.weight_scale * encode.scale),
        ),
    ]


def _through(node: Node, levels: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """The levels after `node`, given those before it; None where values are not quantised."""
    if isinstance(node, Quant):
        low, high = code_range(node)
        scale, zero = _uniform(node.scale, "a scale"), _uniform(node.zero_point, "a zero point")
        return (np.arange(low, high + 1, dtype=np.float32) - zero) * scale
    if isinstance(node, BipolarQuant):
        scale = _uniform(node.scale, "a scale")
        return np.array([-scale, scale], np.float32)
    if isinstance(node, MultiThreshold):
        counts = np.arange(node.thresholds.shape[1] + 1, dtype=np.float32)
        return counts * np.float32(node.out_scale) + np.float32(node.out_bias)
    if levels is None or isinstance(node, (Reshape, Transpose)):
        return levels
    if isinstance(node, Arithmetic):
        _uniform(node.operand, "an operand")
        return np.asarray(apply(node, levels.reshape(-1, *([1] * node.operand.ndim))), np.float32).reshape(-1)
    if isinstance(node, Clip):
        return np.asarray(apply(node, levels), np.float32)
    return None


def _uniform(array: NDArray[np.float32], what: str) -> np.float32:
    if not np.all(array == array.flat[0]):
        raise ModelError(f"{what} that differs between channels of an activation; use one for the whole tensor")
    return np.float32(array.flat[0])


def _values(dtype: DataType) -> NDArray[np.float32]:
    step = 2 if dtype.kind == "bipolar" else 1
    return np.arange(dtype.min, dtype.max + 1, step, dtype=np.float32)


def _encode(name: str, at: Node, levels: NDArray[np.float32] | None, most_bits: int) -> Encode:
    """The integers of `levels`."""
    if levels is None:
        raise ModelError(
            "its input is not quantised; put a quantiser before it, or state the format of the network's input"
        )
    values = np.unique(levels.astype(np.float64))
    offset, step, scale = _integers(values)
    codes = offset + step * np.arange(len(values))
    dtype = BIPOLAR if codes.tolist() == [-1, 1] else DataType.smallest(int(codes[0]), int(codes[-1]))
    if dtype.bits > most_bits:
        raise ModelError(
            f"its input has {dtype.bits} bits; at most {most_bits} are possible here, so quantise it further"
        )
    return Encode(
        name=name,
        inputs=(),
        output=name,
        source=at.source,
        dtype=dtype,
        scale=scale,
        offset=offset,
        step=step,
        levels=len(values),
    )


def _integers(values: NDArray[np.float64]) -> tuple[int, int, float]:
    """Offset, step and scale of ascending, distinct `values`: value k is ``(offset + step * k) * scale``."""
    if len(values) == 1:
        return (0, 1, 1.0) if values[0] == 0 else (int(np.sign(values[0])), 1, float(abs(values[0])))
    if len(values) == 2 and values[0] == -values[1]:
        return -1, 2, float(values[1])
    scale = float(np.float32((values[-1] - values[0]) / (len(values) - 1)))
    if np.abs((values - values[0]) / scale - np.arange(len(values))).max() > SPACING_TOLERANCE:
        raise ModelError("its input takes values that are not evenly spaced, such as a quantiser's cut off by a clip")
    start = values[0] / scale
    if abs(start - np.rint(start)) <= SPACING_TOLERANCE:
        return int(np.rint(start)), 1, scale
    if abs(start - np.floor(start) - 0.5) <= SPACING_TOLERANCE:
        return int(np.rint(2 * start)), 2, scale / 2
    raise ModelError(f"its input takes values from {values[0]:g} in steps of {scale:g}, which are no multiples of it")
