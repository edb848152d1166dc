"""What goes over the host link: the numbers that the driver and the gateware share. `docs/link.md` explains them.

On the wire a packet is START, then these bytes, with ESCAPE before every one of them that is START or ESCAPE itself
(which is then sent XOR ESCAPE_MASK), so that START never occurs but where a packet starts::

    kind or status   1
    sequence number  1
    length           2, of the payload; little-endian like every number but the checksum
    payload          length
    checksum         2, CRC-16/XMODEM of all of these, high byte first
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

VERSION = 2
START = 0x7E
ESCAPE = 0x7D
ESCAPE_MASK = 0x20
MAX_PAYLOAD = 0xFFFF

HEADER = struct.Struct("<BBH")
CHECKSUM_BYTES = 2

RESULT_TRAILER = struct.Struct("<HB")
"""Follows the elements of a RESULT: the label, and flags."""

FLAG_DAMAGED = 1
"""Flag of a result: the accelerator was given a frame that was too short or too long."""


class Request(IntEnum):
    """What the host asks."""

    IDENTIFY = 0x01
    INFER = 0x02
    INFER_BLOCK = 0x03
    GO_FAST = 0x04
    LOAD = 0x05
    LOAD_MORE = 0x06


class Status(IntEnum):
    """What the board answers."""

    IDENTITY = 0x80
    RESULT = 0x81
    BAD_CHECKSUM = 0x82
    BAD_LENGTH = 0x83
    UNKNOWN_KIND = 0x84
    RESULT_BLOCK = 0x85
    GOES_FAST = 0x86
    LOADING = 0x87
    NOT_LOADED = 0x88
    TAKEN = 0x89
    LOADED = 0x8A


@dataclass(frozen=True)
class Identity:
    """What a board says about its design: the payload of an IDENTITY.

    Parameters
    ----------
    digest
        8 bytes that identify the model.
    input_elements, input_bits, input_lanes
        Elements of a frame, bits per element, elements that the accelerator takes per cycle.
    output_elements, output_bytes
        Integers of a result, and bytes of each.
    depth
        Requests that the board can hold before it answers the first of them.
    block
        Frames of an INFER_BLOCK; 1 where the board takes none.
    fast_baud
        The rate that GO_FAST switches to, in bits per second; 0 where there is none.
    """

    digest: bytes
    input_elements: int
    input_bits: int
    input_lanes: int
    output_elements: int
    output_bytes: int
    depth: int
    block: int = 1
    fast_baud: int = 0

    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<B8sIBHHBBBI")

    def __post_init__(self) -> None:
        if len(self.digest) != 8:
            raise ValueError(f"a digest must have 8 bytes, not {self.digest!r}")

    @property
    def frame_bytes(self) -> int:
        """Payload of an INFER: the codes of a frame, first element in the lowest bits, without gaps."""
        return -(-self.input_elements * self.input_bits // 8)

    @property
    def result_bytes(self) -> int:
        """Payload of a RESULT."""
        return self.output_elements * self.output_bytes + RESULT_TRAILER.size

    @property
    def load_bytes(self) -> int:
        """Payload of a LOAD or LOAD_MORE: that of the longest INFER."""
        return self.block * self.frame_bytes

    def frames_per_second(self, baud: float) -> float:
        """What a line of `baud` carries in both directions at once, in blocks; escapes are not counted."""
        packet = 1 + HEADER.size + self.block * max(self.frame_bytes, self.result_bytes) + CHECKSUM_BYTES
        return self.block * baud / 10 / packet

    def pack(self) -> bytes:
        """The payload of an IDENTITY.

        Raises
        ------
        ValueError
            If a number does not fit its field, or a payload would be longer than MAX_PAYLOAD.
        """
        longest = max(self.frame_bytes, self.result_bytes)
        if self.block * longest > MAX_PAYLOAD:
            raise ValueError(f"{self.block} frames of {longest} bytes do not fit packets of {MAX_PAYLOAD} bytes")
        try:
            return self.LAYOUT.pack(
                VERSION,
                self.digest,
                self.input_elements,
                self.input_bits,
                self.input_lanes,
                self.output_elements,
                self.output_bytes,
                self.depth,
                self.block,
                self.fast_baud,
            )
        except struct.error as error:
            raise ValueError(f"the link cannot describe {self}: {error}") from None

    @classmethod
    def unpack(cls, payload: bytes) -> Identity:
        """The identity in a payload.

        Raises
        ------
        ValueError
            If it is not one, or of another version of the protocol.
        """
        if payload[:1] != bytes([VERSION]) or len(payload) != cls.LAYOUT.size:
            raise ValueError(f"the board does not speak version {VERSION} of the link protocol: {payload[:32].hex()}")
        return cls(*cls.LAYOUT.unpack(payload)[1:])


class Results(NamedTuple):
    """What an accelerator computed.

    `integers` (N, elements) int64: the last layer's integers. `labels` (N,) int64: the class that it selected. `errors`
    (N,) bool: it found the frame damaged; its integers mean nothing.
    """

    integers: NDArray[np.int64]
    labels: NDArray[np.int64]
    errors: NDArray[np.bool_]
