"""Tables on bits of many samples at once, 64 to a word: the fast path, the same bits as the plain kernel.

A table is a tree of choices: between each two entries that differ in its first input only by that input, between each
two of what this gives by the second, and so on. A choice is a few operations on words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.nodes import Lookup

Words = NDArray[np.uint64]

# Words of the widest step of a tree: 1 MiB stays in a core's own cache.
STEP_WORDS = 1 << 17


def pack_samples(bits: NDArray[np.integer]) -> Words:
    """Bits (N, B) as words (B, ceil(N / 64)): bit n % 64 of word n // 64 is that of sample n."""
    packed = np.packbits(bits.astype(np.bool_), axis=0, bitorder="little")
    words = -(-len(bits) // 64)
    full = np.zeros((bits.shape[1], words * 8), np.uint8)
    full[:, : len(packed)] = packed.T
    return full.view(np.uint64)


def unpack_samples(words: Words, samples: int) -> NDArray[np.int32]:
    """The bits (N, B) of `samples` samples."""
    bits = np.unpackbits(words.view(np.uint8), axis=1, count=samples, bitorder="little")
    return bits.T.astype(np.int32)


def lookup(node: Lookup, words: Words) -> Words:
    """What the tables have for words (B, W) of bits: (M, W)."""
    nodes, k = node.wiring.shape
    found = np.empty((nodes, words.shape[1]), np.uint64)
    step = max(1, STEP_WORDS // max(1, words.shape[1] << (k - 1)))
    ones = np.where(node.tables, np.uint64(0xFFFF_FFFF_FFFF_FFFF), np.uint64(0))  # (M, 2**k)
    for start in range(0, nodes, step):
        part = slice(start, start + step)
        tree = ones[part, :, None]
        for wires in node.wiring[part].T:
            low, high = tree[:, 0::2], tree[:, 1::2]
            tree = low ^ ((low ^ high) & words[wires][:, None])
        found[part] = tree[:, 0]
    return found
