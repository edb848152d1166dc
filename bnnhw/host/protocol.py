"""Packets as bytes and bytes as packets, seen from the host. The format is in `bnnhw.packets`."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.bits import as_signed, pack_bytes, unpack_words
from bnnhw.packets import (
    CHECKSUM_BYTES,
    ESCAPE,
    ESCAPE_MASK,
    FLAG_DAMAGED,
    HEADER,
    MAX_PAYLOAD,
    RESULT_TRAILER,
    START,
    Identity,
    Results,
)


def checksum(content: bytes) -> int:
    """CRC-16/XMODEM: polynomial 0x1021, initially 0, highest bit first."""
    return binascii.crc_hqx(content, 0)


def encode_packet(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """A packet as it goes over the line.

    Raises
    ------
    ValueError
        If the payload is longer than MAX_PAYLOAD.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a packet carries at most {MAX_PAYLOAD} bytes, not {len(payload)}")
    content = HEADER.pack(kind, sequence, len(payload)) + payload
    content += checksum(content).to_bytes(CHECKSUM_BYTES, "big")
    for byte in (ESCAPE, START):
        content = content.replace(bytes([byte]), bytes([ESCAPE, byte ^ ESCAPE_MASK]))
    return bytes([START]) + content


@dataclass(frozen=True)
class Packet:
    """A packet that arrived undamaged."""

    kind: int
    sequence: int
    payload: bytes


class Parser:
    """Finds the packets in a stream of bytes; whatever is not a whole packet with the right checksum is skipped."""

    def __init__(self) -> None:
        self._content: bytearray | None = None  # of the packet that is arriving
        self._escaped = False

    def feed(self, received: bytes) -> Iterator[Packet]:
        """Yields the packets that `received` completes."""
        for byte in received:
            if byte == START:
                self._content, self._escaped = bytearray(), False
            elif self._content is None:
                continue
            elif byte == ESCAPE:
                self._escaped = True
            else:
                self._content.append(byte ^ ESCAPE_MASK if self._escaped else byte)
                self._escaped = False
                if self._is_whole(self._content):
                    content, self._content = bytes(self._content), None
                    if checksum(content) == 0:
                        kind, sequence, _ = HEADER.unpack_from(content)
                        yield Packet(kind, sequence, content[HEADER.size : -CHECKSUM_BYTES])

    @staticmethod
    def _is_whole(content: bytearray) -> bool:
        if len(content) < HEADER.size + CHECKSUM_BYTES:
            return False
        length: int = HEADER.unpack_from(content)[2]
        return len(content) == HEADER.size + length + CHECKSUM_BYTES


def pack_frame(codes: NDArray[np.integer], bits: int) -> bytes:
    """A frame as the payload of an INFER.

    Parameters
    ----------
    codes
        Storage codes, shape (elements,), each ``0 <= code < 2**bits``.
    bits
        Bits per element.

    Returns
    -------
    ``ceil(elements * bits / 8)`` bytes: element 0 in the lowest bits of the first byte, no gaps between elements, zeros
    after the last one.
    """
    return pack_bytes(codes, bits).tobytes()


def unpack_results(payload: bytes, identity: Identity, frames: int) -> Results:
    """The payload of a RESULT or, for `frames` above 1, of a RESULT_BLOCK: integers, labels, and which were damaged.

    Raises
    ------
    ValueError
        If the payload does not have the length that `identity` promises.
    """
    if len(payload) != frames * identity.result_bytes:
        raise ValueError(f"results must have {frames} x {identity.result_bytes} bytes, not {len(payload)}")
    rows = [payload[start : start + identity.result_bytes] for start in range(0, len(payload), identity.result_bytes)]
    bits = 8 * identity.output_bytes
    codes = unpack_words([int.from_bytes(row, "little") for row in rows], bits, identity.output_elements)
    trailers = [RESULT_TRAILER.unpack(row[-RESULT_TRAILER.size :]) for row in rows]
    return Results(
        as_signed(codes, bits),
        np.array([label for label, _ in trailers], np.int64),
        np.array([bool(flags & FLAG_DAMAGED) for _, flags in trailers], np.bool_),
    )
