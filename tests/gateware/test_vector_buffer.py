import numpy as np
import pytest

from bnnhw.gateware.streams.vector_buffer import VectorBuffer
from bnnhw.gateware.streams.vector_scatter import VectorScatter
from tests.gateware.bench import run_stream, stalls


def vectors(beats, count):
    return [{"data": (v * 37 + k * 11) & 0xFF, "last": int(k == beats - 1)} for v in range(count) for k in range(beats)]


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize(("beats", "repeats"), [(1, 2), (1, 5), (2, 3), (3, 2), (4, 4), (5, 1)])
def test_repeats_vectors(beats, repeats, rate):
    given = vectors(beats, 6)
    dut = VectorBuffer(8, beats, repeats, kind="registers")
    seen = run_stream(dut, given, i_stall=stalls(1, rate), o_stall=stalls(2, rate), count=6 * beats * repeats)
    expected = [
        {"data": beat["data"], "last": int(k == repeats - 1 and beat["last"])}
        for v in range(6)
        for k in range(repeats)
        for beat in given[v * beats : (v + 1) * beats]
    ]
    assert seen.beats == expected


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize(
    ("beats", "repeats", "group", "total"), [(3, 2, 2, 4), (2, 1, 3, 7), (1, 3, 2, 5), (4, 2, 4, 3)]
)
def test_groups_go_out_side_by_side_and_are_scattered_again(beats, repeats, group, total, rate):
    """The last group of a frame has what is left; a scatter behind one repeat gives the vectors back as they came."""
    frames = 3
    given = vectors(beats, frames * total)
    starts = [frame * total + k for frame in range(frames) for k in range(0, total, group)]
    sizes = [min(group, (start // total + 1) * total - start) for start in starts]
    dut = VectorBuffer(8, beats, repeats, vectors=group, total=total, kind="registers")
    seen = run_stream(dut, given, i_stall=stalls(1, rate), o_stall=stalls(2, rate), count=len(starts) * beats * repeats)
    found = iter(seen.beats)
    side_by_side = []
    for start, size in zip(starts, sizes, strict=True):
        for repeat in range(repeats):
            for k in range(beats):
                beat = next(found)
                lanes = [(beat["data"] >> 8 * lane) & 0xFF for lane in range(size)]
                assert lanes == [given[(start + lane) * beats + k]["data"] for lane in range(size)]
                assert beat["last"] == (repeat == repeats - 1 and k == beats - 1)
                if repeat == 0:
                    side_by_side.append({"data": beat["data"], "last": int(k == beats - 1)})
    scatter = VectorScatter(8, beats, group, total, kind="registers")
    seen = run_stream(scatter, side_by_side, i_stall=stalls(3, rate), o_stall=stalls(4, rate), count=len(given))
    assert seen.beats == given


def test_timing():
    """Two cycles from a vector's last beat to its first one out, then a beat per cycle without a gap between
    vectors."""
    seen = run_stream(VectorBuffer(8, 4, 3, kind="lutram"), vectors(4, 6), count=72)
    assert seen.emit_cycles[0] - seen.accept_cycles[3] == 2
    assert (np.diff(seen.emit_cycles) == 1).all()


def test_refuses_an_unknown_memory():
    with pytest.raises(ValueError, match="must be one of block, lutram, registers, not 'disk'"):
        VectorBuffer(8, 4, 3, kind="disk")
