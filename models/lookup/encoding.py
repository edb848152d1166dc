"""Thresholds that turn numbers into thermometer codes, found in the training data alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RARE = 1e-3  # of the samples: a bit that is another one less often than this says nothing that can be learnt


def distributive(x: NDArray[np.float32], levels: int) -> NDArray[np.float32]:
    """Thresholds (F, levels) of the samples (N, F) at their quantiles, so that every level is reached as often.

    The distributive encoding of DWN (Bacellar et al. 2024, arXiv:2410.11112). A threshold lies halfway between two
    values that occur: no rounding of a float decides then. Where a feature has fewer values than levels, some of its
    thresholds are equal, and `live` leaves all but one of them out.
    """
    thresholds = np.empty((x.shape[1], levels), np.float32)
    for feature, values in enumerate(x.T):
        occurring, counts = np.unique(values, return_counts=True)
        below = np.cumsum(counts) / len(values)  # share of the samples up to each value
        between = (occurring[:-1] + occurring[1:]) / 2 if len(occurring) > 1 else occurring + 1
        # The cut nearest to each quantile.
        wanted = np.arange(1, levels + 1) / (levels + 1)
        cuts = below[: len(between)]
        thresholds[feature] = between[np.abs(cuts[None] - wanted[:, None]).argmin(axis=1)]
    return thresholds


def live(bits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which bits (N, F, T) of the training samples are worth a wire: they vary, and no lower threshold is equal.

    Numbers ``f * T + t``, ascending.
    """
    share = bits.mean(axis=0)
    varies = (share > RARE) & (share < 1 - RARE)
    new = np.ones_like(varies)
    new[:, 1:] = (bits[:, :, 1:] != bits[:, :, :-1]).any(axis=0)
    return np.flatnonzero((varies & new).reshape(-1))
