"""What the memories of a layer hold. The one place that fixes lane order, tail padding and row order.

* Elements of a window are in the order of its taps, row by row, the channels of one together. Where the window gives
  a column at a time, they are in the order of the columns, and in a column first come so many channels as a beat
  has, tap by tap.
* Neuron n is row ``n % PE`` of pass ``n // PE``; input m is lane ``m % SIMD`` of beat ``m // SIMD``.
* Weight word ``nf * SF + sf``: lane `l` of row `p` has its storage code at bit ``(p * SIMD + l) * weight_bits``.
* Lanes and rows past the matrix hold the all-zero code, and so do the activations on those lanes. Whatever such a lane
  then counts is a constant, and part of the row's bias. Rows past the matrix are blanked by the threshold unit.

Counting instead of multiplying leaves a constant out (`bnnhw.arithmetic.plane_products`). A PE starts from `bias`, the
constant less the channel's first threshold, all divided by the common divisor of what the counts weigh, so that the
first comparison is the sign of its total.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def matrix_image(layer: MatrixLayer, plan: LayerPlan) -> MatrixImage:
    """The memories of the matrix-vector unit of `layer`, folded as `plan` says."""
    rows, lanes = plan.nf * plan.pe, plan.sf * plan.simd
    padding = layer.weight.zero_code_value
    weight = np.full((rows, lanes), padding, dtype=np.int64)
    weight[: layer.mh, : layer.mw] = layer.dense.weight[:, element_order(layer, plan)]
    bias = _constant(layer, weight)
    if layer.threshold is not None:
        bias[: layer.mh] = -_raw_thresholds(layer, bias)[:, 0]
    bias[layer.mh :] = 0
    return MatrixImage(
        weights=_words(layer.weight.encode(weight), layer.weight.bits, plan),
        biases=bias.reshape(plan.nf, plan.pe).tolist(),
    )


def threshold_image(layer: MatrixLayer | ThresholdLayer, plan: LayerPlan, *, final: bool) -> ThresholdImage:
    """The thresholds of `layer`; the `final` layer's codes are two's complement numbers, not storage codes."""
    node = layer.threshold
    assert node is not None
    if isinstance(layer, MatrixLayer):
        raw = _raw_thresholds(layer, _constant(layer, layer.dense.weight))
    else:
        raw = node.thresholds
    rows = np.zeros((plan.nf * plan.pe, layer.thresholds), dtype=np.int64)
    rows[: layer.mh] = raw - raw[:, :1]
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


def _raw_thresholds(layer: MatrixLayer, constant: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the counts alone are compared with, divided: ``raw >= ceil((T - constant) / divisor)``, for integers."""
    assert layer.threshold is not None
    return -((constant[: layer.mh, None] - layer.threshold.thresholds) // layer.divisor)


def _constant(layer: MatrixLayer, weight: NDArray[np.int64] | NDArray[np.int16]) -> NDArray[np.int64]:
    """What counting leaves out of each row of `weight`, its lanes of padding included: (rows,)."""
    return layer.product.constant(weight, padding=weight.shape[1] - layer.mw)


def _words(codes: NDArray[np.uint32], bits: int, plan: LayerPlan) -> list[int]:
    """Storage codes (rows, lanes) as memory words."""
    folded = codes.reshape(plan.nf, plan.pe, plan.sf, plan.simd).transpose(0, 2, 1, 3)
    planes = (folded.reshape(plan.nf * plan.sf, -1, 1) >> np.arange(bits)) & 1
    packed = np.packbits(planes.reshape(plan.nf * plan.sf, -1).astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
