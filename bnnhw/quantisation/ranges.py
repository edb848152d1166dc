"""Activations: what is seen of a tensor while samples run, and the scale of the codes that stand for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.quantisation.weights import least

Float = NDArray[np.float64]

METHODS = ("minmax", "percentile", "mse")
# Values of a tensor that are kept, of all samples together; extremes are those of all.
MAX_KEPT = 1 << 17


@dataclass(frozen=True)
class Codes:
    """Codes of an activation: `bits` bits of two's complement, or without a sign."""

    bits: int
    signed: bool

    @property
    def min(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}"


class Seen:
    """What a tensor held: its extremes, and evenly drawn values.

    Parameters
    ----------
    samples
        How many there will be.
    """

    def __init__(self, samples: int) -> None:
        self.low, self.high = np.inf, -np.inf
        self._each = max(1, MAX_KEPT // samples)
        self._kept: list[NDArray[np.float32]] = []
        self._random = np.random.default_rng(0)  # the same draws in each run

    def add(self, values: NDArray[np.generic]) -> None:
        """The tensor's values for one sample."""
        flat = np.asarray(values, np.float32).reshape(-1)
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        self._kept.append(flat if flat.size <= self._each else self._random.choice(flat, self._each, replace=False))

    @property
    def values(self) -> Float:
        """Those kept."""
        return np.concatenate(self._kept).astype(np.float64)


def codes_for(seen: Sequence[Seen], bits: int, signed: bool) -> Codes:
    """Codes of `bits` bits for tensors that share them; where none is ever negative, without a sign unless asked."""
    return Codes(max(2, bits), True) if signed or min(one.low for one in seen) < 0 else Codes(bits, False)


def scale_for(seen: Sequence[Seen], codes: Codes, method: str, percentile: float) -> float:
    """The scale of `codes` for tensors that share it.

    ``minmax`` clips nothing that was seen; ``percentile`` clips what lies outside the `percentile` of the values, on
    each side where there are both; ``mse`` has the least squared error of the values kept.
    """
    values = np.concatenate([one.values for one in seen])
    low, high = min(one.low for one in seen), max(one.high for one in seen)
    if method == "percentile":
        low, high = (float(np.percentile(values, rank)) for rank in (100 - percentile, percentile))
    whole = _covering(low, high, codes)
    if method == "mse":
        whole = float(least(np.array([whole]), lambda scale: np.array([error(values, float(scale[0]), codes)]))[0])
    return float(np.float32(whole))


def _covering(low: float, high: float, codes: Codes) -> float:
    """The smallest scale at which all between `low` and `high` has a code."""
    found = max(high / codes.max, low / codes.min if codes.min else 0.0)
    return found if found > 0 else 1.0


def error(values: Float, scale: float, codes: Codes) -> float:
    """The mean squared error of codes."""
    return float(np.square(values - scale * np.clip(np.rint(values / scale), codes.min, codes.max)).mean())


def clipped(values: Float, scale: float, codes: Codes) -> float:
    """The share of `values` that lies more than half a step beyond the codes."""
    ratio = values / scale
    return float(((ratio < codes.min - 0.5) | (ratio > codes.max + 0.5)).mean())
