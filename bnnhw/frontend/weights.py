"""Quantised weights: from the floats of a constant tensor to integers and a scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, DataType
from bnnhw.frontend.refusal import Refusal

Float = NDArray[np.float64]
Grid = tuple[NDArray[np.int64], Float]

MAX_WEIGHT_BITS = 16
# The largest integer of a weight.
MAX_STEPS = (1 << (MAX_WEIGHT_BITS - 1)) - 1
# Grids of no more steps may be off by the rounding of an expression, finer ones at first by that of their products
# alone; but sums of a few scaled sign matrices are rounded more than once as well.
COARSE_STEPS = 255
MERGED_STEPS = 4095
# Float32 products of an integer and the scale of a quantiser are this near to whole multiples of the scale.
MULTIPLE_TOLERANCE = 1e-3
# Of the largest weight: what the float32 operations of an expression may have moved another one by.
ROUNDING = 2.0**-22


def split(weight: NDArray[np.generic], scales: NDArray[np.generic] | None) -> tuple[NDArray[np.int16], DataType, Float]:
    """Integers (MH, MW), their format, and the scale, scalar or (MH,), of float weights (MH, MW).

    `scales` are those of the quantiser that made the weights, of the same shape. They are used where there is one for
    each output: then the integers are those of the file, and outputs that share a scale in the file share it here,
    which sums and concatenations need. Elsewhere (masks and other expressions behind a quantiser, or no quantiser) the
    values tell the grid: that of the whole tensor, or one for each output where it takes fewer bits, each of the
    smallest integers.

    Raises
    ------
    Refusal
        If the weights are not multiples of a scale per output, or wider than `MAX_WEIGHT_BITS`.
    """
    values = np.asarray(weight, np.float64)
    if not np.isfinite(values).all():
        raise Refusal("weights that are NaN or infinite", "train the model again")
    grids = [] if scales is None else _of_quantiser(values, np.asarray(scales, np.float64))
    for integers, scale in grids or _of_values(values):
        # A negative scale where it makes the format smaller: 8 bits hold -128, but not 128.
        options = [(_format(sign * integers), sign) for sign in (1, -1)]
        dtype, sign = min(options, key=lambda option: option[0].bits)
        if dtype.bits <= MAX_WEIGHT_BITS and np.abs(integers).max(initial=0) <= MAX_STEPS + 1:
            signed = sign * scale
            return (sign * integers).astype(np.int16), dtype, signed if np.ptp(signed) else signed.reshape(-1)[0]
        bits = DataType.smallest(min(-1, int(integers.min())), int(integers.max())).bits
        raise Refusal(f"weights of {bits} bits with their sign", f"quantise them to {MAX_WEIGHT_BITS} bits or fewer")
    raise Refusal(
        "weights that are not quantised: no whole multiples of a scale",
        f"quantise them with BipolarQuant or Quant of up to {MAX_WEIGHT_BITS} bits, or the model with `bnnhw quantize`",
    )


def _format(integers: NDArray[np.int64]) -> DataType:
    return BIPOLAR if BIPOLAR.contains(integers) else DataType.smallest(int(integers.min()), int(integers.max()))


def _of_quantiser(values: Float, scales: Float) -> list[Grid]:
    """The integers that a quantiser gave, if it has one scale per output and nothing behind it took the values off."""
    scale = scales[:, 0]
    if np.ptp(scales, axis=1).any():
        return []
    ratio = values / scale[:, None]
    integers = np.rint(ratio)
    if np.abs(ratio - integers).max(initial=0) > MULTIPLE_TOLERANCE or np.abs(integers).max(initial=0) > 1 << 30:
        return []
    return [(integers.astype(np.int64), scale)]


def _of_values(values: Float) -> list[Grid]:
    """The grid of the whole tensor, or one for each output if there is no other or it takes fewer bits."""
    scale = _scale(values)
    whole = [] if scale is None else [_on(values, np.full(len(values), scale))]
    if whole and _format(whole[0][0]).bits == 1:
        return whole
    found = [_scale(row) for row in values]
    scales = [scale for scale in found if scale is not None]
    if len(scales) < len(found):
        return whole
    rows = _on(values, np.array(scales))
    return whole if whole and _format(whole[0][0]).bits <= _format(rows[0]).bits else [rows]


def _on(values: Float, scale: Float) -> Grid:
    return np.rint(values / scale[:, None]).astype(np.int64), scale


def _scale(values: Float) -> float | None:
    """The largest number of which all `values` are whole multiples, to the rounding of float32; 1 if all are zero.

    Grids with 1 to `MAX_STEPS` steps up to the largest magnitude are tried. Up to about four magnitudes always have
    one: float32 cannot tell them from its points.
    """
    sizes = np.unique(np.abs(values))
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return 1.0
    if len(sizes) > MAX_STEPS:
        return None
    steps = np.arange(1.0, MAX_STEPS + 1)
    for size in sizes:
        ratio = size * (steps / sizes[-1])
        multiples = np.rint(ratio)
        steps = steps[(np.abs(ratio - multiples) <= steps * ROUNDING) & (multiples > 0)]
        if not len(steps):
            return None
    merged: float | None = None
    for count in steps:
        scale, exact = _fitted(sizes, np.rint(sizes * (count / sizes[-1])))
        if exact or count <= COARSE_STEPS:
            return scale
        if merged is None and count <= MERGED_STEPS:
            merged = scale
    return merged


def _fitted(sizes: Float, multiples: Float) -> tuple[float, bool]:
    """The scale of which float32 products with `multiples` are `sizes`, a float32 where possible; False where there is
    none, and the scale comes near."""
    half = np.spacing(sizes.astype(np.float32)).astype(np.float64) / 2
    low, high = ((sizes - half) / multiples).max(), ((sizes + half) / multiples).min()
    if low > high:  # they were rounded more than once
        return float(sizes[-1] / multiples[-1]), False
    nearest = float(np.float32((low + high) / 2))
    return (nearest if low <= nearest <= high else float((low + high) / 2)), True
