"""What the fault injector does to packets; what becomes of inferences is in tests/campaigns/test_faults.py."""

from __future__ import annotations

import random

import pytest

from bnnhw.host.protocol import Packet, Parser, encode_packet
from bnnhw.verify.link_faults import HOST_DIES, KINDS, LINE_FAULTS, Kind, bytes_of
from bnnhw.verify.simulated_board import HIGH, LOW, levels_of

PAYLOAD = bytes(range(110, 140))
PACKET = encode_packet(2, 7, PAYLOAD)


def received(levels: bytes) -> list[Packet]:
    return list(Parser().feed(bytes_of(levels)))


def test_bytes_of_a_line() -> None:
    every = bytes(range(256))
    assert bytes_of(levels_of(every)) == every
    assert bytes_of(25 * HIGH + levels_of(b"a") + 7 * HIGH + levels_of(b"b")) == b"ab"
    assert bytes_of(levels_of(b"a")[:-4]) == bytes([ord("a") | 0xE0])  # cut off: the line is high then
    assert bytes_of(30 * LOW + HIGH + levels_of(b"a")) == b"\0a"  # a break is one byte without a stop bit
    assert bytes_of(b"") == b""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damage(kind: Kind) -> None:
    seen = [kind.damage(PACKET, random.Random(seed)) for seed in range(100)]
    assert seen == [kind.damage(PACKET, random.Random(seed)) for seed in range(100)]
    assert all(set(levels) <= {0, 1} for levels in seen)
    changed = sum(levels != levels_of(PACKET) for levels in seen)
    assert changed >= 95
    whole = [received(levels) for levels in seen]
    undamaged = sum(packets[:1] == [Packet(2, 7, PAYLOAD)] for packets in whole)
    # START ends whatever came before it.
    assert (undamaged == 100) == (kind.name in ("twice", "random bytes"))
    if kind.name == "overlong":
        assert all(len(packet.payload) > len(PAYLOAD) for packets in whole for packet in packets)
    elif kind.name != "twice":
        assert all(packet == Packet(2, 7, PAYLOAD) for packets in whole for packet in packets)


def test_kinds_are_told_apart() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 12
    assert all(kind.rate == 0.1 and kind.both_ways for kind in LINE_FAULTS)
    assert not HOST_DIES.both_ways
