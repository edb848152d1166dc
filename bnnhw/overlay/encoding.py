"""How the values of a tensor are bit-planes in the engine's memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnnhw.arithmetic.formats import DataType

MAX_UNARY = 15
"""Planes of a tensor in unary."""


@dataclass(frozen=True)
class Encoding:
    """Planes of one bit whose weighted sum is a value: ``sum(weights[j] * plane[j]) + offset``, no weight negative.

    Integers are binary numbers, counted from the format's lowest value on: so a negative weight of the highest plane,
    which would ask for other words of weights than those below it, does not arise, and classes are ranked bit by bit.

    Parameters
    ----------
    dtype
        The values.
    unary
        Whether plane j tells that a value is above the format's lowest one by more than j: what a maximum asks for, as
        it is the OR of such planes. Ternary values are always so, and values of one bit.
    """

    dtype: DataType
    unary: bool = False

    @classmethod
    def comparable(cls, dtype: DataType) -> Encoding | None:
        """The encoding of `dtype` whose planes have maxima; None where that were too many planes."""
        if dtype.bits == 1 or dtype.kind == "ternary":
            return cls(dtype)
        return cls(dtype, unary=True) if dtype.max - dtype.min <= MAX_UNARY else None

    @property
    def weights(self) -> tuple[int, ...]:
        """Weight of each plane."""
        if self.unary:
            return (1,) * (self.dtype.max - self.dtype.min)
        return tuple(abs(weight) for weight in self.dtype.plane_weights)

    @property
    def offset(self) -> int:
        """The value of planes that are all zero."""
        return self.dtype.min

    @property
    def planes(self) -> int:
        return len(self.weights)

    @property
    def binary(self) -> bool:
        """Whether the planes are the bits of a binary number."""
        return not self.unary and self.dtype.kind in ("int", "uint")

    def bits(self, values: ArrayLike) -> NDArray[np.bool_]:
        """The planes of integer `values`: (planes, *values.shape)."""
        array = np.asarray(values)
        if self.unary:
            return np.stack([array > self.dtype.min + j for j in range(self.planes)])
        planes = self.dtype.planes(array)
        if self.dtype.kind == "int":
            planes[-1] ^= True
        return planes
