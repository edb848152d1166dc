"""Integer graphs with each kind of layer that an engine runs, and the answers that are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.dataflow import Network
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import ArgMax, Concat, MaxPool, Reshape, Slice, Sum, SumPool, Threshold, Window
from bnnhw.layer_table import EngineShape
from tests.integer_graphs import Builder

UINT2, INT3, INT8 = DataType("uint", 2), DataType("int", 3), DataType("int", 8)
# Small enough for the simulator, of both families; all memories are barely large enough.
SMALL = EngineShape("ice40", 16, 2, 4, 2048, "block", 128, 256, 22)
WIDE = EngineShape("ecp5", 32, 4, 8, 2048, "block", 128, 256, 24)
# Every pass of a network of vectors is split.
TIGHT = replace(SMALL, slots=8, weights=2)
VECTORS = ("bipolar", "ternary", "bits", "tables", "scored")


def _flat(b: Builder, name: str) -> str:
    return b.add(Reshape, name, shape=(int(np.prod(b.shape(name))),))


def _windows(b: Builder, name: str, mh: int, geometry: Geometry, fill: int = 0, dtype: DataType = BIPOLAR) -> str:
    return b.dense(b.add(Window, name, geometry=geometry, fill=fill), mh, dtype)


def dense(x: DataType, weight: DataType, hidden: DataType) -> Graph:
    b = Builder(1, (37,), x)
    name = b.threshold(b.dense(b.last, 21, weight), hidden)
    return b.graph(b.dense(name, 20, weight))


def padded() -> Graph:
    """Strides, dilations and padding, and a map that is flattened."""
    b = Builder(2, (9, 7, 3), TERNARY)
    name = b.threshold(_windows(b, b.last, 18, Geometry((3, 2), (1, 1), (2, 3), (2, 1, 1, 2)), 0, TERNARY), UINT2)
    name = b.threshold(_windows(b, name, 5, Geometry((3, 3), (2, 3), pads=(1, 1, 1, 1)), 1), TERNARY)
    return b.graph(b.dense(_flat(b, name), 20))


def strided() -> Graph:
    """Steps at which pixels that are neighbours lie in one bank."""
    b = Builder(3, (3, 18, 2), UINT2)
    name = b.threshold(_windows(b, b.last, 17, Geometry((2, 1), (1, 4))), TERNARY)
    return b.graph(b.dense(_flat(b, name), 3))


def depthwise() -> Graph:
    b = Builder(4, (6, 6, 19), UINT2)
    name = b.threshold(b.grouped(b.last, 19, 19, (3, 3), BIPOLAR), TERNARY)
    name = b.threshold(b.grouped(name, 19, 19, (2, 2), TERNARY), UINT2)
    return b.graph(b.dense(_flat(b, name), 4))


def grouped() -> Graph:
    """Groups of other sizes than words have."""
    b = Builder(5, (4, 5, 12), TERNARY)
    name = b.threshold(b.grouped(b.last, 40, 4, (2, 2), BIPOLAR), TERNARY)
    name = b.threshold(b.grouped(name, 64, 2, (1, 2), INT3), BIPOLAR)
    return b.graph(b.dense(_flat(b, name), 4))


def joined() -> Graph:
    """Sums and joins of maps, wide integers among them."""
    b = Builder(6, (3, 4, 18), TERNARY)
    first = b.threshold(b.dense(b.last, 18, TERNARY), TERNARY)
    wide = _windows(b, first, 18, Geometry((3, 3), pads=(1, 1, 1, 1)), 0, INT3)
    coefficients = np.stack([np.full(18, 3), np.arange(18) - 9])
    name = b.add(Sum, wide, first, coefficients=coefficients.astype(np.int64))
    few = b.threshold(name, TERNARY, negate=True)
    name = b.add(Concat, few, first, b.threshold(wide, TERNARY))
    return b.graph(b.dense(_flat(b, name), 4))


def pooled() -> Graph:
    b = Builder(7, (9, 9, 17), INT3)
    minimum = np.arange(17) % 3 == 0
    name = b.add(MaxPool, b.last, geometry=Geometry((3, 2), (2, 2)), minimum=minimum)
    name = b.add(SumPool, name, geometry=Geometry((2, 2), (1, 2), pads=(1, 0, 0, 1)))
    return b.graph(b.dense(_flat(b, b.threshold(name, BIPOLAR)), 4))


def sliced() -> Graph:
    """Parts of maps and of vectors; some rows, columns and channels."""
    b = Builder(12, (9, 11, 40), TERNARY)
    rows, columns, channels = np.arange(9), np.arange(11), np.arange(40)
    kept = ((rows % 3 == 1)[:, None, None] & (columns >= 5)[:, None]) & (channels % 3 > 0)
    name = b.add(Slice, b.last, kept=kept)
    name = b.threshold(_windows(b, name, 20, Geometry((2, 2))), UINT2)
    name = b.add(
        Slice, name, kept=np.broadcast_to(np.arange(5)[:, None] != 3, (2, 5, 20)) & (np.arange(5)[:, None] < 3)
    )
    name = b.threshold(b.dense(_flat(b, name), 37), TERNARY)
    return b.graph(b.dense(b.add(Slice, name, kept=np.arange(37) > 18), 4))


def tables() -> Graph:
    """Codes of each channel's own, which neither rise nor fall."""
    b = Builder(8, (33,), INT3)
    name = b.threshold(b.dense(b.last, 19), UINT2)
    node = b.nodes[-1]
    assert isinstance(node, Threshold)
    b.nodes[-1] = replace(node, codes=b.rng.integers(0, 4, (19, 4)))
    return b.graph(b.dense(name, 4))


