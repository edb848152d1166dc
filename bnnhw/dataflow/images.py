"""What the memories of a layer hold. The one place that fixes lane order, tail padding and row order.

* Elements of a window are in the order of its taps, row by row, the channels of one together. Where the window gives
  a column at a time, they are in the order of the columns, and in a column first come so many channels as a beat
  has, tap by tap.
* Weights are folded into words and coded as `bnnhw.arithmetic.weight_coding` says. What lanes past the matrix count is
  a constant, and part of the row's bias. Rows past the matrix are blanked by the threshold unit.

Counting instead of multiplying leaves a constant out (`bnnhw.arithmetic.plane_products`). A PE starts from `bias`, the
constant less the channel's first threshold (`bnnhw.arithmetic.thresholds`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.weight_coding import padded_matrix, weight_words
from bnnhw.dataflow.layers import MatrixLayer, ThresholdLayer
from bnnhw.dataflow.plan import LayerPlan
from bnnhw.dataflow.structure import final_bits


@dataclass(frozen=True)
class MatrixImage:
    """What the memories of a matrix-vector unit hold: ``nf * sf`` weight words, and ``nf`` rows of ``pe`` biases."""

    weights: list[int]
    biases: list[list[int]]


@dataclass(frozen=True)
class ThresholdImage:
    """What a threshold unit is parametrised with.

    Parameters
    ----------
    thresholds
        ``nf`` x ``pe`` rows of thresholds relative to the first.
    codes, bits
        The output code for each count of thresholds, and its bits.
    tail
        Rows of the last pass that exist.
    """

    thresholds: list[list[list[int]]]
    codes: list[int]
    bits: int
    tail: int


def matrix_image(layer: MatrixLayer, plan: LayerPlan, family: str) -> MatrixImage:
    """The memories of the matrix-vector unit of `layer`, folded as `plan` says, on a part of `family`."""
    columns = layer.dense.weight[:, element_order(layer, plan)]
    whole = padded_matrix(columns, layer.weight, pe=plan.pe, simd=plan.simd)
    words = weight_words(whole, layer.product, pe=plan.pe, simd=plan.simd, family=family)
    constant = layer.product.constant(whole, padding=whole.shape[1] - layer.mw)
    bias = np.zeros(len(whole), np.int64)
    bias[: layer.mh] = layer.folded(constant[: layer.mh]).bias
    return MatrixImage(weights=words, biases=bias.reshape(plan.nf, plan.pe).tolist())


def threshold_image(layer: MatrixLayer | ThresholdLayer, plan: LayerPlan, *, final: bool) -> ThresholdImage:
    """The thresholds of `layer`; the `final` layer's codes are two's complement numbers, not storage codes."""
    node = layer.threshold
    assert node is not None
    rows = np.zeros((plan.nf * plan.pe, layer.thresholds), dtype=np.int64)
    rows[: layer.mh] = layer.folded().relative
    values = node.offset + node.step * np.arange(layer.thresholds + 1)
    bits = final_bits(layer) if final else node.dtype.bits
    return ThresholdImage(
        thresholds=rows.reshape(plan.nf, plan.pe, -1).tolist(),
        codes=[int(c) for c in (values & ((1 << bits) - 1) if final else node.dtype.encode(values))],
        bits=bits,
        tail=layer.mh - (plan.nf - 1) * plan.pe,
    )


def element_order(layer: MatrixLayer, plan: LayerPlan) -> NDArray[np.intp]:
    """Which column of the matrix belongs to each element of the vectors that come, (MW,)."""
    order = np.arange(layer.mw)
    if plan.window_rows == 1:
        return order
    assert layer.window is not None
    kh, kw = layer.window.geometry.kernel
    return order.reshape(kh, kw, -1, plan.lanes).transpose(1, 2, 0, 3).reshape(-1)
