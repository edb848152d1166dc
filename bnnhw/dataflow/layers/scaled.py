"""Layers that end in a multiplication: the unit that scales, and what its memory holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType, signed_width
from bnnhw.ir.nodes import Scale
from bnnhw.units.scale import ScaleContents, ScaleUnit


def scale_unit(
    node: Scale, x: DataType, given: DataType, *, pe: int, nf: int, vectors: int, memory: str, multiplier: str
) -> ScaleUnit:
    """The unit that computes `node` of numbers of the format `x`, and gives codes of the format `given`."""
    products = np.stack([node.factors * end + node.biases for end in (x.min, x.max)])
    limits = np.stack(np.broadcast_arrays(node.low, node.high))
    width = _width(np.append(products, node.biases))
    return ScaleUnit(
        dtype=x,
        pe=pe,
        nf=nf,
        tail=node.factors.shape[1] - (nf - 1) * pe,
        vectors=vectors,
        pieces=len(node.factors),
        factor=_one(node),
        factor_bits=_width(node.factors),
        width=max(width, node.shift + 1),
        shift=node.shift,
        even=node.even,
        limit_bits=_width(limits) if limits.ndim > 1 else 0,
        bits=given.bits,
        memory=memory,
        multiplier=multiplier,
    )


def scale_contents(node: Scale, *, pe: int, nf: int) -> ScaleContents:
    """What that unit holds; rows past the last channel are zero."""
    channels = node.factors.shape[1]
    whole = np.zeros(nf * pe - channels, np.int64)

    def rows(array: NDArray[np.int64]) -> list[list[int]]:
        return [np.concatenate([row, whole]).tolist() for row in array]

    low, high = np.broadcast_arrays(node.low, node.high)
    lows, highs = rows(np.stack([low, high])) if low.ndim else ([int(low)], [int(high)])
    factors = [] if _one(node) is not None else rows(node.factors)
    return ScaleContents(factors, rows(node.biases), rows(node.pivots), lows, highs, node.offset, node.step)


def _one(node: Scale) -> int | None:
    """The factor that all channels have."""
    first = int(node.factors.reshape(-1)[0])
    return first if (node.factors == first).all() else None


def _width(values: NDArray[np.int64]) -> int:
    return signed_width(int(values.min()), int(values.max()))
