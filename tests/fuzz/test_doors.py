"""A few hundred damaged files at every door; `make fuzz` tries as many as there is time for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnnhw.host.protocol import Packet, Parser, encode_packet, unpack_results
from bnnhw.packets import ESCAPE, ESCAPE_MASK, START, Identity
from tests.fuzz.doors import DOORS

QUICK = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("name", DOORS)
def test_damaged_files_are_taken_or_refused(name: str, tmp_path: Path) -> None:
    @QUICK
    @given(DOORS[name].contents())
    def attempt(content: bytes) -> None:
        DOORS[name].takes(content, tmp_path)

    attempt()


# ---- packets -----------------------------------------------------------------------------------

# Bytes that mean something to the parser come often.
NOISE = st.binary(max_size=60) | st.lists(st.sampled_from([START, ESCAPE, 0, 1, 2]), max_size=40).map(bytes)
PACKETS = st.builds(Packet, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40) | NOISE)


def crc16(content: bytes) -> int:
    """CRC-16/XMODEM, bit by bit."""
    value = 0
    for byte in content:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
    return value


def whole_packets(line: bytes) -> list[Packet]:
    """What a line holds, read at once: between one START and the next, the bytes that a length announces."""
    found = []
    for piece in line.split(bytes([START]))[1:]:
        content, escaped = bytearray(), False
        for byte in piece:
            if byte == ESCAPE:
                escaped = True
                continue
            content.append(byte ^ ESCAPE_MASK if escaped else byte)
            escaped = False
        end = 4 + int.from_bytes(content[2:4], "little")
        if len(content) >= max(6, end + 2) and crc16(content[:end]) == int.from_bytes(content[end : end + 2], "big"):
            found.append(Packet(content[0], content[1], bytes(content[4:end])))
    return found


def fed(line: bytes, cuts: list[int]) -> list[Packet]:
    parser, found, start = Parser(), [], 0
    for end in [*sorted(cut % (len(line) + 1) for cut in cuts), len(line)]:
        found += parser.feed(line[start:end])
        start = end
    return found


@QUICK
@given(st.lists(NOISE | PACKETS, max_size=8), st.lists(st.integers(0, 1000), max_size=8))
def test_packets_in_any_noise_and_any_pieces(parts: list[bytes | Packet], cuts: list[int]) -> None:
    """Every packet whose checksum is right, and no other; a second reading, written another way, agrees."""
    line = b"".join(p if isinstance(p, bytes) else encode_packet(p.kind, p.sequence, p.payload) for p in parts)
    assert fed(line, cuts) == whole_packets(line)
    sent = [part for part in parts if isinstance(part, Packet)]
    seen = iter(fed(line, []))
    assert all(packet in seen for packet in sent), "a packet that was sent whole is lost"


@QUICK
@given(st.lists(PACKETS, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0), st.integers(0, 7)), max_size=3))
def test_flipped_bits_give_no_other_packet(sent: list[Packet], flips: list[tuple[int, int]]) -> None:
    """Up to three bits flipped anywhere: what comes out has a right checksum, by another reading and another CRC."""
    line = bytearray(b"".join(encode_packet(p.kind, p.sequence, p.payload) for p in sent))
    for place, bit in flips:
        line[place % len(line)] ^= 1 << bit
    assert fed(bytes(line), []) == whole_packets(bytes(line))


IDENTITY = Identity(b"12345678", 784, 1, 16, 10, 2, 4)
LENGTHS = st.integers(0, 100) | st.integers(1, 3).map(lambda frames: frames * IDENTITY.result_bytes)


@QUICK
@given(LENGTHS.flatmap(lambda n: st.binary(min_size=n, max_size=n)), st.integers(1, 3))
def test_any_payload_is_read_or_refused(payload: bytes, frames: int) -> None:
    if len(payload) == frames * IDENTITY.result_bytes:
        integers, labels, _ = unpack_results(payload, IDENTITY, frames)
        assert integers.shape == (frames, 10) and all(0 <= label < 1 << 16 for label in labels.tolist())
    else:
        with pytest.raises(ValueError, match="results must have"):
            unpack_results(payload, IDENTITY, frames)
    try:
        assert Identity.unpack(payload).pack() == payload
    except ValueError as error:
        assert "does not speak" in str(error) or "do not fit packets" in str(error)


def test_a_packet_that_never_ends_takes_no_more_than_the_longest() -> None:
    """It is given up at the length that it announced, and what follows is skipped up to the next START."""
    parser = Parser()
    assert list(parser.feed(bytes([START, 1, 1, 0xFF, 0xFF]) + b"\1" * (1 << 20))) == []
    assert parser._content is None
    assert list(parser.feed(encode_packet(2, 3, b"next"))) == [Packet(2, 3, b"next")]
