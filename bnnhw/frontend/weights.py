"""Quantised weights: from the floats of a constant tensor to integers and a scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, DataType
from bnnhw.frontend.refusal import Refusal

MAX_WEIGHT_BITS = 8
# Float32 products of an integer and a scale are this near to whole multiples of the scale.
MULTIPLE_TOLERANCE = 1e-3


def split(
    weight: NDArray[np.generic], scales: NDArray[np.generic] | None
) -> tuple[NDArray[np.int16], DataType, NDArray[np.float64]]:
    """Integers (MH, MW), their format, and the scale, scalar or (MH,), of float weights (MH, MW).

    `scales` are those of the quantiser that made the weights, of the same shape; without one, the weights must be
    integers, or have one magnitude besides zero.

    Raises
    ------
    Refusal
        If the weights are not multiples of a scale per output, or wider than 8 bits.
    """
    values = np.asarray(weight, np.float64)
    if not np.isfinite(values).all():
        raise Refusal("weights that are NaN or infinite", "train the model again")
    scale = _scale(values, scales)
    ratio = values / scale.reshape(-1, 1)
    integers = np.rint(ratio)
    if np.abs(ratio - integers).max(initial=0) > MULTIPLE_TOLERANCE:
        raise Refusal("weights that are not quantised", "quantise them with BipolarQuant or Quant of up to 8 bits")
    if np.abs(integers).max(initial=0) > 1 << MAX_WEIGHT_BITS:
        raise Refusal("weights of more than 8 bits", "quantise them to 8 bits or fewer")
    dtype = BIPOLAR
    if not dtype.contains(integers):
        dtype = DataType.smallest(int(integers.min()), int(integers.max()))
    if dtype.bits > MAX_WEIGHT_BITS:
        raise Refusal(f"weights of {dtype.bits} bits", "quantise them to 8 bits or fewer")
    return integers.astype(np.int16), dtype, scale if np.ptp(scale) else scale.reshape(-1)[0]


def _scale(values: NDArray[np.float64], scales: NDArray[np.generic] | None) -> NDArray[np.float64]:
    """One scale per output, (MH,)."""
    if scales is not None:
        per_output = np.asarray(scales, np.float64)
        if np.ptp(per_output, axis=1).any():
            raise Refusal("weight scales that differ between inputs", "use one scale per output, or one for all")
        return per_output[:, 0]
    if np.array_equal(values, np.rint(values)):
        return np.ones(len(values))
    magnitude = np.unique(np.abs(values[values != 0]))
    if len(magnitude) == 1:
        return np.full(len(values), magnitude[0])
    rows = [np.unique(np.abs(row[row != 0])) for row in values]
    if all(len(row) <= 1 for row in rows):
        return np.array([row[0] if len(row) else 1.0 for row in rows])
    raise Refusal("weights that are not quantised", "quantise them with BipolarQuant or Quant of up to 8 bits")
