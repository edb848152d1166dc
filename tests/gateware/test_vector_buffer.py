import numpy as np
import pytest

from bnnhw.gateware.vector_buffer import VectorBuffer
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


def test_timing():
    """Two cycles from a vector's last beat to its first one out, then a beat per cycle without a gap between
    vectors."""
    seen = run_stream(VectorBuffer(8, 4, 3, kind="lutram"), vectors(4, 6), count=72)
    assert seen.emit_cycles[0] - seen.accept_cycles[3] == 2
    assert (np.diff(seen.emit_cycles) == 1).all()


def test_refuses_an_unknown_memory():
    with pytest.raises(ValueError, match="must be one of block, lutram, registers, not 'disk'"):
        VectorBuffer(8, 4, 3, kind="disk")
