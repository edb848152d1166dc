"""Neurons that see a few bits: what weights and thresholds make of these, as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bnnhw.arithmetic.adder_graphs import Bits, Builder
from bnnhw.arithmetic.formats import TERNARY, DataType
from bnnhw.ir.nodes import Dense, Threshold

# A table of more bits takes more LUTs than a sum of so few products.
MAX_BITS = 6


def sees_few(node: Dense, x: DataType) -> bool:
    """Whether no neuron of `node` has weights other than zero for more than `MAX_BITS` bits of inputs of format `x`."""
    live = np.count_nonzero(node.weight, axis=1)
    return bool((live * len(x.plane_weights) <= MAX_BITS).all())


def smaller_as_tables(node: Dense, threshold: Threshold, x: DataType) -> bool:
    """Whether the neurons of `node` see few bits, and the tables of their codes have no more entries than the weights
    have bits, zeros included: so a small matrix that has no zeros stays one."""
    if not sees_few(node, x):
        return False
    bits = np.count_nonzero(node.weight, axis=1) * len(x.plane_weights)
    entries = int((1 << bits).sum()) * threshold.dtype.bits
    return entries <= node.weight.size * node.weight_dtype.bits


def neurons(builder: Builder, x: DataType, words: Sequence[Bits], node: Dense, threshold: Threshold) -> list[Bits]:
    """The planes of what `threshold` makes of the sums of `node`, for inputs of format `x` in the planes `words`."""
    size, offset = len(x.plane_weights), x.plane_offset
    negated = np.broadcast_to(threshold.negate, len(node.weight))
    codes = np.broadcast_to(threshold.table, (len(node.weight), threshold.table.shape[1]))
    made = []
    for row, weights in enumerate(node.weight.astype(np.int64)):
        live = np.flatnonzero(weights)
        literals = [bit for k in live.tolist() for bit in words[k]]
        planes = np.arange(1 << len(literals))[:, None] >> np.arange(len(literals)) & 1
        values = planes.reshape(-1, len(live), size) @ np.array(x.plane_weights) + offset
        sums = values @ weights[live]
        counts = np.count_nonzero((-sums if negated[row] else sums)[:, None] >= threshold.thresholds[row], axis=1)
        given = threshold.dtype.planes(codes[row, counts])
        made.append(tuple(builder.table(literals, plane.tolist()) for plane in given))
    return made


def stored(builder: Builder, dtype: DataType, planes: Bits) -> Bits:
    """The storage code of a value in its planes, which only ternary ones are not."""
    if dtype != TERNARY:
        return planes
    values = np.arange(4)[:, None] >> np.arange(2) & 1
    codes = TERNARY.encode(values @ np.array(TERNARY.plane_weights) + TERNARY.plane_offset)
    return tuple(builder.table(planes, (codes >> j & 1).tolist()) for j in range(TERNARY.bits))
