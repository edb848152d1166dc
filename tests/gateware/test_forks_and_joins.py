"""Units with several inputs or outputs: Fork, AddStreams, Concat."""

import re

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.gateware.arithmetic.add_streams import AddStreams
from bnnhw.gateware.streams.concat import Concat
from bnnhw.gateware.streams.fork import Fork
from bnnhw.gateware.streams.slice import Slice
from tests.gateware.bench import run_streams, stalls

UINT3, INT4, INT31, INT32 = DataType("uint", 3), DataType("int", 4), DataType("int", 31), DataType("int", 32)


def numbered(count, vector, base=0):
    return [{"data": (base + k) & 0xFF, "last": int(k % vector == vector - 1)} for k in range(count)]


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("readers", [1, 2, 3])
def test_fork_gives_every_reader_every_beat(readers, rate):
    outputs = [f"o{k}" for k in range(readers)]
    given = numbered(60, 4)
    _, outs = run_streams(
        Fork(8, readers),
        {"i": given},
        outputs,
        i_stalls={"i": stalls(9, rate)},
        o_stalls={name: stalls(k, rate) for k, name in enumerate(outputs)},
    )
    assert all(outs[name].beats == given for name in outputs)


def test_fork_timing():
    ins, outs = run_streams(Fork(8, 2), {"i": numbered(20, 4)}, ["o0", "o1"])
    assert ins["i"].cycles == outs["o0"].cycles == outs["o1"].cycles == list(range(20))


def test_fork_does_not_wait_for_the_slow():
    """A reader has a beat before the other takes it, but not the next."""
    _, outs = run_streams(
        Fork(8, 2), {"i": numbered(5, 5)}, ["o0", "o1"], o_stalls={"o1": [True, True, False]}, count=5
    )  # fmt: skip
    assert outs["o0"].cycles == [0, 3, 6, 9, 12]
    assert outs["o1"].cycles == [2, 5, 8, 11, 14]


def random_values(rng, dtype, shape):
    """Values of a format, its smallest and largest among them."""
    if dtype is BIPOLAR:
        return rng.choice([-1, 1], shape)
    values = rng.integers(dtype.min, dtype.max + 1, shape)
    return np.where(rng.random(shape) < 0.3, rng.choice([dtype.min, dtype.max], shape), values)


def packed(dtype, values, beats):
    """Vectors (N, channels) as `beats` payloads each."""
    return [
        {"data": sum(int(c) << (dtype.bits * lane) for lane, c in enumerate(row)), "last": int(k % beats == beats - 1)}
        for k, row in enumerate(dtype.encode(values).reshape(len(values) * beats, -1))
    ]


def unpacked(dtype, beats, lanes):
    codes = [[beat["data"] >> (dtype.bits * lane) & ((1 << dtype.bits) - 1) for lane in range(lanes)] for beat in beats]
    return dtype.decode(codes)


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize(
    ("dtypes", "coefficients", "out"),
    [
        ([BIPOLAR, BIPOLAR], [1, 1], TERNARY),
        ([BIPOLAR, BIPOLAR], [1, 1], DataType("int", 3)),
        ([TERNARY, UINT3], [5, -3], DataType("int", 6)),
        ([INT4, BIPOLAR, TERNARY], [-1, 2, 7], DataType("int", 6)),
        ([UINT3, UINT3], [3, 1], DataType("uint", 5)),
        ([INT4], [0], DataType("uint", 1)),
        ([INT31, INT31], [1, -1], DataType("int", 32)),
        ([DataType("uint", 31), UINT3], [2, 0], DataType("uint", 32)),
        ([DataType("int", 20), BIPOLAR], [1000, -70_000], DataType("int", 32)),
        # A coefficient for each of 8 channels, in 4 beats.
        ([INT4], [[0, 1, -1, 2, -3, 7, -8, 5]], DataType("int", 8)),
        ([UINT3, TERNARY], [[3] * 8, [0, -1] * 4], DataType("int", 6)),
        ([INT4, UINT3], [[1, -1, 4, 6, 9, -9, 2, 0], 3], DataType("int", 8)),
        ([DataType("int", 24), INT4], [[-128, 127, 1, 0, 100, -100, 64, -64], [5, 4, 3, 2, 1, 0, -1, -2]], INT32),
    ],
)
def test_sums(dtypes, coefficients, out, rate):
    rng = np.random.default_rng(6)
    lanes, count, channels = 2, 10, 8
    values = [random_values(rng, t, (count, channels)) for t in dtypes]
    wanted = sum(np.array(k) * v.astype(np.int64) for k, v in zip(coefficients, values, strict=True))
    if out is TERNARY:  # what does not occur in a network: +-2
        values[1] = np.where(np.abs(wanted) > 1, -values[0], values[1])
        wanted = values[0] + values[1]
    ins = {f"i{k}": packed(t, v, 4) for k, (t, v) in enumerate(zip(dtypes, values, strict=True))}
    _, outs = run_streams(
        AddStreams(dtypes, coefficients, lanes, out),
        ins,
        ["o"],
        i_stalls={name: stalls(k, rate) for k, name in enumerate(ins)},
        o_stalls={"o": stalls(8, rate)},
    )
    assert [beat["last"] for beat in outs["o"].beats] == [0, 0, 0, 1] * count
    assert (unpacked(out, outs["o"].beats, lanes).reshape(count, channels) == wanted).all()


