"""What a weight memory holds: the storage codes of a matrix, folded into words, as the PEs that read them want them.

* Neuron n is row ``n % PE`` of pass ``n // PE``; column m is lane ``m % SIMD`` of beat ``m // SIMD``.
* Weight word ``nf * SF + sf``: lane `l` of row `p` has its code at bit ``(p * SIMD + l) * weight_bits``.
* Lanes and rows past the matrix hold the all-zero code.

PEs that count equal bits of weights and activations take some of the lanes in another form (`MatchCoding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.bits import pack_words
from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.popcount_tree import counted_lanes, popcount_tree


@dataclass(frozen=True)
class MatchCoding:
    """The form in which a popcount of matches takes the bits of its lanes.

    iCE40 counts three lanes in fewer LUTs if the middle one's bit is the parity of all three, of the weights as of
    what they meet. An adder of ECP5 compares a position's second lane with the inverse of its weight.

    Bits may be anything that has ``^``: integers, arrays of them, or signals of a circuit.

    Parameters
    ----------
    parities
        Lanes that hold the parity of their own bit and those of both neighbours, of weights and activations.
    inverted
        Lanes with inverted weights.
    """

    parities: frozenset[int]
    inverted: frozenset[int]

    @classmethod
    def of(cls, lanes: int, family: str, *, spare: bool) -> MatchCoding:
        """The coding of a popcount of `lanes` lanes; where `spare`, it may leave one to the adder that follows."""
        tree = popcount_tree(counted_lanes(lanes) if spare else lanes, family)
        lowest = [subtree for subtree in tree.all() if not subtree.halves]
        if family == "ecp5":
            return cls(frozenset(), frozenset(subtree.start + 1 for subtree in lowest if subtree.count > 1))
        return cls(frozenset(subtree.start + 1 for subtree in lowest if subtree.count == 3), frozenset())

    def activations(self, bits: Sequence[Any]) -> list[Any]:
        """The lanes of what the weights meet."""
        return [
            bit ^ (bits[lane - 1] ^ bits[lane + 1]) if lane in self.parities else bit for lane, bit in enumerate(bits)
        ]

    def weights(self, bits: Sequence[Any]) -> list[Any]:
        """The lanes of the weights."""
        return [bit ^ 1 if lane in self.inverted else bit for lane, bit in enumerate(self.activations(bits))]


def logic_family(family: str, words: int) -> str:
    """The family that PEs are built for: logic that meets a single, constant word is simplified, vendor cells are
    not."""
    return family if words > 1 else "ice40"


def padded_matrix(weight: NDArray[np.integer], dtype: DataType, *, pe: int, simd: int) -> NDArray[np.int64]:
    """A matrix (MH, MW) of `dtype` with the rows and lanes that fill its last pass and beat: (NF * PE, SF * SIMD)."""
    rows, lanes = -(-weight.shape[0] // pe) * pe, -(-weight.shape[1] // simd) * simd
    whole = np.full((rows, lanes), dtype.zero_code_value, dtype=np.int64)
    whole[: weight.shape[0], : weight.shape[1]] = weight
    return whole


def lane_codes(codes: NDArray[np.integer], product: Product, family: str) -> NDArray[np.integer]:
    """Storage codes of weights (.., SIMD) in the form in which a PE of `family` takes its lanes."""
    if not product.matches:
        return codes
    lanes = codes.shape[-1]
    coding = MatchCoding.of(lanes, family, spare=product.spare)
    return np.stack(coding.weights([codes[..., lane] for lane in range(lanes)]), axis=-1)


def weight_words(whole: NDArray[np.integer], product: Product, *, pe: int, simd: int, family: str) -> list[int]:
    """The words of a weight memory, NF * SF of them.

    Parameters
    ----------
    whole
        (NF * PE, SF * SIMD), the columns in the order in which elements of an input vector come: see `padded_matrix`.
    product
        How lanes are multiplied; its `weight` is the format of the weights.
    pe, simd
        Rows and columns at a time.
    family
        ``"ice40"`` or ``"ecp5"``.
    """
    nf, sf = whole.shape[0] // pe, whole.shape[1] // simd
    codes = product.weight.encode(whole).reshape(nf, pe, sf, simd).transpose(0, 2, 1, 3)
    stored = lane_codes(codes, product, logic_family(family, nf * sf))
    return pack_words(stored.reshape(nf * sf, pe * simd), product.weight.bits)