def scored() -> Graph:
    """Classes whose scores are not the integers."""
    b = Builder(9, (20,), BIPOLAR)
    graph = b.graph(b.dense(b.threshold(b.dense(b.last, 20), TERNARY), 18))
    scales, biases = b.rng.integers(-9, 10, 18), b.rng.integers(-50, 51, 18)
    nodes = [replace(n, scale=scales, bias=biases) if isinstance(n, ArgMax) else n for n in graph.nodes]
    return graph.with_nodes(nodes)


def long() -> Graph:
    """More words of weights than a cache has."""
    b = Builder(10, (16 * 129 + 5,), BIPOLAR)
    return b.graph(b.dense(b.threshold(b.dense(b.last, 20), TERNARY), 18))


def deep() -> Graph:
    """More slots than there are, for sums that are doubled on the way; integers come out of the last ones."""
    b = Builder(11, (5, 4, 19), TERNARY)
    name = b.threshold(b.dense(_flat(b, b.last), 9, INT3), DataType("uint", 4))
    return b.graph(b.dense(name, 5, INT8))


GRAPHS = {
    "bipolar": lambda: dense(BIPOLAR, BIPOLAR, BIPOLAR),
    "ternary": lambda: dense(TERNARY, TERNARY, TERNARY),
    "bits": lambda: dense(INT8, INT3, UINT2),
    "padded": padded,
    "strided": strided,
    "depthwise": depthwise,
    "grouped": grouped,
    "joined": joined,
    "pooled": pooled,
    "tables": tables,
    "scored": scored,
    "sliced": sliced,
    "long": long,
    "deep": deep,
}


def right(graph: Graph, samples: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Integer inputs (N, ..) of a graph, and the integers (N, classes) and labels (N,) that are right."""
    rng = np.random.default_rng(seed)
    dtype = Network.of(graph).i_dtype
    spread = 1 if dtype.bits <= 2 else dtype.max / 2
    x = rng.normal(0, spread, (samples, *graph.tensors[graph.input].shape)).astype(np.float32)
    found = reference.run(graph, x)
    return reference.encode_inputs(graph, x), found["integers"].reshape(samples, -1), found["prediction"]
