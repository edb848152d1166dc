"""What the memories of a layer with weights hold. The one place that fixes lane order, tail padding and row order.

* Elements of a window are in the order of its taps, row by row, the channels of one together. Where the window gives
  a column at a time, they are in the order of the columns, and a column gives the channels
  of one beat tap by tap, then those of the next.
* Weights are folded into words and coded as `bnnhw.arithmetic.weight_coding` says. What lanes past the matrix count is
  a constant, and part of the row's bias. Rows past the matrix are blanked by the threshold unit.

Counting instead of multiplying leaves a constant out (`bnnhw.arithmetic.plane_products`). A PE starts from `bias`, the
constant less the channel's first threshold (`bnnhw.arithmetic.thresholds`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.adder_graphs import Netlist, multiply_constant_matrix
from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.thresholds import fold_thresholds
from bnnhw.arithmetic.weight_coding import padded_matrix, weight_words
from bnnhw.dataflow.layers.matrix_plan import MatrixPlan
from bnnhw.dataflow.layers.weighted_plan import WeightedPlan
from bnnhw.ir.geometry import Geometry
from bnnhw.units.matrix_vector import MatrixContents


def matrix_contents(
    weight: NDArray[np.integer],
    product: Product,
    thresholds: NDArray[np.int64] | None,
    divisor: int,
    plan: WeightedPlan,
    family: str,
) -> MatrixContents:
    """The memories of a matrix-vector unit: `weight` (MH, MW) with its columns in the order in which elements come; of
    a layer in groups (MH, MW / groups), each row with the columns of its own group."""
    mh, mw = weight.shape
    whole = padded_matrix(weight, product.weight, pe=plan.pe, simd=plan.simd)
    words = weight_words(whole, product, pe=plan.pe, simd=plan.simd, family=family)
    constant = product.constant(whole, padding=whole.shape[1] - mw)
    bias = np.zeros(len(whole), np.int64)
    bias[:mh] = fold_thresholds(thresholds, constant[:mh], divisor).bias
    return MatrixContents(words, bias.reshape(plan.nf, plan.pe).tolist())


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
    bias = fold_thresholds(thresholds, constant, divisor).bias
    signs = thresholds is not None and thresholds.shape[1] == 1
    return multiply_constant_matrix(coefficients // divisor, bias.tolist(), signs=signs)
