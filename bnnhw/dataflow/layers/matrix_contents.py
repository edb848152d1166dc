"""What the memories of a layer with weights hold. The one place that fixes lane order, tail padding and row order.

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

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.adder_graphs import Netlist, constant_sums
from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.dataflow.layers.matrix_plan import MatrixPlan
from bnnhw.ir.geometry import Geometry
from bnnhw.units.matrix_vector import MatrixContents


def matrix_contents(
    weight: NDArray[np.integer], product: Product, thresholds: NDArray[np.int64] | None, divisor: int, plan: MatrixPlan
) -> MatrixContents:
    """The memories of a matrix-vector unit: `weight` (MH, MW) with its columns in the order in which elements come."""
    mh, mw = weight.shape
    rows, lanes = plan.nf * plan.pe, plan.sf * plan.simd
    padded = np.full((rows, lanes), product.weight.zero_code_value, dtype=np.int64)
    padded[:mh, :mw] = weight
    bias = product.constant(padded, padding=lanes - mw)
    if thresholds is not None:
        bias[:mh] = -counted_thresholds(bias[:mh], thresholds, divisor)[:, 0]
    bias[mh:] = 0
    words = _words(product.weight.encode(padded), product.weight.bits, plan)
    return MatrixContents(words, bias.reshape(plan.nf, plan.pe).tolist())


def counted_thresholds(constant: NDArray[np.int64], thresholds: NDArray[np.int64], divisor: int) -> NDArray[np.int64]:
    """What the counts alone are compared with, divided: ``raw >= ceil((T - constant) / divisor)``, for integers."""
    return -((constant[:, None] - thresholds) // divisor)


def element_order(mw: int, window: Geometry | None, plan: MatrixPlan) -> NDArray[np.intp]:
    """Which column of the matrix belongs to each element of the vectors that come, (MW,)."""
    order = np.arange(mw)
    if plan.window_rows == 1:
        return order
    assert window is not None
    kh, kw = window.kernel
    return order.reshape(kh, kw, -1, plan.lanes).transpose(1, 2, 0, 3).reshape(-1)


def constant_netlist(
    weight: NDArray[np.integer], x: DataType, thresholds: NDArray[np.int64] | None, divisor: int
) -> Netlist:
    """What a matrix-vector unit of constants gives for the planes of an input vector, those of element 0 first.

    It is the accumulator less its first threshold, divided like that of a PE; where there is one threshold, its sign
    alone.
    """
    wide = weight.astype(np.int64)
    coefficients = (wide[:, :, None] * np.array(x.plane_weights)).reshape(len(wide), -1)
    constant = x.plane_offset * wide.sum(axis=1)
    bias = constant if thresholds is None else (constant - thresholds[:, 0]) // divisor
    signs = thresholds is not None and thresholds.shape[1] == 1
    return constant_sums(coefficients // divisor, bias.tolist(), signs=signs)


def _words(codes: NDArray[np.uint32], bits: int, plan: MatrixPlan) -> list[int]:
    """Storage codes (rows, lanes) as memory words."""
    folded = codes.reshape(plan.nf, plan.pe, plan.sf, plan.simd).transpose(0, 2, 1, 3)
    planes = (folded.reshape(plan.nf * plan.sf, -1, 1) >> np.arange(bits)) & 1
    packed = np.packbits(planes.reshape(plan.nf * plan.sf, -1).astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
