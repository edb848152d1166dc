"""Pool: maximum, minimum and sum of groups of beats."""

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.gateware.windows.pool import Pool
from tests.gateware.bench import run_stream, stalls

FORMATS = [BIPOLAR, TERNARY, DataType("uint", 1), DataType("uint", 4), DataType("int", 4)]
WIDE = [DataType("uint", 20), DataType("uint", 32), DataType("int", 17), DataType("int", 32)]


def pack(codes, bits):
    return sum(int(code) << (bits * k) for k, code in enumerate(codes))


def unpack(word, lanes, bits):
    return [(word >> (bits * k)) & ((1 << bits) - 1) for k in range(lanes)]


def draw(rng, dtype, shape):
    values = rng.integers(dtype.min, dtype.max + 1, shape)
    return np.where(values == 0, 1, values) if dtype.kind == "bipolar" else values


def groups(dtype, values, skip):
    """Beats of values (groups, taps, lanes) and skips (groups, taps)."""
    codes = dtype.encode(values)
    return [
        {"data": pack(beat, dtype.bits), "skip": int(skip[g, t]), "last": int(t == codes.shape[1] - 1)}
        for g, group in enumerate(codes)
        for t, beat in enumerate(group)
    ]


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("minimum", ["nowhere", "everywhere", "somewhere"])
@pytest.mark.parametrize("dtype", FORMATS + WIDE, ids=str)
def test_extremes(dtype, minimum, rate):
    rng = np.random.default_rng(3)
    lanes, chunks, taps, pixels = 3, 2, 4, 8
    smallest = {
        "nowhere": np.zeros(lanes * chunks, bool),
        "everywhere": np.ones(lanes * chunks, bool),
        "somewhere": np.arange(lanes * chunks) % 4 < 2,
    }[minimum]
    values = draw(rng, dtype, (pixels * chunks, taps, lanes))
    skip = rng.random((pixels * chunks, taps)) < 0.3
    skip[:, 1] = False
    masked = np.ma.masked_array(values, np.broadcast_to(skip[:, :, None], values.shape))
    wanted = np.where(np.tile(smallest.reshape(chunks, lanes), (pixels, 1)), masked.min(axis=1), masked.max(axis=1))
    dut = Pool(dtype, lanes, chunks, operation="max", minimum=smallest, out_dtype=dtype)
    seen = run_stream(dut, groups(dtype, values, skip), i_stall=stalls(1, rate), o_stall=stalls(2, rate))
    assert [beat["last"] for beat in seen.beats] == [0, 1] * pixels
    assert (dtype.decode([unpack(beat["data"], lanes, dtype.bits) for beat in seen.beats]) == wanted).all()


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_maximum_as_a_number(dtype):
    """At the end of a network the integers leave in two's complement."""
    values = draw(np.random.default_rng(4), dtype, (20, 2, 2))
    out = DataType("int", 6)
    dut = Pool(dtype, 2, 1, operation="max", minimum=[False] * 2, out_dtype=out)
    seen = run_stream(dut, groups(dtype, values, np.zeros((20, 2), bool)))
    assert (out.decode([unpack(beat["data"], 2, 6) for beat in seen.beats]) == values.max(axis=1)).all()


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("dtype", FORMATS, ids=str)
@pytest.mark.parametrize("out", [DataType("int", 9), DataType("uint", 8)], ids=str)
def test_sums(dtype, out, rate):
    rng = np.random.default_rng(5)
    lanes, taps, pixels = 2, 9, 10
    values = draw(rng, dtype, (pixels, taps, lanes))
    values = np.abs(values) % (dtype.max + 1) if out.kind == "uint" else values
    skip = rng.random((pixels, taps)) < 0.3
    dut = Pool(dtype, lanes, 1, operation="sum", minimum=[False] * lanes, out_dtype=out)
    seen = run_stream(dut, groups(dtype, values, skip), i_stall=stalls(1, rate), o_stall=stalls(2, rate))
    found = out.decode([unpack(beat["data"], lanes, out.bits) for beat in seen.beats])
    assert (found == np.where(skip[:, :, None], 0, values).sum(axis=1)).all()


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize(
    ("dtype", "out"),
    [(DataType("int", 29), DataType("int", 32)), (DataType("uint", 29), DataType("uint", 32)), (BIPOLAR, WIDE[2])],
    ids=str,
)
def test_wide_sums(dtype, out, rate):
    """Seven taps at the ends of what the format holds."""
    values = np.random.default_rng(7).choice([dtype.min, dtype.max], (12, 7, 2))
    values[0], values[1] = dtype.min, dtype.max
    dut = Pool(dtype, 2, 1, operation="sum", minimum=[False] * 2, out_dtype=out)
    beats = groups(dtype, values, np.zeros((12, 7), bool))
    seen = run_stream(dut, beats, i_stall=stalls(1, rate), o_stall=stalls(2, rate))
    found = out.decode([unpack(beat["data"], 2, out.bits) for beat in seen.beats])
    assert (found == values.sum(axis=1, dtype=np.int64)).all()


@pytest.mark.parametrize("out", [BIPOLAR, TERNARY], ids=str)
def test_sums_may_pass_what_their_format_holds(out):
    values = np.array([[[1], [1], [-1]], [[-1], [1], [-1]]])
    dut = Pool(BIPOLAR, 1, 1, operation="sum", minimum=[False], out_dtype=out)
    seen = run_stream(dut, groups(BIPOLAR, values, np.zeros((2, 3), bool)))
    assert out.decode([beat["data"] for beat in seen.beats]).tolist() == [1, -1]


def test_timing():
    values = np.ones((6, 4, 1), int)
    dut = Pool(BIPOLAR, 1, 2, operation="max", minimum=[False] * 2, out_dtype=BIPOLAR)
    seen = run_stream(dut, groups(BIPOLAR, values, np.zeros((6, 4), bool)))
    assert seen.accept_cycles == list(range(24))
    assert seen.emit_cycles == [4 * k + 4 for k in range(6)]


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="operation must be max or sum, not 'mean'"):
        Pool(BIPOLAR, 2, 1, operation="mean", minimum=[False] * 2, out_dtype=BIPOLAR)
    with pytest.raises(ValueError, match="minimum must be given for 4 channels, not 2"):
        Pool(BIPOLAR, 2, 2, operation="max", minimum=[False] * 2, out_dtype=BIPOLAR)
