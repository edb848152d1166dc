"""What the memories of a layer hold. The one place that fixes lane order, tail padding and row order.

* Neuron n is row ``n % PE`` of pass ``n // PE``; input m is lane ``m % SIMD`` of beat ``m // SIMD``.
* Weight word ``nf * SF + sf``: lane `l` of row `p` has its storage code at bit ``(p * SIMD + l) * weight_bits``.
* Lanes and rows past the matrix hold the all-zero code, and so do the activations on those lanes. Whatever such a lane
  then counts is a constant, and part of the row's bias. Rows past the matrix are blanked by the threshold unit.

Counting instead of multiplying leaves a constant out (DESIGN: bit-planes). With activation planes
``x = sum c_j x_j + c0``, and weights ``w = sum d_i w_i`` or, for signs under a mask, lanes that count
``w x_j + [w = -1]``:

    accumulator = sum_ij d_i c_j popcount_ij + constant,   constant = c0 * sum(w) - sum(c_j) * #(w = -1)

(the second term only for signed lanes). A PE starts from `bias`, the constant less the channel's first threshold, all
divided by the plane weights' common divisor, so that the first comparison is the sign of its total.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.dataflow.layers import Layer
from bnnhw.dataflow.plan import LayerPlan


@dataclass(frozen=True)
class LayerImage:
    """Everything that the gateware of one layer is parametrised with.

    Parameters
    ----------
    weights
        ``nf * sf`` words.
    biases
        ``nf`` rows of ``pe`` accumulator starting values.
    width, divisor
        Accumulator bits, and the common divisor of its plane weights.
    thresholds
        ``nf`` x ``pe`` rows of thresholds relative to the first; empty for a layer without thresholds.
    codes
        The output code for each count of thresholds.
    element_bits
        Bits of one output element.
    tail
        Rows of the last pass that exist.
    """

    weights: list[int]
    biases: list[list[int]]
    width: int
    divisor: int
    thresholds: list[list[list[int]]]
    codes: list[int]
    element_bits: int
    tail: int


def layer_image(layer: Layer, plan: LayerPlan, *, final: bool) -> LayerImage:
    """The memory images of `layer` folded as `plan` says; the `final` layer's codes are numbers, not storage codes."""
    rows, lanes = plan.nf * plan.pe, plan.sf * plan.simd
    padding = layer.weight.zero_code_value
    weight = np.full((rows, lanes), padding, dtype=np.int64)
    weight[: layer.mh, : layer.mw] = layer.dense.weight
    constant = _left_out(layer, weight) - padding * layer.input.zero_code_value * (lanes - layer.mw)

    thresholds: NDArray[np.int64] = np.zeros((rows, layer.thresholds), dtype=np.int64)
    codes: list[int] = []
    bits = layer.width
    if layer.threshold is None:
        bias = constant
    else:
        node = layer.threshold
        # raw >= ceil((T - constant) / divisor), for integers
        raw = -((constant[: layer.mh, None] - node.thresholds) // layer.divisor)
        bias = np.zeros(rows, dtype=np.int64)
        bias[: layer.mh] = -raw[:, 0]
        thresholds[: layer.mh] = raw - raw[:, :1]
        values = node.offset + node.step * np.arange(layer.thresholds + 1)
        bits = output_bits(layer, final=final)
        codes = [int(c) for c in (values & ((1 << bits) - 1) if final else node.dtype.encode(values))]
    bias[layer.mh :] = 0
    return LayerImage(
        weights=_words(layer.weight.encode(weight), layer.weight.bits, plan),
        biases=bias.reshape(plan.nf, plan.pe).tolist(),
        width=layer.width,
        divisor=layer.divisor,
        thresholds=thresholds.reshape(plan.nf, plan.pe, -1).tolist() if codes else [],
        codes=codes,
        element_bits=bits,
        tail=layer.mh - (plan.nf - 1) * plan.pe,
    )


def output_bits(layer: Layer, *, final: bool) -> int:
    """Bits of one output element: a storage code, or in the final layer a two's complement number."""
    if layer.threshold is None:
        return layer.width
    dtype = layer.threshold.dtype
    if not final:
        return dtype.bits
    return dtype.bits + (dtype.kind in ("bipolar", "uint"))


def _left_out(layer: Layer, weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """The constant of each row, lanes of padding included: (rows,)."""
    constant = layer.input.plane_offset * weight.sum(axis=1)
    if layer.signed_lanes:
        constant -= sum(layer.input.plane_weights) * (weight == -1).sum(axis=1)
    return constant


def _words(codes: NDArray[np.uint16], bits: int, plan: LayerPlan) -> list[int]:
    """Storage codes (rows, lanes) as memory words."""
    folded = codes.reshape(plan.nf, plan.pe, plan.sf, plan.simd).transpose(0, 2, 1, 3)
    planes = (folded.reshape(plan.nf * plan.sf, -1, 1) >> np.arange(bits)) & 1
    packed = np.packbits(planes.reshape(plan.nf * plan.sf, -1).astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
