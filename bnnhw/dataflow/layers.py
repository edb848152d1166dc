"""What each hardware layer has to compute: shapes, formats and widths, before any folding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType, Float32
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.thresholds import FoldedThresholds, fold_thresholds, total_width
from bnnhw.errors import ModelError
from bnnhw.ir.bounds import reach
from bnnhw.ir.digest import digest
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import ArgMax, Concat, Dense, Encode, MaxPool, Node, Reshape, Sum, SumPool, Threshold, Window
from bnnhw.ir.spec import HARDWARE, last_integers

# What reads the network's input names it as the layer before the first.
INPUT = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """One step of the hardware.

    Parameters
    ----------
    name
        Of the graph's node.
    inputs
        The layers that it reads, by index; INPUT for the network's input.
    i_shapes, o_shape
        Of its inputs and its output: (height, width, channels), or (elements,) where it takes a vector.
    i_dtypes, dtype
        Formats of its inputs, and of its output; None for sums that leave the hardware as they are.
    """

    name: str
    inputs: tuple[int, ...]
    i_shapes: tuple[tuple[int, ...], ...]
    o_shape: tuple[int, ...]
    i_dtypes: tuple[DataType, ...]
    dtype: DataType | None

    kind = ""

    @property
    def input(self) -> DataType:
        """Format of the (first) input."""
        return self.i_dtypes[0]

    @property
    def vectors(self) -> int:
        """Output vectors of an inference: one for each position of a map."""
        return prod(self.o_shape[:-1])

    @property
    def mw(self) -> int:
        """Elements of an input vector."""
        return self.i_shapes[0][-1]

    @property
    def mh(self) -> int:
        """Elements of an output vector."""
        return self.o_shape[-1]

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference."""
        return 0

    @property
    def thresholds(self) -> int:
        """Thresholds per channel."""
        return 0

    @property
    def o_width(self) -> int:
        """Bits of an output element on its way to the next layer."""
        assert self.dtype is not None
        return self.dtype.bits


