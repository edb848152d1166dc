"""Weights of a layer, quantised: each output has a scale of its own, and zero stays zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Integers = NDArray[np.int64]

# TWN's threshold in means of |w| (Li and Liu, Ternary weight networks, 2016): near the best one for weights that are
# distributed evenly or normally.
TWN_THRESHOLD = 0.7
# Scales that are tried: shares of the one that clips nothing.
SHARES = np.linspace(1.0, 0.2, 81)


@dataclass(frozen=True, eq=False)
class Weights:
    """Quantised weights, ``integers * scale``.

    Parameters
    ----------
    format
        ``binary``, ``ternary`` or ``intN``.
    integers
        (MH, K); -1 and +1, or -1, 0 and +1, or symmetric of N bits.
    scale
        (MH,) float32, above zero.
    error
        Root of the mean squared error in units of the weights' own root mean square.
    """

    format: str
    integers: Integers
    scale: NDArray[np.float32]
    error: float

    @property
    def values(self) -> NDArray[np.float32]:
        """(MH, K)"""
        return np.asarray(self.integers.astype(np.float32) * self.scale[:, None], np.float32)


def quantise(weight: Float, format_: str) -> Weights:
    """The weights (MH, K) of a layer in `format_`.

    Binary weights have no zero. A layer of binary weights in which an output has no weight but zero becomes ternary.
    """
    rows = np.asarray(weight, np.float64)
    if format_ == "binary" and not rows.any(axis=1).all():
        format_ = "ternary"
    if format_ in ("binary", "ternary"):
        integers, scale = (binary if format_ == "binary" else ternary)(rows)
    else:
        integers, scale = symmetric(rows, int(format_.removeprefix("int")))
    # What the file will say: scales are float32, and an output of zeros has any.
    scales = np.where(scale > 0, scale, 1.0).astype(np.float32)
    difference = rows - integers * scales[:, None].astype(np.float64)
    power = float(np.square(rows).sum())
    error = float(np.sqrt(np.square(difference).sum() / power)) if power else 0.0
    return Weights(format_, integers, scales, error)


def binary(rows: Float) -> tuple[Integers, Float]:
    """Signs and the scale of least squares, the mean of |w| (Rastegari et al., XNOR-Net, 2016)."""
    return np.where(rows >= 0, 1, -1), np.abs(rows).mean(axis=1)


def ternary(rows: Float) -> tuple[Integers, Float]:
    """TWN: zero up to 0.7 means of |w|; the scale is the mean of |w| of what is kept, that of least squares."""
    sizes = np.abs(rows)
    kept = sizes > TWN_THRESHOLD * sizes.mean(axis=1, keepdims=True)
    scale = np.where(kept, sizes, 0.0).sum(axis=1) / np.maximum(1, kept.sum(axis=1))
    return np.where(kept, np.sign(rows), 0).astype(np.int64), scale


def symmetric(rows: Float, bits: int) -> tuple[Integers, Float]:
    """Integers from -(2^(bits-1) - 1) to 2^(bits-1) - 1; of `SHARES` of the scale that clips nothing the one with the
    least squared error."""
    most = (1 << (bits - 1)) - 1
    whole = np.abs(rows).max(axis=1, initial=0.0) / most
    whole = np.where(whole > 0, whole, 1.0)

    def integers(scale: Float) -> Float:
        return np.clip(np.rint(rows / scale[:, None]), -most, most)

    def error(scale: Float) -> Float:
        return np.asarray(np.square(rows - integers(scale) * scale[:, None]).sum(axis=1))

    scale = least(whole, error)
    return integers(scale).astype(np.int64), scale


def least(whole: Float, error: Callable[[Float], Float]) -> Float:
    """For each of the scales `whole` its share with the least `error`; the largest of equal ones."""
    best, lowest = whole, error(whole)
    for share in SHARES[1:]:
        found = error(share * whole)
        best, lowest = np.where(found < lowest, share * whole, best), np.minimum(found, lowest)
    return best
