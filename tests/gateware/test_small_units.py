"""Units of one input and one output that need little: ThresholdDifference, VectorJoin, VectorSplit, StreamFifo."""

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.gateware.arithmetic.threshold_difference import ThresholdDifference
from bnnhw.gateware.streams.stream_fifo import StreamFifo
from bnnhw.gateware.streams.vector_marks import VectorJoin, VectorSplit
from tests.gateware.bench import run_stream, stalls


def numbered(count, vector):
    return [{"data": k & 0xFF, "last": int(k % vector == vector - 1)} for k in range(count)]


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize(
    ("dtype", "width"),
    [(BIPOLAR, 7), (TERNARY, 7), (DataType("uint", 3), 7), (DataType("int", 5), 7), (DataType("int", 32), 33)],
    ids=str,
)
def test_differences(dtype, width, chunks, rate):
    rng = np.random.default_rng(7)
    lanes, pixels = 2, 20
    offsets, signs = rng.integers(-9, 10, lanes * chunks), rng.choice([-1, 1], lanes * chunks)
    values = rng.choice([-1, 1] if dtype is BIPOLAR else [dtype.min, dtype.max, 0, 1], (pixels, lanes * chunks))
    beats = dtype.encode(values).reshape(-1, lanes)
    given = [
        {
            "data": sum(int(c) << (dtype.bits * lane) for lane, c in enumerate(beat)),
            "last": int(k % chunks == chunks - 1),
        }
        for k, beat in enumerate(beats)
    ]
    dut = ThresholdDifference(dtype, lanes, lanes * chunks, offsets=offsets.tolist(), signs=signs.tolist(), width=width)
    seen = run_stream(dut, given, i_stall=stalls(1, rate), o_stall=stalls(2, rate))
    assert (np.array([beat["data"] for beat in seen.beats]).reshape(pixels, -1) == signs * values - offsets).all()
    assert [beat["last"] for beat in seen.beats] == [beat["last"] for beat in given]
    if not rate:
        assert seen.emit_cycles == [cycle + 1 for cycle in seen.accept_cycles] == list(range(1, len(given) + 1))


@pytest.mark.parametrize("offsets", [[], [1, 2, 3], [1, 2]])
def test_differences_are_checked(offsets):
    with pytest.raises(ValueError, match="whole beats of 2"):
        ThresholdDifference(BIPOLAR, 2, len(offsets), offsets=offsets, signs=[1, 0], width=3)


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("vectors", [1, 3, 4])
def test_joins_vectors(vectors, rate):
    given = numbered(48, 2)
    seen = run_stream(VectorJoin(8, vectors), given, i_stall=stalls(1, rate), o_stall=stalls(2, rate))
    assert seen.beats == numbered(48, 2 * vectors)
    assert seen.accept_cycles == seen.emit_cycles
    assert rate or seen.emit_cycles == list(range(48))


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("beats", [1, 3, 4])
def test_splits_vectors(beats, rate):
    given = numbered(48, 12)
    seen = run_stream(VectorSplit(8, beats), given, i_stall=stalls(1, rate), o_stall=stalls(2, rate))
    assert seen.beats == numbered(48, beats)
    assert seen.accept_cycles == seen.emit_cycles
    assert rate or seen.emit_cycles == list(range(48))


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.7, 0.0), (0.0, 0.7), (0.5, 0.5)])
@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_fifo_keeps_order(depth, rates):
    given = numbered(60, 5)
    dut = StreamFifo(8, depth, kind="registers")
    seen = run_stream(dut, given, i_stall=stalls(1, rates[0]), o_stall=stalls(2, rates[1]))
    assert seen.beats == given
    if rates == (0.0, 0.0) and depth > 1:
        assert seen.accept_cycles == list(range(60))
        assert seen.emit_cycles == list(range(2, 62))


def test_fifo_holds_its_depth_and_one_beat_more():
    seen = run_stream(StreamFifo(8, 4), numbered(9, 3), o_stall=[True] * 30 + [False] * 70, count=1)
    assert len(seen.accept_cycles) == 5


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="vectors must be a positive integer, not 0"):
        VectorJoin(8, 0)
    with pytest.raises(ValueError, match="beats must be a positive integer, not 1.5"):
        VectorSplit(8, 1.5)
    with pytest.raises(ValueError, match="depth must be a positive integer, not 0"):
        StreamFifo(8, 0)
    with pytest.raises(ValueError, match="must be one of block, lutram, registers, not 'disk'"):
        StreamFifo(8, 4, kind="disk")
