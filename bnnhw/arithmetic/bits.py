"""Elements of a few bits side by side in words and bytes, element 0 in the low bits, without gaps.

The one place that packs codes into beats of a stream, words of a memory and bytes of a link, and takes them out again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pack_bytes(codes: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    """Codes (.., elements) of `bits` bits each as bytes (.., ceil(elements * bits / 8)), zeros after the last one."""
    planes = (codes.astype(np.int64)[..., None] >> np.arange(bits)) & 1
    flat = planes.astype(np.uint8).reshape(*codes.shape[:-1], codes.shape[-1] * bits)
    return np.packbits(flat, axis=-1, bitorder="little")


def pack_words(codes: NDArray[np.integer], bits: int) -> list[int]:
    """Codes (words, elements) of `bits` bits each as one integer for each word."""
    return [int.from_bytes(row.tobytes(), "little") for row in pack_bytes(codes, bits)]


def unpack_words(words: Sequence[int], bits: int, elements: int) -> NDArray[np.int64]:
    """The first `elements` codes of `bits` bits of each word: (words, elements); what is above them is left out."""
    size = -(-bits * elements // 8)
    mask = (1 << (bits * elements)) - 1
    packed = np.frombuffer(b"".join((word & mask).to_bytes(size, "little") for word in words), np.uint8)
    planes = np.unpackbits(packed.reshape(len(words), size), axis=1, bitorder="little")[:, : bits * elements]
    weights = np.int64(1) << np.arange(bits, dtype=np.int64)
    return planes.reshape(len(words), elements, bits).astype(np.int64) @ weights


def as_signed(codes: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Codes of `width` bits read as two's complement numbers."""
    return codes - ((codes >> (width - 1)) << width)