@dataclass(frozen=True, eq=False, kw_only=True)
class _Thresholded(Layer):
    """A layer that may end in thresholds."""

    threshold: Threshold | None

    @property
    def thresholds(self) -> int:
        return 0 if self.threshold is None else int(self.threshold.thresholds.shape[1])


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixLayer(_Thresholded):
    """A matrix-vector product with the thresholds after it, on the input vector or on each window of a map."""

    dense: Dense
    window: Window | None

    kind = "matrix"

    @property
    def mh(self) -> int:
        return int(self.dense.weight.shape[0])

    @property
    def mw(self) -> int:
        return int(self.dense.weight.shape[1])

    @property
    def weight(self) -> DataType:
        return self.dense.weight_dtype

    @property
    def product(self) -> Product:
        """How lanes are multiplied."""
        return Product(self.input, self.weight)

    @property
    def macs(self) -> int:
        return self.mh * self.mw * self.vectors

    @property
    def divisor(self) -> int:
        """What the weights of all counts have in common; sums that go on as they are stay whole."""
        return 1 if self.threshold is None else self.product.divisor

    @cached_property
    def reach(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lowest and highest accumulator of each channel, (MH,) each."""
        return reach(self.dense.weight, self.input)

    @cached_property
    def width(self) -> int:
        """Bits of what the PEs accumulate: the accumulator, less its first threshold."""
        low, high = self.reach
        return total_width(low, high, None if self.threshold is None else self.threshold.thresholds, self.divisor)

    def folded(self, constant: NDArray[np.int64] | None = None) -> FoldedThresholds:
        """The thresholds, and what sums start from, where counting leaves `constant` out: by default, that of PEs."""
        if constant is None:
            constant = self.product.constant(self.dense.weight, padding=0)
        return fold_thresholds(None if self.threshold is None else self.threshold.thresholds, constant, self.divisor)

    @property
    def o_width(self) -> int:
        return self.width if self.threshold is None else self.threshold.dtype.bits


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolLayer(Layer):
    """A maximum or a sum over windows of a map, channel by channel."""

    pool: MaxPool | SumPool

    kind = "pool"

    @property
    def operation(self) -> str:
        return "max" if isinstance(self.pool, MaxPool) else "sum"

    @property
    def minimum(self) -> list[bool]:
        """Where the smallest value is wanted, channel by channel."""
        if not isinstance(self.pool, MaxPool):
            return [False] * self.mh
        return [bool(v) for v in np.broadcast_to(self.pool.minimum, (self.mh,))]


@dataclass(frozen=True, eq=False, kw_only=True)
class AddLayer(Layer):
    """A weighted sum of several maps or vectors: a coefficient for each of them, or one for each of its channels."""

    coefficients: tuple[int | tuple[int, ...], ...]

    kind = "add"


@dataclass(frozen=True, eq=False, kw_only=True)
class ConcatLayer(Layer):
    """Several maps or vectors, one behind the other along the channels."""

    kind = "concat"


@dataclass(frozen=True, eq=False, kw_only=True)
class ThresholdLayer(_Thresholded):
    """Thresholds of a pool's, a sum's or an activation's integers."""

    kind = "threshold"

    @cached_property
    def signs(self) -> NDArray[np.int64]:
        """-1 for each channel that compares the negated value, (C,)."""
        assert self.threshold is not None
        return np.where(np.broadcast_to(self.threshold.negate, (self.mh,)), -1, 1)

    @cached_property
    def width(self) -> int:
        """Bits of the values, less their first threshold."""
        assert self.threshold is not None
        ends = np.stack([self.signs * self.input.min, self.signs * self.input.max])
        return total_width(ends.min(axis=0), ends.max(axis=0), self.threshold.thresholds)

    def folded(self) -> FoldedThresholds:
        """The thresholds, the first of each channel being taken off its value."""
        assert self.threshold is not None
        return fold_thresholds(self.threshold.thresholds, np.zeros(self.mh, np.int64))


@dataclass(frozen=True, eq=False)
class Network:
    """All that the hardware of a graph computes.

    Parameters
    ----------
    model, digest
        The graph's name, and the digest of all that it computes.
    i_shape, i_dtype
        Of the network's integer input.
    layers
        In order of the data; the last one's output is the network's.
    score_scales, score_biases
        The score of class c is ``scale[c] * integer[c] + bias[c]``; the highest wins, the first on a tie.
    """

    model: str
    digest: str
    i_shape: tuple[int, ...]
    i_dtype: DataType
    layers: tuple[Layer, ...]
    score_scales: list[int]
    score_biases: list[int]

    @classmethod
    def of(cls, graph: Graph) -> Network:
        """The network of an integer-stage `graph`.

        Raises
        ------
        ModelError
            If the graph has no layer with weights.
        """
        encode = next(node for node in graph.nodes if isinstance(node, Encode))
        label = next(node for node in graph.nodes if isinstance(node, ArgMax) and node.scale is not None)
        assert label.scale is not None and label.bias is not None
        layers = _layers(graph, encode)
        if not any(isinstance(layer, MatrixLayer) for layer in layers):
            raise ModelError(f"model {graph.name}: no layer with weights, so there is nothing to build")
        return cls(
            model=graph.name,
            digest=digest(graph),
            i_shape=graph.tensors[encode.output].shape,
            i_dtype=encode.dtype,
            layers=layers,
            score_scales=[int(v) for v in label.scale],
            score_biases=[int(v) for v in label.bias],
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def affine_scores(self) -> bool:
        """Whether the scores differ from the integers."""
        return any(scale != 1 for scale in self.score_scales) or any(self.score_biases)

    def readers(self, index: int) -> list[tuple[int, int]]:
        """Which layers read layer `index` (or INPUT), each with the position among its inputs."""
        inputs = [(k, p, source) for k, layer in enumerate(self.layers) for p, source in enumerate(layer.inputs)]
        return [(k, p) for k, p, source in inputs if source == index]


def _layers(graph: Graph, encode: Encode) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    made = {encode.output: INPUT}  # which layer makes a tensor of the graph
    last = last_integers(graph)
    for node in graph.nodes[graph.nodes.index(encode) + 1 : graph.nodes.index(last) + 1]:
        if not isinstance(node, HARDWARE):
            continue
        if isinstance(node, Reshape):
            made[node.output] = made[node.inputs[0]]
        elif not isinstance(node, Window) and node.output not in made:
            layer, output = _layer(graph, node, made)
            made[output] = len(layers)
            layers.append(layer)
    return tuple(layers)


def _layer(graph: Graph, node: Node, made: dict[str, int]) -> tuple[Layer, str]:
    """The layer that `node` starts, and the tensor that it makes."""
    output = node.output
    sources = list(node.inputs)
    window = threshold = None
    if isinstance(node, Dense):
        before = graph.producer(node.inputs[0])
        if isinstance(before, Window):
            window, sources = before, list(before.inputs)
        after = graph.consumers(node.output)
        if len(after) == 1 and isinstance(after[0], Threshold):
            threshold, output = after[0], after[0].output
    elif isinstance(node, Threshold):
        threshold = node
    dtypes = []
    for name in sources:
        given = graph.tensors[name].format
        assert not isinstance(given, Float32)
        dtypes.append(given.storage)
    made_format = graph.tensors[output].format
    assert not isinstance(made_format, Float32)
    common = {
        "name": node.name,
        "inputs": tuple(made[name] for name in sources),
        "i_shapes": tuple(graph.tensors[name].shape for name in sources),
        "o_shape": graph.tensors[output].shape,
        "i_dtypes": tuple(dtypes),
        "dtype": None if isinstance(node, Dense) and threshold is None else made_format.storage,
    }
    if isinstance(node, Dense):
        return MatrixLayer(**common, dense=node, window=window, threshold=threshold), output  # type: ignore[arg-type]
    if isinstance(node, Threshold):
        return ThresholdLayer(**common, threshold=threshold), output  # type: ignore[arg-type]
    if isinstance(node, (MaxPool, SumPool)):
        return PoolLayer(**common, pool=node), output  # type: ignore[arg-type]
    if isinstance(node, Sum):
        return AddLayer(**common, coefficients=_coefficients(node)), output  # type: ignore[arg-type]
    assert isinstance(node, Concat)
    return ConcatLayer(**common), output  # type: ignore[arg-type]


def _coefficients(node: Sum) -> tuple[int | tuple[int, ...], ...]:
    return tuple(int(row[0]) if len(row) == 1 else tuple(int(k) for k in row) for row in node.coefficients)