def test_add_timing():
    given = [{"data": 1, "last": 1}] * 10
    ins, outs = run_streams(
        AddStreams([UINT3, UINT3], [1, 1], 1, DataType("uint", 4)),
        {"i0": given, "i1": given},
        ["o"],
        i_stalls={"i1": [True] * 5 + [False] * 50},
    )
    assert ins["i0"].cycles == ins["i1"].cycles == list(range(5, 15))
    assert outs["o"].cycles == list(range(6, 16))


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("channels", [[2], [2, 6], [4, 2, 2]])
def test_concatenates_pixels(channels, rate):
    ins = {f"i{k}": numbered(5 * c // 2, c // 2, base=50 * k) for k, c in enumerate(channels)}
    wanted = [
        {**ins[f"i{k}"][pixel * c // 2 + beat], "last": int(k == len(channels) - 1 and beat == c // 2 - 1)}
        for pixel in range(5)
        for k, c in enumerate(channels)
        for beat in range(c // 2)
    ]
    seen_in, outs = run_streams(
        Concat([INT4] * len(channels), 2, channels, INT4),
        ins,
        ["o"],
        i_stalls={name: stalls(k, rate) for k, name in enumerate(ins)},
        o_stalls={"o": stalls(8, rate)},
    )
    assert outs["o"].beats == wanted
    assert sorted(c for port in seen_in.values() for c in port.cycles) == outs["o"].cycles
    if not rate:
        assert outs["o"].cycles == list(range(len(wanted)))


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize(
    ("chunks", "vectors"), [([1, 0, 1], [1]), ([0, 1, 0], [0, 1]), ([1], [0, 1, 1, 0]), ([1, 1, 0, 0], [1, 0, 1])]
)
def test_slices(chunks, vectors, rate):
    """Two frames; beats that are kept come out as they come in, in the same cycle."""
    count = 2 * len(vectors)
    given = numbered(count * len(chunks), len(chunks))
    last = max(k for k, kept in enumerate(chunks) if kept)
    kept = [v and c for v in vectors * 2 for c in chunks]
    wanted = [{**beat, "last": int(k % len(chunks) == last)} for k, beat in enumerate(given) if kept[k]]
    seen_in, outs = run_streams(
        Slice(8, [bool(c) for c in chunks], [bool(v) for v in vectors]),
        {"i": given},
        ["o"],
        i_stalls={"i": stalls(1, rate)},
        o_stalls={"o": stalls(8, rate)},
    )
    assert outs["o"].beats == wanted
    assert [cycle for cycle, k in zip(seen_in["i"].cycles, kept, strict=True) if k] == outs["o"].cycles
    if not rate:
        assert seen_in["i"].cycles == list(range(len(given)))


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize(
    ("dtypes", "out"),
    [
        ([BIPOLAR, TERNARY], TERNARY),
        ([TERNARY, BIPOLAR, UINT3], INT4),
        ([DataType("uint", 1), BIPOLAR], TERNARY),
        ([INT4, DataType("int", 20), BIPOLAR], INT32),
        ([DataType("uint", 32), UINT3], DataType("uint", 32)),
        ([DataType("uint", 31), TERNARY, INT32], INT32),
    ],
)
def test_concatenates_formats(dtypes, out, rate):
    rng = np.random.default_rng(3)
    lanes, count, channels = 2, 8, 4
    values = [random_values(rng, t, (count, channels)) for t in dtypes]
    ins = {f"i{k}": packed(t, v, 2) for k, (t, v) in enumerate(zip(dtypes, values, strict=True))}
    _, outs = run_streams(
        Concat(dtypes, lanes, [channels] * len(dtypes), out),
        ins,
        ["o"],
        i_stalls={name: stalls(k, rate) for k, name in enumerate(ins)},
        o_stalls={"o": stalls(8, rate)},
    )
    assert (unpacked(out, outs["o"].beats, lanes).reshape(count, -1) == np.concatenate(values, axis=1)).all()
    if not rate:
        assert outs["o"].cycles == list(range(count * channels // lanes * len(dtypes)))


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="readers must be a positive integer, not 0"):
        Fork(8, 0)
    with pytest.raises(ValueError, match="one coefficient per input is needed, not 1 for 2"):
        AddStreams([BIPOLAR, BIPOLAR], [1], 2, TERNARY)
    for coefficients, found in (([[1] * 3, 1], [3]), ([[1] * 4, [1] * 2], [2, 4]), ([[], 1], [0])):
        with pytest.raises(ValueError, match=f"for whole beats of 2 lanes are needed, not {re.escape(str(found))}"):
            AddStreams([BIPOLAR, BIPOLAR], coefficients, 2, INT4)
    with pytest.raises(ValueError, match="lanes must divide the elements"):
        Concat([BIPOLAR, BIPOLAR], 2, [2, 3], BIPOLAR)
    with pytest.raises(ValueError, match="of each of the 1 inputs"):
        Concat([BIPOLAR], 2, [2, 2], BIPOLAR)
    for dtype, out in ((TERNARY, BIPOLAR), (DataType("uint", 1), BIPOLAR), (UINT3, DataType("int", 3))):
        with pytest.raises(ValueError, match=f"out_dtype must have every value of {dtype}, not be {out}"):
            Concat([dtype], 1, [1], out)
