"""Matrix products on packed bits: the fast path, the same integers as `integer.dense`.

Activations and weights become planes of bits (`DataType.planes`), 64 to a word; a product is then an AND and a
population count for each pair of planes:

    w @ x = sum_ij d_i c_j popcount(w_i & x_j) + c0 * sum(w) + d0 * sum(x) - c0 * d0 * MW
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.dtypes import DataType

# Words that one step may have in flight: 32 MiB, which stays near the caches without many steps.
STEP_WORDS = 1 << 22


def pack(values: NDArray[np.integer], dtype: DataType) -> NDArray[np.uint64]:
    """Planes of `values` (rows, columns) as words: (planes, rows, ceil(columns / 64)), zero-padded."""
    planes = dtype.planes(values)
    packed = np.packbits(planes, axis=-1, bitorder="little")
    words = -(-values.shape[-1] // 64)
    full = np.zeros((*packed.shape[:-1], words * 8), np.uint8)
    full[..., : packed.shape[-1]] = packed
    return full.view(np.uint64)


def dense(
    x: NDArray[np.integer], x_dtype: DataType, weight: NDArray[np.int16], weight_dtype: DataType
) -> NDArray[np.int32]:
    """``x @ weight.T`` exactly: x (.., MW) of `x_dtype`, weight (MH, MW) of `weight_dtype`, result (.., MH)."""
    rest, x = x.shape[:-1], x.reshape(-1, x.shape[-1])
    w_planes, d, d0 = pack(weight, weight_dtype), weight_dtype.plane_weights, weight_dtype.plane_offset
    c, c0 = x_dtype.plane_weights, x_dtype.plane_offset
    mh, words = w_planes.shape[1:]
    result = np.empty((len(x), mh), np.int64)
    constant = c0 * weight.sum(axis=1, dtype=np.int64) - c0 * d0 * weight.shape[1]
    rows = max(1, STEP_WORDS // (mh * words))
    for start in range(0, len(x), rows):
        part = x[start : start + rows]
        x_planes = pack(part, x_dtype)
        total = np.repeat(constant[None, :], len(part), axis=0)
        if d0:
            total += d0 * part.sum(axis=1, dtype=np.int64)[:, None]
        for i, d_i in enumerate(d):
            for j, c_j in enumerate(c):
                both = x_planes[j][:, None, :] & w_planes[i][None, :, :]
                total += d_i * c_j * np.bitwise_count(both).sum(axis=-1, dtype=np.int64)
        result[start : start + rows] = total
    return result.astype(np.int32).reshape(*rest, mh)
