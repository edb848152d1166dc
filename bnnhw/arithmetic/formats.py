"""Formats of tensors: number formats with their storage codes and bit-planes, ranges of integers, and float32.

A value of a number format is stored in `bits` bits:

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

MAX_BITS = 32


@dataclass(frozen=True)
class DataType:
    """One number format.

    Parameters
    ----------
    kind
        ``"bipolar"`` (1 bit), ``"ternary"`` (2 bits), ``"uint"`` (1 to 32) or ``"int"`` (2 to 32).
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
            raise ValueError(f"unknown number format {name!r}: use bipolar, ternary, uint1..32 or int2..32")
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
    def storage(self) -> DataType:
        """The number format that values are stored in: itself, as a range of integers has one, too."""
        return self

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

    def encode(self, values: ArrayLike) -> NDArray[np.uint32]:
        """Storage codes (uint32, same shape) of integer `values`.

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
        return codes.astype(np.uint32)

    def decode(self, codes: ArrayLike) -> NDArray[np.int32]:
        """Integer values (int32, for uint32 int64; same shape) of storage `codes`; the inverse of `encode`."""
        array = np.asarray(codes).astype(np.int64)
        if self.kind == "bipolar":
            array = 2 * array - 1
        elif self.kind == "ternary":
            array = np.where(array & 2, 2 * (array & 1) - 1, 0)
        elif self.kind == "int":
            array = array - ((array >> (self.bits - 1)) << self.bits)
        return array.astype(np.int64 if self.max >> 31 else np.int32)

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


@dataclass(frozen=True)
class IntegerRange:
    """The integers `low` to `high`, both included: what a layer, a sum or a pool can reach.

    Raises
    ------
    ValueError
        If the range is empty, or needs more than 32 bits.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"no integers from {self.low} to {self.high}")
        if self.bits > MAX_BITS:
            raise ValueError(f"integers from {self.low} to {self.high} need {self.bits} bits; at most {MAX_BITS} map")

    @property
    def bits(self) -> int:
        """Storage bits per value."""
        return max(1, self.high.bit_length()) if self.low >= 0 else max(2, signed_width(self.low, self.high))

    @property
    def storage(self) -> DataType:
        """The number format that values are stored in: binary, or two's complement where there are negative ones."""
        return DataType("uint" if self.low >= 0 else "int", self.bits)

    @property
    def name(self) -> str:
        return f"{self.low}..{self.high}"

    def __str__(self) -> str:
        return self.name

    @property
    def min(self) -> int:
        return self.low

    @property
    def max(self) -> int:
        return self.high

    def contains(self, values: ArrayLike) -> bool:
        """Whether every one of the integer `values` is in the range."""
        array = np.asarray(values)
        return array.size == 0 or bool(array.min() >= self.low and array.max() <= self.high)


@dataclass(frozen=True)
class Float32:
    """The format of tensors that software computes in float32; there is but this one, `FLOAT32`."""

    @property
    def name(self) -> str:
        return "float32"

    def __str__(self) -> str:
        return self.name


Integers = DataType | IntegerRange
Format = Integers | Float32

BIPOLAR = DataType("bipolar", 1)
TERNARY = DataType("ternary", 2)
BIT = DataType("uint", 1)
FLOAT32 = Float32()


def signed_width(low: int, high: int) -> int:
    """Bits of the two's complement numbers low..high, at least one."""
    return 1 + max(high.bit_length() if high > 0 else 0, (-low - 1).bit_length() if low < 0 else 0)


def value_width(format_: Integers) -> int:
    """Bits of the two's complement numbers of a format."""
    return signed_width(format_.min, format_.max)


def parse_format(name: str) -> Format:
    """The format called `name`: ``float32``, a number format, or a range such as ``-12..40``.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name == FLOAT32.name:
        return FLOAT32
    match = re.fullmatch(r"(-?\d{1,10})\.\.(-?\d{1,10})", name)
    return IntegerRange(int(match[1]), int(match[2])) if match else DataType.parse(name)
