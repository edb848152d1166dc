"""Matrix products on packed bits: the fast path, the same integers as the plain kernels.

Activations and weights become planes of bits (`DataType.planes`), 64 to a word; a product is then an AND and a
population count for each pair of planes:

    w @ x = sum_ij d_i c_j popcount(w_i & x_j) + c0 * sum(w) + d0 * sum(x) - c0 * d0 * MW

Products of equal weight ``d_i c_j`` are counted together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.ir.nodes import Window
from bnnhw.reference.kernels import windows

# Words that one step works on: 512 KiB stay in a core's own cache.
STEP_WORDS = 1 << 16

Words = NDArray[np.uint64]


def pack(values: NDArray[np.integer], dtype: DataType) -> Words:
    """Planes of `values` (.., columns) as words: (planes, .., ceil(columns / 64)), zero-padded."""
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
    rest, flat = x.shape[:-1], x.reshape(-1, x.shape[-1])
    sums = flat.sum(axis=1, dtype=np.int64) if weight_dtype.plane_offset else None
    planes = pack(flat, x_dtype)
    return _products(planes, sums, x_dtype, pack(weight, weight_dtype), weight, weight_dtype).reshape(*rest, -1)


def convolution(
    x: NDArray[np.integer], x_dtype: DataType, window: Window, weight: NDArray[np.int16], weight_dtype: DataType
) -> NDArray[np.int32]:
    """The product of each window of maps x (N, H, W, C) and `weight` (MH, KH * KW * C): (N, OH, OW, MH).

    Channels that fill whole words are packed once, before the windows are taken; a few channels after it.
    """
    channels, geometry = x.shape[-1], window.geometry
    if channels % 64:
        found = windows(x, geometry, window.fill)
        return dense(found.reshape(*found.shape[:3], -1), x_dtype, weight, weight_dtype)
    fill = pack(np.full(64, window.fill), x_dtype)[:, 0]
    planes = np.stack([windows(part, geometry, word) for part, word in zip(pack(x, x_dtype), fill, strict=True)])
    shape = planes.shape[1:4]
    sums = None
    if weight_dtype.plane_offset:
        pixels = x.sum(axis=-1, dtype=np.int64, keepdims=True)
        sums = windows(pixels, geometry, window.fill * channels).sum(axis=(3, 4, 5)).reshape(-1)
    taps = pack(weight.reshape(len(weight), -1, channels), weight_dtype)
    words = taps.reshape(*taps.shape[:2], -1)
    rows = planes.reshape(len(planes), -1, words.shape[-1])
    return _products(rows, sums, x_dtype, words, weight, weight_dtype).reshape(*shape, -1)


def _products(
    x: Words,
    sums: NDArray[np.int64] | None,
    x_dtype: DataType,
    w: Words,
    weight: NDArray[np.int16],
    weight_dtype: DataType,
) -> NDArray[np.int32]:
    """Rows (planes, rows, words) times weights (planes, MH, words): (rows, MH); `sums` are those of the rows."""
    c, c0 = x_dtype.plane_weights, x_dtype.plane_offset
    d, d0 = weight_dtype.plane_weights, weight_dtype.plane_offset
    pairs: dict[int, list[tuple[Words, Words]]] = {}
    for i, d_i in enumerate(d):
        for j, c_j in enumerate(c):
            # One word of all rows, or of all weights, lies in a line.
            pairs.setdefault(d_i * c_j, []).append((np.ascontiguousarray(x[j].T), np.ascontiguousarray(w[i].T)))
    # Bits of a row that can be one; the narrower the counts, the faster they are added.
    narrow = np.uint16 if 64 * x.shape[2] * len(c) * len(d) <= 0xFFFF else np.uint32
    constant = c0 * weight.sum(axis=1, dtype=np.int64) - c0 * d0 * weight.shape[1]
    result = np.empty((x.shape[1], w.shape[1]), np.int32)

    step = max(1, STEP_WORDS // w.shape[1])
    for start in range(0, x.shape[1], step):
        rows = slice(start, start + step)
        total = np.repeat(constant[None, :], len(result[rows]), axis=0)
        if sums is not None:
            total += d0 * sums[rows, None]
        both, count = np.empty(total.shape, np.uint64), np.empty(total.shape, np.uint8)
        for factor, parts in pairs.items():
            counts = np.zeros(total.shape, narrow)
            for x_words, w_words in parts:
                for x_word, w_word in zip(x_words, w_words, strict=True):
                    np.bitwise_and(x_word[rows, None], w_word[None, :], out=both)
                    np.bitwise_count(both, out=count)
                    counts += count
            total += factor * counts.astype(np.int64)
        result[rows] = total
    return result
