"""A chain between a layer and its quantiser in exact arithmetic: straight pieces, of fractions.

Every parameter is taken as the number that it is (a float32 is a fraction), every operation as exact. Nothing is
rounded but by the quantiser.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.nodes import Activation, Arithmetic, Clip, Dequant, Node, Quant, Round

# For each rounding the halves from which on, for whole numbers k, k is reached: twice the value must be at least (or,
# where that is not included, above) 2 k + the first number.
Halves = tuple[NDArray[np.int64], NDArray[np.bool_]]
# These treat numbers on both sides of zero alike: a line through it has another addend below, or for halves may have.
SYMMETRIC = ("ROUND_TO_ZERO", "DOWN", "UP")
SYMMETRIC_HALVES = ("HALF_UP", "HALF_DOWN")


@dataclass(frozen=True)
class Piece:
    """``x * slope + offset`` from ``start`` on, up to the next piece; the first one has no start."""

    start: Fraction | None
    slope: Fraction
    offset: Fraction

    def at(self, x: Fraction) -> Fraction:
        return x * self.slope + self.offset


Pieces = tuple[Piece, ...]


def chain(steps: tuple[Node, ...], channel: int) -> Pieces | None:
    """What `steps`, the last of them a `Quant` or `Round`, make of an integer of a channel before they round it; None
    if that is not made of straight pieces."""
    pieces: Pieces = (Piece(None, Fraction(1), Fraction(0)),)
    for step in steps:
        if isinstance(step, Dequant):
            pieces = _affine(pieces, _of(step.scale, channel), Fraction(0))
        elif isinstance(step, Arithmetic):
            operand = _of(step.operand, channel)
            if step.operation == "add":
                pieces = _affine(pieces, Fraction(1), operand)
            else:
                pieces = _affine(pieces, operand if step.operation == "mul" else 1 / operand, Fraction(0))
        elif isinstance(step, Clip):
            pieces = _clipped(pieces, step.low, step.high)
        elif isinstance(step, Activation) and step.function == "leaky_relu":
            pieces = _bent(pieces, _of(step.alpha, channel))
        elif isinstance(step, Activation) and step.function == "hard_sigmoid":
            pieces = _affine(pieces, _of(step.alpha, channel), _number(step.beta))
            pieces = _clipped(pieces, 0.0, 1.0)
        elif isinstance(step, Quant) and step is steps[-1]:
            pieces = _affine(pieces, 1 / _of(step.scale, channel), _of(step.zero_point, channel))
        elif not (isinstance(step, Round) and step is steps[-1]):
            return None
    return _merged(pieces)


def mirrored(pieces: Pieces) -> Pieces:
    """The same of ``-x``."""
    ends = [None, *(None if p.start is None else -p.start for p in pieces[:0:-1])]
    return tuple(Piece(end, -p.slope, p.offset) for end, p in zip(ends, pieces[::-1], strict=True))


def split_at_zero(pieces: Pieces) -> Pieces:
    """With a piece of its own below zero."""
    return _below(pieces, Fraction(0), lambda p: (p.slope, p.offset))


def value(pieces: Pieces, x: int) -> Fraction:
    """What the pieces make of `x`."""
    found = next(p for p in reversed(pieces) if p.start is None or x >= p.start)
    return found.at(Fraction(x))


def halves(rounding: str, codes: NDArray[np.int64]) -> Halves:
    """From which double of a value on each of the `codes` is reached, and whether that value itself reaches it."""
    positive, always = codes > 0, np.ones(codes.shape, np.bool_)
    if rounding == "ROUND":
        return 2 * codes - 1, codes % 2 == 0
    if rounding == "FLOOR":
        return 2 * codes, always
    if rounding == "CEIL":
        return 2 * codes - 2, ~always
    if rounding in ("ROUND_TO_ZERO", "DOWN"):
        return 2 * codes - np.where(positive, 0, 2), positive
    if rounding == "UP":
        return 2 * codes - np.where(positive, 2, 0), ~positive
    return 2 * codes - 1, positive if rounding == "HALF_UP" else ~positive


def cuts(pieces: Pieces, rounding: str, codes: NDArray[np.int64], low: int, high: int) -> NDArray[np.int64]:
    """The first integer, from `low` to ``high + 1``, that reaches each of the `codes`, ascending, by pieces that never
    fall."""
    doubles, included = halves(rounding, codes)
    least, greatest = 2 * value(pieces, low), 2 * value(pieces, high)
    found = np.where(np.where(included, doubles <= floor(least), doubles < ceil(least)), low, high + 1)
    # Of codes that all integers reach, or none, nothing has to be computed.
    some = (doubles >= floor(least)) & (doubles <= ceil(greatest))
    ends = [p.start for p in pieces[1:]] + [None]
    for piece, end in zip(pieces, ends, strict=True):
        if not piece.slope:
            continue
        here = some.copy()
        if piece.start is not None:
            double = 2 * piece.at(piece.start)
            here &= np.where(included, doubles > floor(double), doubles >= ceil(double))
        if end is not None:
            double = 2 * piece.at(end)
            here &= np.where(included, doubles <= floor(double), doubles < ceil(double))
        # x >= (double / 2 - offset) / slope
        slope, offset = piece.slope, piece.offset
        over = (doubles[here].astype(object) * offset.denominator - 2 * offset.numerator) * slope.denominator
        under = 2 * offset.denominator * slope.numerator
        first = np.where(included[here], -(-over // under), over // under + 1)
        found[here] = np.clip(first, low, high + 1).astype(np.int64)
    return found


def _of(array: NDArray[np.floating], channel: int) -> Fraction:
    flat = np.asarray(array).reshape(-1)
    return _number(flat[channel if flat.size > 1 else 0])


def _number(number: Any) -> Fraction:
    return Fraction(float(number))


def _affine(pieces: Pieces, factor: Fraction, addend: Fraction) -> Pieces:
    return tuple(Piece(p.start, p.slope * factor, p.offset * factor + addend) for p in pieces)


def _bent(pieces: Pieces, alpha: Fraction) -> Pieces:
    return _below(pieces, Fraction(0), lambda p: (p.slope * alpha, p.offset * alpha))


def _clipped(pieces: Pieces, low: float, high: float) -> Pieces:
    if np.isfinite(low):
        least = _number(np.float32(low))
        pieces = _below(pieces, least, lambda p: (Fraction(0), least))
    if np.isfinite(high):
        most = -_number(np.float32(high))
        turned = _affine(pieces, Fraction(-1), Fraction(0))
        pieces = _affine(_below(turned, most, lambda p: (Fraction(0), most)), Fraction(-1), Fraction(0))
    return pieces


def _below(pieces: Pieces, level: Fraction, change: Callable[[Piece], tuple[Fraction, Fraction]]) -> Pieces:
    """The pieces with what lies below `level` changed to another slope and offset."""
    found = []
    for piece, end in zip(pieces, [*(p.start for p in pieces[1:]), None], strict=True):
        starts = [piece.start]
        if piece.slope:
            crossing = (level - piece.offset) / piece.slope
            if (piece.start is None or crossing > piece.start) and (end is None or crossing < end):
                starts.append(crossing)
        for start, stop in zip(starts, [*starts[1:], end], strict=True):
            part = Piece(start, piece.slope, piece.offset)
            if part.at(_inside(start, stop)) < level:
                part = Piece(start, *change(part))
            found.append(part)
    return tuple(found)


def _inside(start: Fraction | None, end: Fraction | None) -> Fraction:
    if start is None:
        return Fraction(0) if end is None else end - 1
    return start + 1 if end is None else (start + end) / 2


def _merged(pieces: Pieces) -> Pieces:
    found: list[Piece] = []
    for piece in pieces:
        if not found or (piece.slope, piece.offset) != (found[-1].slope, found[-1].offset):
            found.append(piece)
    return tuple(found)
