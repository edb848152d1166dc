"""The image of memories that the bitstream does not fill: what the flash holds, and what goes over the link.

An image begins with its head, `MAGIC`, `SCHEMA` and the 8 bytes of the design's digest; then come the number of its
words (3 bytes), the words (2 bytes each), and the CRC-32 of all of this (zlib's; 4 bytes). All numbers are
little-endian. The gateware takes only an image whose head is that of its own design and whose checksum is right.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

MAGIC = b"bnnw"
SCHEMA = 1
COUNT_BYTES = 3
WORD_BITS = 16
CHECKSUM_BYTES = 4


def head(digest: bytes) -> bytes:
    """What an image of the design `digest` (8 bytes) begins with.

    Raises
    ------
    ValueError
        If the digest does not have 8 bytes.
    """
    if len(digest) != 8:
        raise ValueError(f"a digest must have 8 bytes, not {digest!r}")
    return MAGIC + bytes([SCHEMA]) + digest


def image(digest: bytes, words: Sequence[int]) -> bytes:
    """The image of the design `digest` with these `words` of `WORD_BITS` bits.

    Raises
    ------
    ValueError
        If there are more words than the head can say, or none, or one is too large.
    """
    if not 0 < len(words) < 1 << 8 * COUNT_BYTES:
        raise ValueError(f"an image has 1 to {(1 << 8 * COUNT_BYTES) - 1} words, not {len(words)}")
    if min(words) < 0 or max(words) >> WORD_BITS:
        raise ValueError(f"words of an image have {WORD_BITS} bits, not {min(words)}..{max(words)}")
    content = head(digest) + len(words).to_bytes(COUNT_BYTES, "little")
    content += b"".join(word.to_bytes(2, "little") for word in words)
    return content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little")
