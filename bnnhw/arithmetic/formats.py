"""Number formats: range, storage code, and the bit-planes that the hardware multiplies.

A value of a format is stored in `bits` bits:

========  =========================  ====================================================
format    values                     storage code
========  =========================  ====================================================
bipolar   -1, +1                     bit 0 is -1, bit 1 is +1
ternary   -1, 0, +1                  bit 0 sign (1 is +1), bit 1 mask; mask 0 is zero, and
                                     then the sign bit is 0
uintN     0 .. 2^N - 1               binary
intN      -2^(N-1) .. 2^(N-1) - 1    two's complement
========  =========================  ====================================================

In every format the all-zero code is a legal value (`zero_code_value`): padding lanes hold it.

Every format is also a weighted sum of planes, each plane one bit: ``value = sum(c[j] * plane[j]) + c0``
with ``c = plane_weights`` and ``c0 = plane_offset``. A ternary value is the sum of two bipolar halves, so
its planes are ``~mask | sign`` and ``mask & sign`` (thermometer code), not its two storage bits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal["bipolar", "ternary", "uint", "int"]

MAX_BITS = 16


@dataclass(frozen=True)
class DataType:
    """One number format.

    Parameters
    ----------
    kind
        ``"bipolar"`` (1 bit), ``"ternary"`` (2 bits), ``"uint"`` (1 to 16) or ``"int"`` (2 to 16).
    bits
        Storage bits per value.

    Raises
    ------
    ValueError
        If the kind is unknown or does not exist with that number of bits.
    """

    kind: Kind
    bits: int

    def __post_init__(self) -> None:
        low, high = {"bipolar": (1, 1), "ternary": (2, 2), "uint": (1, MAX_BITS), "int": (2, MAX_BITS)}.get(
            self.kind, (0, -1)
        )
        if not low <= self.bits <= high:
            raise ValueError(f"no number format of kind {self.kind!r} with {self.bits!r} bits")

    @classmethod
    def parse(cls, name: str) -> DataType:
        """The format called `name`: ``bipolar``, ``ternary``, ``uint4``, ``int8`` (any case)."""
        text = name.lower()
        if text in ("bipolar", "binary"):
            return BIPOLAR if text == "bipolar" else cls("uint", 1)
        if text == "ternary":
            return TERNARY
        match = re.fullmatch(r"(uint|int)(\d{1,2})", text)
        if match is None:
            raise ValueError(f"unknown number format {name!r}: use bipolar, ternary, uint1..16 or int2..16")
        return cls("uint" if match[1] == "uint" else "int", int(match[2]))

    @classmethod
    def smallest(cls, low: int, high: int) -> DataType:
        """The narrowest integer format that holds low..high (never bipolar; -1..1 is ternary)."""
        if low >= 0:
            return cls("uint", max(1, int(high).bit_length()))
        if (low, high) in ((-1, 0), (-1, 1)):
            return TERNARY
        return cls("int", max(2, 1 + max(int(high).bit_length(), int(-low - 1).bit_length())))

    @property
    def name(self) -> str:
        return self.kind if self.kind in ("bipolar", "ternary") else f"{self.kind}{self.bits}"

    def __str__(self) -> str:
        return self.name

    @property
    def min(self) -> int:
        if self.kind in ("bipolar", "ternary"):
            return -1
        return 0 if self.kind == "uint" else -(1 << (self.bits - 1))

    @property
    def max(self) -> int:
        if self.kind in ("bipolar", "ternary"):
            return 1
        return (1 << self.bits) - 1 if self.kind == "uint" else (1 << (self.bits - 1)) - 1

    @property
    def zero_code_value(self) -> int:
        """The value whose storage code is all zeros: what padding lanes carry."""
        return -1 if self.kind == "bipolar" else 0

    @property
    def plane_weights(self) -> tuple[int, ...]:
        """Weight of each plane, plane 0 first."""
        if self.kind == "bipolar":
            return (2,)
        if self.kind == "ternary":
            return (1, 1)
        weights = [1 << j for j in range(self.bits)]
        if self.kind == "int":
            weights[-1] = -weights[-1]
        return tuple(weights)

    @property
    def plane_offset(self) -> int:
        """The constant that the planes leave out."""
        return -1 if self.kind in ("bipolar", "ternary") else 0

    def contains(self, values: ArrayLike) -> bool:
        """Whether every one of the integer `values` is a value of this format."""
        array = np.asarray(values)
        if array.size == 0:
            return True
        if self.kind == "bipolar":
            return bool(np.all(np.abs(array) == 1))
        return bool(array.min() >= self.min and array.max() <= self.max)

    def encode(self, values: ArrayLike) -> NDArray[np.uint16]:
        """Storage codes (uint16, same shape) of integer `values`.

        Raises
        ------
        ValueError
            If a value is not one of this format.
        """
        array = self._checked(values).astype(np.int64)
        if self.kind == "bipolar":
            codes = (array + 1) >> 1
        elif self.kind == "ternary":
            codes = np.where(array == 0, 0, 2 | (array > 0))
        else:
            codes = array & ((1 << self.bits) - 1)
        return codes.astype(np.uint16)

    def decode(self, codes: ArrayLike) -> NDArray[np.int32]:
        """Integer values (int32, same shape) of storage `codes`; the inverse of `encode`."""
        array = np.asarray(codes).astype(np.int32)
        if self.kind == "bipolar":
            return 2 * array - 1
        if self.kind == "ternary":
            return np.where(array & 2, 2 * (array & 1) - 1, 0).astype(np.int32)
        if self.kind == "int":
            return array - ((array >> (self.bits - 1)) << self.bits)
        return array

    def planes(self, values: ArrayLike) -> NDArray[np.bool_]:
        """The planes of integer `values`: shape (number of planes, *values.shape), plane 0 first.

        Raises
        ------
        ValueError
            If a value is not one of this format.
        """
        if self.kind in ("bipolar", "ternary"):
            array = self._checked(values)
            return np.stack([array >= 0, array > 0] if self.kind == "ternary" else [array > 0])
        codes = self.encode(values)
        bits: Any = [(codes >> j) & 1 for j in range(self.bits)]
        return np.stack(bits).astype(bool)

    def _checked(self, values: ArrayLike) -> NDArray[Any]:
        array = np.asarray(values)
        if not self.contains(array):
            raise ValueError(f"values outside {self.name}: {array.min()}..{array.max()}")
        return array


BIPOLAR = DataType("bipolar", 1)
TERNARY = DataType("ternary", 2)
