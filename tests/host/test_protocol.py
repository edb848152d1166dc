"""Packets as bytes: encoding, and a parser that finds them in whatever comes."""

import random

import numpy as np
import pytest

from bnnhw.host.protocol import Packet, Parser, checksum, encode_packet, pack_frame, unpack_results
from bnnhw.packets import ESCAPE, MAX_PAYLOAD, START, Identity

IDENTITY = Identity(b"12345678", 784, 1, 16, 10, 2, 4)


def test_checksum_is_crc16_xmodem():
    assert checksum(b"123456789") == 0x31C3  # the check value of the catalogues


def test_packet_on_the_wire():
    # The example of docs/link.md.
    assert encode_packet(0x01, 0x2A).hex(" ") == "7e 01 2a 00 00 37 b3"


def test_start_occurs_only_at_the_start():
    for sequence in range(256):
        content = encode_packet(2, sequence, bytes(range(256)))
        assert content.count(START) == 1
        assert content[0] == START


@pytest.mark.parametrize("size", [0, 1, 98, 255, 256, 1000, MAX_PAYLOAD])
def test_parser_gives_back_what_was_encoded(size):
    payload = random.Random(size).randbytes(size)
    assert list(Parser().feed(encode_packet(2, 7, payload))) == [Packet(2, 7, payload)]


def test_payload_has_a_limit():
    with pytest.raises(ValueError, match="a packet carries at most 65535 bytes, not 65536"):
        encode_packet(2, 0, bytes(MAX_PAYLOAD + 1))


def test_parser_takes_bytes_in_any_pieces():
    source = random.Random(2)
    packets = [Packet(source.randrange(256), k, source.randbytes(source.randrange(40))) for k in range(50)]
    line = b"".join(encode_packet(p.kind, p.sequence, p.payload) for p in packets)
    parser = Parser()
    seen = []
    while line:
        n = source.randrange(1, 30)
        seen += parser.feed(line[:n])
        line = line[n:]
    assert seen == packets


def test_parser_skips_damage():
    good = encode_packet(2, 1, b"good")
    bad = [
        good[:-1],
        good[:3],
        bytes([START]),
        bytes([START, ESCAPE]),
        bytes(range(0x7E)),
        good[:6] + b"?" + good[7:],
        encode_packet(2, 3, b"long")[:4] + b"\xff" + encode_packet(2, 3, b"long")[5:],
    ]
    parser = Parser()
    for damage in bad:
        assert list(parser.feed(damage + good)) == [Packet(2, 1, b"good")]


def test_parser_never_takes_a_flipped_bit():
    good = encode_packet(2, 1, bytes(range(120, 130)))
    for k in range(8 * len(good)):
        line = bytearray(good)
        line[k // 8] ^= 1 << (k % 8)
        assert list(Parser().feed(line)) == []


def test_identity_round_trip():
    assert Identity.unpack(IDENTITY.pack()) == IDENTITY
    assert IDENTITY.frame_bytes == 98
    assert IDENTITY.result_bytes == 23


@pytest.mark.parametrize("payload", [b"", IDENTITY.pack()[:-1], IDENTITY.pack() + b"\0", b"\x01" + IDENTITY.pack()[1:]])
def test_foreign_identity_is_refused(payload):
    with pytest.raises(ValueError, match="the board does not speak version 2 of the link protocol"):
        Identity.unpack(payload)


@pytest.mark.parametrize(
    "codes, bits, expected",
    [
        ([1, 0, 1, 1, 0, 0, 0, 0, 1], 1, "0d01"),
        ([1, 2, 3], 2, "39"),
        ([5, 6, 7, 1], 3, "f503"),
        ([0x7E, 0x01], 8, "7e01"),
    ],
)
def test_frames_are_packed_from_the_lowest_bit(codes, bits, expected):
    packed = pack_frame(np.array(codes, np.uint16), bits)
    assert packed.hex() == expected
    assert int.from_bytes(packed, "little") == sum(code << (bits * k) for k, code in enumerate(codes))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_results_are_signed(width):
    identity = Identity(b"12345678", 1, 1, 1, 4, width, 2)
    low, high = -(1 << (8 * width - 1)), (1 << (8 * width - 1)) - 1
    integers = [low, -1, 0, high]
    payload = b"".join(v.to_bytes(width, "little", signed=True) for v in integers)
    two = payload + b"\x02\x01\x01" + payload + b"\x03\x00\x00"
    seen, labels, errors = unpack_results(two, identity, 2)
    assert (seen.tolist(), labels.tolist(), errors.tolist()) == ([integers] * 2, [0x102, 3], [True, False])


def test_result_of_another_size_is_refused():
    with pytest.raises(ValueError, match="results must have 1 x 23 bytes, not 22"):
        unpack_results(bytes(22), IDENTITY, 1)
    with pytest.raises(ValueError, match="results must have 2 x 23 bytes, not 23"):
        unpack_results(bytes(23), IDENTITY, 2)
