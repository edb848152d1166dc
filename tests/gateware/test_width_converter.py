"""WidthConverter: order, tails, frames and timing over dividing and other ratios."""

import random
from math import gcd

import pytest

from bnnhw.gateware.streams.width_converter import WidthConverter
from tests.gateware.bench import run_stream, stalls

# lane_bits, elements, i_lanes, o_lanes
SHAPES = [
    (1, 1, 1, 1),
    (3, 12, 4, 4),
    (2, 10, 4, 4),
    (1, 16, 8, 2),
    (1, 13, 8, 2),
    (2, 9, 4, 1),
    (1, 9, 16, 4),
    (1, 16, 2, 8),
    (1, 13, 2, 8),
    (2, 7, 1, 4),
    (1, 3, 2, 16),
    (1, 12, 6, 4),
    (1, 10, 4, 5),
    (1, 10, 5, 4),
    (2, 11, 3, 7),
    (1, 23, 7, 3),
    (1, 20, 6, 9),
    (1, 26, 8, 10),
    (2, 40, 1, 20),
    (1, 125, 8, 128),
]


def beats_of(frames, lane_bits, lanes):
    """Frames (lists of lane values) as the beats of a stream with that many lanes."""
    return [
        {
            "data": sum(v << (lane_bits * k) for k, v in enumerate(frame[at : at + lanes])),
            "last": int(at + lanes >= len(frame)),
        }
        for frame in frames
        for at in range(0, len(frame), lanes)
    ]


def random_frames(lane_bits, elements, count):
    source = random.Random(f"{lane_bits} {elements}")
    return [
        [source.randrange(1, 1 << lane_bits) if lane_bits > 1 else source.randrange(2) for _ in range(elements)]
        for _ in range(count)
    ]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "-".join(map(str, s)))
@pytest.mark.parametrize("stall", ["none", "input", "output", "both"])
def test_lanes_keep_their_order(shape, stall):
    lane_bits, elements, i_lanes, o_lanes = shape
    frames = [[(1 << lane_bits) - 1] * elements, *random_frames(lane_bits, elements, 4)]
    seen = run_stream(
        WidthConverter(*shape),
        beats_of(frames, lane_bits, i_lanes),
        i_stall=stalls(1) if stall in ("input", "both") else None,
        o_stall=stalls(2) if stall in ("output", "both") else None,
    )
    assert seen.beats == beats_of(frames, lane_bits, o_lanes)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "-".join(map(str, s)))
def test_timing_is_one_chunk_per_cycle(shape):
    lane_bits, elements, i_lanes, o_lanes = shape
    chunk = gcd(i_lanes, o_lanes)
    interval = -(-elements // chunk)
    latency = 0 if i_lanes % o_lanes == 0 else 1
    frames = random_frames(lane_bits, elements, 4)
    seen = run_stream(WidthConverter(*shape), beats_of(frames, lane_bits, i_lanes))
    first = -(-min(elements, o_lanes) // chunk) - 1 + latency
    assert seen.emit_cycles[0] == first
    assert seen.emit_cycles[-1] == len(frames) * interval - 1 + latency
    assert seen.accept_cycles[-1] == len(frames) * interval - 1


def test_wires_where_the_lanes_are_equal():
    seen = run_stream(WidthConverter(4, 6, 2, 2), beats_of([[1, 2, 3, 4, 5, 6]] * 2, 4, 2))
    assert seen.accept_cycles == seen.emit_cycles == list(range(6))


@pytest.mark.parametrize("name", ["lane_bits", "elements", "i_lanes", "o_lanes"])
@pytest.mark.parametrize("value", [0, -1, 1.5, None])
def test_parameters_are_checked(name, value):
    parameters = {"lane_bits": 1, "elements": 8, "i_lanes": 4, "o_lanes": 2, name: value}
    with pytest.raises(ValueError, match=rf"{name} must be a positive integer, not {value!r}"):
        WidthConverter(**parameters)
