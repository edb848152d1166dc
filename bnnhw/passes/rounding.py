"""How far float32 may take the values of the model from exact ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.nodes import Activation, Arithmetic, Clip, Dequant, Node

Array = NDArray[np.float64]

# The error of one float32 operation, relative to what comes out.
ROUNDING = 2.0**-24
EXACT = np.zeros(())


@dataclass(frozen=True, eq=False)
class Rounded:
    """What is known of float32 values: none is beyond `largest`, all are whole multiples of `grain` (0 where nothing
    tells), and each is off the exact value by at most `error`. All are float64, scalar or (C,)."""

    largest: Array
    grain: Array
    error: Array

    def after(self, step: Node) -> Rounded:
        """Behind a piecewise linear operation."""
        if isinstance(step, Clip):
            ends = np.array([end for end in (step.low, step.high) if np.isfinite(end)])
            largest = np.maximum(self.largest, np.abs(ends).max(initial=0))
            return replace(self, largest=largest, grain=np.minimum(self.grain, lowest_bit(ends).min(initial=np.inf)))
        if isinstance(step, Arithmetic) and step.operation == "add":
            operand = step.operand.astype(np.float64)
            made = Rounded(self.largest + np.abs(operand), np.minimum(self.grain, lowest_bit(operand)), self.error)
            return made.once()
        if isinstance(step, Arithmetic):
            operand = step.operand.astype(np.float64)
            factor = np.abs(operand if step.operation == "mul" else 1 / operand)
            grain = np.where(factor == 0, np.inf, self.grain) * np.where(factor == 0, 1.0, lowest_bit(factor))
            return Rounded(self.largest * factor, grain, self.error * factor).once()
        assert isinstance(step, Activation) and step.function == "leaky_relu"
        slope = np.maximum(step.alpha.astype(np.float64), 1.0)
        grain = self.grain * np.minimum(lowest_bit(step.alpha.astype(np.float64)), 1.0)
        return Rounded(self.largest * slope, grain, self.error * slope).once()

    def once(self, roundings: float = 1.0) -> Rounded:
        """With the error of some roundings, unless float32 holds all values as they are."""
        fits = self.largest * ROUNDING <= self.grain
        error = self.error + np.where(fits, 0.0, roundings * ROUNDING * self.largest)
        return replace(self, grain=np.where(fits, self.grain, 0.0), error=error)


def rounded(steps: tuple[Node, ...], largest: Array) -> Rounded:
    """Of what a piecewise linear chain makes of integers of up to `largest`, scalar or (C,)."""
    first = steps[0]
    assert isinstance(first, Dequant)
    scale = np.abs(first.scale)
    noise = first.noise + np.zeros_like(scale)
    found = Rounded(scale * largest, np.where(noise > 0, 0.0, lowest_bit(scale)), noise).once()
    for step in steps[1:]:
        found = found.after(step)
    return found


def added(parts: list[Rounded]) -> Rounded:
    """Of sums of values, in any order of additions."""
    first, *others = parts
    for part in others:
        grain = np.minimum(first.grain, part.grain)
        first = Rounded(first.largest + part.largest, grain, first.error + part.error)
    return first.once(additions(len(parts)))


def repeated(part: Rounded, count: int) -> Rounded:
    """Of sums of `count` values of one kind."""
    return Rounded(part.largest * count, part.grain, part.error * count).once(additions(count))


def additions(count: int) -> float:
    """Roundings, each relative to the whole, in a sum of so many values: one for each level of a tree."""
    return float(np.ceil(np.log2(max(count, 1))))


def lowest_bit(values: Array) -> Array:
    """The largest power of two that divides each of `values`; infinite for 0."""
    mantissa, exponent = np.frexp(np.abs(values))
    whole = (mantissa * 2.0**53).astype(np.int64)
    found = np.ldexp((whole & -whole).astype(np.float64), exponent - 53)
    return np.where(whole == 0, np.inf, found)
