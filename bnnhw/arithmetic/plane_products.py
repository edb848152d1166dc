"""How hardware multiplies by counting: which bits of a lane a PE counts, and what counting leaves out.

A PE counts, over its lanes, one bit for each of a format pair's `Product.weights`, and adds the counts up with these
weights. The one place that says what these bits are; `bnnhw.gateware.arithmetic.pe` builds them, `bnnhw.dataflow` takes
the constants and the sizes from here.

* A bipolar weight counts the lanes where it equals a plane of the activation (XNOR), a ternary weight the same under
  its mask, an integer weight has one AND per bit. With activation planes ``x = sum c_j x_j + c0`` and weights
  ``w = sum d_i w_i`` (or, for signs under a mask, lanes that count ``w x_j + [w = -1]``):

      w * x = sum_ij d_i c_j bit_ij + constant,   constant = c0 * w - sum(c_j) * [w = -1]

  (the second term only for signed lanes).
* A ternary activation times a sign, or a sign under a mask, is +1, -1 or 0, so
  ``w * x = 2 * [w * x = 1] - [w * x != 0]``. With a bipolar weight the second bit is the activation's own: its count is
  the same for all PEs of a unit, which count it once (`Product.shared`) and the other way round, as there is nothing to
  subtract then: ``w * x = 2 * [w * x = 1] + [x = 0] - 1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.popcount_tree import counted_lanes, popcount_latency

# So few rows of biases are no memory: the LUTs that choose between a sum and a bias take them in.
SMALL_TABLE = 4


@dataclass(frozen=True)
class Product:
    """The product of an activation and a weight of two formats.

    Parameters
    ----------
    input, weight
        The formats.
    """

    input: DataType
    weight: DataType

    @property
    def signs(self) -> bool:
        """Whether a weight is a sign (under a mask) and not a binary number."""
        return self.weight.kind in ("bipolar", "ternary")

    @property
    def signed_pairs(self) -> bool:
        """Whether a lane's product is -1, 0 or 1 with an activation that has a mask."""
        return self.signs and self.input.kind == "ternary"

    @property
    def weights(self) -> tuple[int, ...]:
        """The weight of each of a PE's counts."""
        if self.signed_pairs:
            return (2,) if self.weight.kind == "bipolar" else (2, -1)
        rows = (1,) if self.signs else self.weight.plane_weights
        return tuple(row * column for row in rows for column in self.input.plane_weights)

    @property
    def shared(self) -> int:
        """The weight of the count of activations that are zero, the same for all PEs; 0 where there is none."""
        return 1 if self.signed_pairs and self.weight.kind == "bipolar" else 0

    @property
    def divisor(self) -> int:
        """What all weights have in common."""
        return gcd(*self.weights, self.shared)

    @property
    def matches(self) -> bool:
        """Whether what is counted are equal bits of activations and weights, which takes the fewest LUTs."""
        return self.weight.kind == "bipolar" and not self.signed_pairs

    @property
    def terms(self) -> int:
        """Counts that a PE adds up."""
        return len(self.weights) + (self.shared != 0)

    def latency(self, simd: int, levels: int | None) -> int:
        """Registers between `simd` lanes and what they add to the accumulator; `levels` as of `popcount_latency`."""
        lanes = counted_lanes(simd) if self.spare else simd
        return popcount_latency(lanes, levels) + (levels is not None and self.terms > 1)

    @property
    def spare(self) -> bool:
        """Whether a PE's only count may leave a lane to the adder that follows."""
        return len(self.weights) == 1

    def constant(self, weight: NDArray[np.integer], padding: int) -> NDArray[np.int64]:
        """What counting leaves out of each row of `weight` (rows, lanes), the last `padding` lanes of which hold the
        all-zero code and meet such activations: (rows,)."""
        wide = weight.astype(np.int64)
        if self.signed_pairs:
            return np.full(len(wide), -self.shared * wide.shape[1])
        constant = self.input.plane_offset * wide.sum(axis=1)
        if self.signs:
            constant -= sum(self.input.plane_weights) * (wide == -1).sum(axis=1)
        return constant - self.weight.zero_code_value * self.input.zero_code_value * padding
