"""Layers that end in a multiplication: the unit that scales, and what its memory holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType, signed_width
from bnnhw.arithmetic.scaling import lines, staircase
from bnnhw.ir.nodes import Scale, Threshold
from bnnhw.units.scale import ScaleContents, ScaleUnit

# Fewer thresholds are no more than a multiplication takes.
MIN_THRESHOLDS = 7
# A table of more bits, half of what a block RAM of iCE40 has, lies in block RAM where nobody asks.
MAX_LUT_TABLE = 2048


def table_memory(bits: int) -> str:
    """Where a table of `bits` bits lies."""
    return "block" if bits > MAX_LUT_TABLE else "lut"


def stand_in(
    node: Threshold, cuts: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64], signs: NDArray[np.int64]
) -> Scale | None:
    """A multiplication that gives the codes of `node` for all integers from `low` to `high`, (C,) each, where it has
    its thresholds at `cuts` (C, n) of them, or of their negatives where `signs` are -1; None if there is none."""
    count = cuts.shape[1]
    if node.codes.size or count < MIN_THRESHOLDS or node.dtype.kind not in ("uint", "int"):
        return None
    ends = np.sort(np.stack([signs * low, signs * high]), axis=0)
    # Codes are the quantiser's own numbers, of which halves may have been rounded to even ones.
    base, offset = (node.offset, 0) if node.step == 1 else (0, node.offset)
    # Codes that no integer gives are none to rise to: a Relu's zero is the lowest.
    low, high = (base + (cuts <= end[:, None]).sum(axis=1) for end in ends)
    limits = int(low.min()), int(high.max())
    rows = [staircase(row, int(a), int(b), *limits, base) for row, a, b in zip(cuts, *ends, strict=True)]
    found = lines(rows, even=node.step == 1)
    if found.excess.any():
        return None
    return Scale(
        name=node.name,
        inputs=node.inputs,
        output=node.output,
        factors=(signs * found.factors)[None],
        biases=found.biases[None],
        pivots=np.zeros((0, len(cuts)), np.int64),
        shift=found.shift,
        even=found.even,
        low=np.array(limits[0]),
        high=np.array(limits[1]),
        offset=offset,
        step=node.step,
        dtype=node.dtype,
    )


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
