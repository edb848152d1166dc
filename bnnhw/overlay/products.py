"""How the engine multiplies: every product as counts of equal bits, each with a power of two.

A weight is a sum of signs, ``w = sum(n[i] / 2 * h[i])`` with ``h = +-1``, an activation one of planes,
``x = sum(c[j] * a[j]) + c0``. With ``match(h, a)`` the number of lanes where the bit of h equals that of a,

    2 * sum(w * x) = sum(k[i, j] * match(h[i], a[j])) + constant,   k = n * c

The constant follows from the weights; a negative k turns the signs round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.overlay.store import Store

Array = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Block:
    """Products of one word of each pixel with the weights of all rows of a pass, in each of several passes.

    Parameters
    ----------
    store
        What is read.
    down, across, group
        The tap in its window, and the group of channels, of the first pass; that of the next passes is the next one
        where a row reads its own lane.
    weight
        (passes, rows, lanes) integers; (passes, rows) where each row reads its own lane alone.
    padding
        Value outside the map.
    """

    store: Store
    down: int
    across: int
    group: int
    weight: Array
    padding: int = 0

    @property
    def own(self) -> bool:
        """Whether each row reads its own lane alone."""
        return self.weight.ndim == 2


@dataclass(frozen=True, eq=False)
class Count:
    """One slot that counts: ``2 ** exponent`` for each lane that is equal.

    Parameters
    ----------
    signs
        The weights' bits, of the shape of the block's weights.
    """

    block: Block
    plane: int
    exponent: int
    signs: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Product:
    """Twice a sum of products: ``sum(2 ** exponent * count) + constant``, with (passes, rows) constants.

    Where all exponents have one in common, sums are counted in units of it.

    Parameters
    ----------
    low, high
        (passes, rows) the least and the largest sum of counts in units that values of the formats can give. The counts
        of planes and signs depend on each other, so that most sums stay far from the sums of what each of them can
        reach.
    """

    counts: tuple[Count, ...]
    constant: Array
    low: Array
    high: Array

    @property
    def unit(self) -> int:
        """The lowest exponent."""
        return _unit(self.counts)

    def reached(self, threshold: Array) -> Array:
        """The sum of counts, in units and from the least one to one more than the largest, from which on sums reach
        `threshold`, (passes, rows)."""
        counts = -((self.constant - 2 * threshold) >> self.unit)
        return np.clip(counts, self.low, self.high + 1)


def product_of(blocks: Sequence[Block], extra: Array) -> Product:
    """The sum of all `blocks`, plus `extra` (passes, rows)."""
    counts: list[tuple[tuple[int, int, int], Count]] = []
    constant = 2 * extra.astype(np.int64)
    # The least and the largest sum, from the least and the largest value of each input.
    least, largest = extra.astype(np.int64), extra.astype(np.int64)
    for block in blocks:
        used = np.ones((), np.bool_) if block.own else _used(block)
        weight = np.where(used, block.weight, 0)
        spread: tuple[int, ...] = () if block.own else (-1,)
        encoding = block.store.encoding
        # Lanes that may hold anything must count for nothing.
        free = np.broadcast_to(~used & block.store.defined, weight.shape)
        constant += 2 * encoding.offset * weight.sum(axis=spread)
        ends = np.stack([weight * encoding.dtype.min, weight * encoding.dtype.max])
        least = least + ends.min(axis=0).sum(axis=spread)
        largest = largest + ends.max(axis=0).sum(axis=spread)
        for part, (factor, signs) in enumerate(_signs(weight, free)):
            for plane, of_plane in enumerate(encoding.weights):
                coefficient = factor * of_plane
                positive = signs ^ (coefficient < 0)
                constant -= abs(coefficient) * (~positive & ~free).sum(axis=spread)
                # A lane without a channel holds 0: a weight of 1 never equals it.
                bits = positive | free
                counts += [
                    ((-exponent, part, plane), Count(block, plane, exponent, bits))
                    for exponent in range(abs(coefficient).bit_length())
                    if abs(coefficient) >> exponent & 1
                ]
    # The highest exponent first, and neighbouring words one behind the other.
    ordered = tuple(count for _, count in sorted(counts, key=lambda count: count[0]))
    unit = _unit(ordered)
    return Product(ordered, constant, (2 * least - constant) >> unit, (2 * largest - constant) >> unit)


def _unit(counts: Sequence[Count]) -> int:
    return min(count.exponent for count in counts)


def _used(block: Block) -> NDArray[np.bool_]:
    return block.store.used(block.group)


def _signs(weight: Array, free: NDArray[np.bool_]) -> list[tuple[int, NDArray[np.bool_]]]:
    """`weight` as a sum of signs: twice the factor of each, and where it is +1. Lanes that are `free` may be
    anything."""
    bound = weight[~free]
    sizes = set(np.unique(np.abs(bound)).tolist())
    if not sizes - {0}:
        sizes.add(1)
    largest = max(sizes)
    if sizes <= {0, largest}:
        if 0 not in sizes:
            return [(2 * largest, weight > 0)]
        return [(largest, weight >= 0), (largest, weight > 0)]
    dtype = DataType("int", max(2, 1 + max(int(bound.max()), int(-bound.min()) - 1).bit_length()))
    planes = dtype.planes(np.where(free, 0, weight))
    every = np.ones(weight.shape, np.bool_)
    return [*zip(dtype.plane_weights, planes, strict=True), (-1, every)]
