"""Frames side by side: groups of whatever size, one after the other again, and the cycle models of both units."""

import itertools
import random

import numpy as np
import pytest

from bnnhw import units
from bnnhw.gateware.streams.frame_gather import FrameGather
from bnnhw.gateware.streams.frame_scatter import FrameScatter
from bnnhw.generate.circuits import circuit
from tests.gateware.bench import run_streams, stalls

SHAPES = [(3, 2, 2), (1, 1, 4), (1, 3, 3), (2, 1, 8), (4, 2, 4), (5, 3, 2)]  # beats, repeats, frames
NEVER, HALF = [False], stalls(1, 0.5)
# Frames that come one by one with long gaps, and in bursts.
BURSTS = [stalled for k in range(40) for stalled in [True] * (7 * k % 60) + [False] * (11 * k % 50)]
PATTERNS = {"back to back": NEVER, "at random": HALF, "in bursts": BURSTS, "rarely": stalls(3, 0.97)}


def vectors(beats, count):
    source = random.Random(beats)
    return [{"data": source.randrange(256), "last": int(k == beats - 1)} for _ in range(count) for k in range(beats)]


def gather(beats, repeats, frames, given, pattern, o_rate=0.0):
    unit = units.FrameGather(8, beats, repeats, frames, "registers")
    ins, outs = run_streams(
        circuit(unit),
        {"i": given},
        ["o0", "o1"],
        i_stalls={"i": pattern},
        o_stalls={"o0": stalls(5, o_rate), "o1": stalls(6, o_rate)},
        idle=200,
        model=unit.cycle_model(),
    )
    sizes = [beat["data"] + 1 for beat in outs["o1"].beats]
    return ins["i"], outs["o0"], sizes


@pytest.mark.parametrize("o_rate", [0.0, 0.5])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_groups_are_whole(shape, pattern, o_rate):
    """Every vector comes out in the lane that is its turn, as often as it should, in a group as large as is told."""
    beats, repeats, frames = shape
    given = vectors(beats, 30)
    _, out, sizes = gather(*shape, given, PATTERNS[pattern], o_rate)
    assert sum(sizes) == 30
    assert len(out.beats) == len(sizes) * beats * repeats
    found = iter(out.beats)
    starts = itertools.accumulate([0, *sizes[:-1]])
    for start, size in zip(starts, sizes, strict=True):
        for repeat, k in itertools.product(range(repeats), range(beats)):
            beat = next(found)
            assert beat["last"] == (repeat == repeats - 1 and k == beats - 1)
            for vector in range(start, start + size):
                assert (beat["data"] >> 8 * (vector % frames)) & 0xFF == given[vector * beats + k]["data"]


def test_sizes():
    """Groups are full back to back, and single where vectors come one by one."""
    shape = 4, 6, 4
    _, _, sizes = gather(*shape, vectors(4, 33), NEVER)
    assert sizes == [1, 4, 4, 4, 4, 4, 4, 4, 4]
    alone = [stalled for _ in range(9) for stalled in [False] * 4 + [True] * 40]
    assert gather(*shape, vectors(4, 9), alone)[2] == [1] * 9


def test_gather_timing():
    """Two cycles to the first beat, from then on no gap: all of a group's beats whatever its size."""
    ins, out, sizes = gather(4, 5, 4, vectors(4, 41), NEVER)
    assert out.cycles[0] - ins.cycles[3] == 2
    assert (np.diff(out.cycles) == 1).all()
    assert sizes[:-1] == [1, *[4] * (len(sizes) - 2)]


def test_a_vector_never_waits_for_another():
    """One that is complete goes out, though the next has begun and does not end."""
    given = vectors(3, 2)[:-1]
    _, out, sizes = gather(3, 2, 4, given, NEVER)
    assert sizes == [1]
    assert [beat["data"] & 0xFF for beat in out.beats] == [beat["data"] for beat in given[:3]] * 2


@pytest.mark.parametrize("rates", [(0.0, 0.0, 0.0), (0.6, 0.1, 0.0), (0.1, 0.9, 0.1), (0.0, 0.0, 0.6), (0.3, 0.3, 0.3)])
@pytest.mark.parametrize(("beats", "frames", "groups"), [(1, 4, 1), (3, 2, 4), (2, 8, 3), (4, 3, 2)])
def test_scatter_gives_what_a_group_has(beats, frames, groups, rates):
    source = random.Random(beats)
    sizes = [source.randrange(1, frames + 1) for _ in range(20)]
    side_by_side, expected, lane = [], [], 0
    for size in sizes:
        group = [[source.randrange(256) for _ in range(frames)] for _ in range(beats)]
        side_by_side += [
            {"data": sum(v << 8 * k for k, v in enumerate(beat)), "last": int(n == beats - 1)}
            for n, beat in enumerate(group)
        ]
        for _ in range(size):
            expected += [{"data": beat[lane], "last": int(n == beats - 1)} for n, beat in enumerate(group)]
            lane = (lane + 1) % frames
    unit = units.FrameScatter(8, beats, frames, groups, "registers")
    _, outs = run_streams(
        circuit(unit),
        {"i0": side_by_side, "i1": [{"data": size - 1, "last": 1} for size in sizes]},
        ["o"],
        i_stalls={"i0": stalls(1, rates[0]), "i1": stalls(2, rates[1])},
        o_stalls={"o": stalls(3, rates[2])},
        model=unit.cycle_model(),
    )
    assert outs["o"].beats == expected


@pytest.mark.parametrize(
    "unit", [lambda: FrameGather(8, 2, 2, 2, kind="disk"), lambda: FrameScatter(8, 2, 2, 2, kind="disk")]
)
def test_refuses_an_unknown_memory(unit):
    with pytest.raises(ValueError, match="must be one of block, lutram, registers, not 'disk'"):
        unit()
