"""What each hardware layer has to compute: shapes, formats and widths, before any folding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np
from numpy.typing import NDArray

from bnnhw.dtypes import DataType
from bnnhw.errors import ModelError
from bnnhw.ir.bounds import reach
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import ArgMax, Dense, Encode, Threshold


def signed_width(low: int, high: int) -> int:
    """Bits of the two's complement numbers low..high."""
    return 1 + max(int(high).bit_length(), int(-low - 1).bit_length(), 0)


@dataclass(frozen=True, eq=False)
class Layer:
    """A matrix-vector product with the thresholds after it.

    Parameters
    ----------
    dense, threshold
        The graph's nodes; the last layer may have no thresholds.
    input
        Format of its activations.
    """

    dense: Dense
    threshold: Threshold | None
    input: DataType

    @property
    def name(self) -> str:
        return self.dense.name

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
    def signed_lanes(self) -> bool:
        """Whether a weight is a sign (under a mask) and not a binary number."""
        return self.weight.kind in ("bipolar", "ternary")

    @property
    def macs(self) -> int:
        return self.mh * self.mw

    @property
    def plane_products(self) -> int:
        """Popcounts per PE: planes of the weights times planes of the activations."""
        weight_planes = 1 if self.signed_lanes else self.weight.bits
        return weight_planes * len(self.input.plane_weights)

    @property
    def divisor(self) -> int:
        """What all plane weights have in common; the last layer keeps whole integers."""
        return 1 if self.threshold is None else gcd(*self.input.plane_weights)

    @cached_property
    def reach(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lowest and highest accumulator of each channel, (MH,) each."""
        return reach(self.dense.weight, self.input)

    @property
    def thresholds(self) -> int:
        """Thresholds per channel."""
        return 0 if self.threshold is None else int(self.threshold.thresholds.shape[1])

    @cached_property
    def width(self) -> int:
        """Bits of what the PEs accumulate: the accumulator, less its first threshold."""
        low, high = self.reach
        if self.threshold is None:
            return signed_width(int(low.min()), int(high.max()))
        first = self.threshold.thresholds[:, 0]
        below, above = int((low - first).min()), int((high - first).max())
        return signed_width(below // self.divisor, above // self.divisor)


@dataclass(frozen=True, eq=False)
class Network:
    """All that the hardware of a graph computes.

    Parameters
    ----------
    model
        The graph's name.
    layers
        In order of the data.
    score_scales, score_biases
        The score of class c is ``scale[c] * integer[c] + bias[c]``; the highest wins, the first on a tie.
    """

    model: str
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
        dtype = next(node for node in graph.nodes if isinstance(node, Encode)).dtype
        layers: list[Layer] = []
        for node in graph.nodes:
            if isinstance(node, Dense):
                after = graph.consumers(node.output)
                threshold = next((n for n in after if isinstance(n, Threshold)), None)
                layers.append(Layer(node, threshold, dtype))
                if threshold is not None:
                    dtype = threshold.dtype
        if not layers:
            raise ModelError(f"model {graph.name}: no layer with weights, so there is nothing to build")
        label = next(node for node in graph.nodes if isinstance(node, ArgMax) and node.scale is not None)
        assert label.scale is not None and label.bias is not None
        return cls(graph.name, tuple(layers), [int(v) for v in label.scale], [int(v) for v in label.bias])

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def affine_scores(self) -> bool:
        """Whether the scores differ from the integers."""
        return any(scale != 1 for scale in self.score_scales) or any(self.score_biases)
