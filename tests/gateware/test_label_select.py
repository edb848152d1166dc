import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.arithmetic.label_select import LabelSelect
from bnnhw.gateware.frame_layout import frame_layout, result_layout
from bnnhw.gateware.streams.result_cut import ResultCut
from tests.gateware.bench import run_stream, stalls


def label_select(width, scales, biases, lanes=1, kind="registers"):
    affine = any(scale != 1 for scale in scales) or any(biases)
    return LabelSelect(width, len(scales), lanes, affine=affine, scales=scales, biases=biases, kind=kind)


class Labels(wiring.Component):
    """Label select whose frames are never damaged."""

    def __init__(self, width, scales, biases, lanes=1, kind="registers"):
        self._select = label_select(width, scales, biases, lanes, kind)
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(lanes * width))),
                "o": Out(stream.Signature(result_layout(width, len(scales), lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.select = select = self._select
        wiring.connect(m, wiring.flipped(self.i), select.i)
        wiring.connect(m, select.o, wiring.flipped(self.o))
        m.d.comb += select.status.valid.eq(1)
        return m


def run(width, scales, biases, rows, rate=0.3):
    classes = len(scales)
    beats = [
        {"data": int(v) & ((1 << width) - 1), "last": int(c == classes - 1)} for row in rows for c, v in enumerate(row)
    ]
    dut = Labels(width, scales, biases)
    seen = run_stream(dut, beats, i_stall=stalls(1, rate), o_stall=stalls(2, rate), count=len(beats))
    assert [beat["data"] for beat in seen.beats] == [int(v) for row in rows for v in row]
    scores = np.array(rows) * np.array(scales) + np.array(biases)
    assert [beat["label"] for beat in seen.beats[classes - 1 :: classes]] == scores.argmax(axis=1).tolist()
    assert [beat["last"] for beat in seen.beats] == ([0] * (classes - 1) + [1]) * len(rows)
    return seen


@pytest.mark.parametrize("classes", [1, 2, 3, 10])
def test_lowest_index_wins_ties(classes):
    rng = np.random.default_rng(classes)
    rows = [*rng.integers(-3, 4, (20, classes)), np.zeros(classes, int), np.full(classes, -8), np.full(classes, 7)]
    run(4, [1] * classes, [0] * classes, rows)


@pytest.mark.parametrize(("scales", "biases"), [([1] * 4, [0] * 4), ([3, -2, 1, 7], [5, 0, -(1 << 30), 1])])
def test_integers_of_32_bits(scales, biases):
    rng = np.random.default_rng(2)
    low, high = -(1 << 31), (1 << 31) - 1
    rows = [*rng.integers(low, high + 1, (20, 4)), [low] * 4, [high] * 4, [low, high, low, high]]
    run(32, scales, biases, rows)


def test_affine_scores():
    rng = np.random.default_rng(1)
    rows = rng.integers(-128, 128, (40, 5))
    run(8, [3, -2, 1000, 0, 7], [-4, 900, 0, 12345, -99999], rows)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("kind", ["registers", "block"])
@pytest.mark.parametrize(("classes", "lanes"), [(2, 2), (5, 2), (10, 3), (10, 10), (7, 4), (9, 5), (4, 1)])
def test_lanes(classes, lanes, kind, affine):
    """Several elements per beat; what follows the last one, whatever it is, does not count."""
    if lanes == 1 and not affine and kind == "block":
        pytest.skip("nothing waits in a memory for a single cycle")
    rng = np.random.default_rng(classes * lanes)
    width, beats = 6, -(-classes // lanes)
    rows = np.concatenate([rng.integers(-4, 5, (30, classes)), rng.integers(-32, 32, (10, classes))])
    scales = rng.integers(-9, 10, classes) if affine else np.ones(classes, int)
    biases = rng.integers(-90, 90, classes) if affine else np.zeros(classes, int)
    padded = np.concatenate([rows, np.full((len(rows), beats * lanes - classes), 31)], axis=1)
    words = (padded & 63).reshape(len(rows), beats, lanes) << (width * np.arange(lanes))
    given = [{"data": int(word), "last": int(b == beats - 1)} for row in words.sum(-1) for b, word in enumerate(row)]
    dut = Labels(width, scales.tolist(), biases.tolist(), lanes, kind)
    seen = run_stream(dut, given, i_stall=stalls(1, 0.3), o_stall=stalls(2, 0.3), count=len(given))
    found = np.array([beat["data"] for beat in seen.beats]).reshape(len(rows), -1)
    assert np.array_equal(found[:, :classes], rows)
    labels = [beat["label"] for beat in seen.beats[beats - 1 :: beats]]
    assert labels == (rows * scales + biases).argmax(axis=1).tolist()


@pytest.mark.parametrize("kind", ["registers", "block"])
@pytest.mark.parametrize(("lanes", "latency"), [(2, 2), (3, 3), (10, 5)])
def test_timing_of_lanes(lanes, latency, kind):
    dut = Labels(4, [1] * lanes, [0] * lanes, lanes, kind)
    seen = run_stream(dut, [{"data": k, "last": 1} for k in range(12)], count=12)
    assert label_select(4, [1] * lanes, [0] * lanes, lanes).latency == latency
    assert seen.emit_cycles[0] - seen.accept_cycles[0] == latency
    assert (np.diff(seen.emit_cycles) == 1).all()


@pytest.mark.parametrize(("classes", "lanes"), [(3, 1), (4, 2), (7, 3), (5, 5)])
def test_results_are_cut(classes, lanes):
    """The host link takes the elements one by one."""
    rng = np.random.default_rng(classes)
    beats = -(-classes // lanes)
    rows = rng.integers(-8, 8, (12, classes))
    padded = np.concatenate([rows, np.zeros((12, beats * lanes - classes), int)], axis=1).reshape(12, beats, lanes)
    given = [
        {
            "data": lane.tolist() if lanes > 1 else int(lane[0]),
            "label": f % classes,
            "error": f % 2,
            "last": int(b == beats - 1),
        }
        for f, row in enumerate(padded)
        for b, lane in enumerate(row)
    ]
    seen = run_stream(ResultCut(4, classes, lanes), given, i_stall=stalls(3, 0.3), o_stall=stalls(4, 0.3))
    assert [beat["data"] for beat in seen.beats] == rows.reshape(-1).tolist()
    final = seen.beats[classes - 1 :: classes]
    assert [(beat["label"], beat["error"]) for beat in final] == [(f % classes, f % 2) for f in range(12)]
    assert [beat["last"] for beat in seen.beats] == ([0] * (classes - 1) + [1]) * 12


@pytest.mark.parametrize(("scales", "latency"), [([1, 1, 1], 1), ([2, 1, 1], 2)])
def test_timing(scales, latency):
    seen = run(6, scales, [0, 0, 0], [[1, 2, 3]] * 6, rate=0.0)
    assert label_select(6, scales, [0, 0, 0]).latency == latency
    assert seen.emit_cycles[0] - seen.accept_cycles[0] == latency
    assert (np.diff(seen.emit_cycles) == 1).all()


@pytest.mark.parametrize(
    ("classes", "scales", "biases"), [(2, [1, 1], [0]), (0, [], []), (2, [1] * 3, [0] * 3), (2, [1, 2], [0, 0])]
)
def test_refuses_other_scores(classes, scales, biases):
    with pytest.raises(ValueError, match=f"a scale and a bias for each of {classes} elements"):
        LabelSelect(4, classes, 1, affine=False, scales=scales, biases=biases)


def test_refuses_too_many_lanes():
    with pytest.raises(ValueError, match="lanes must be 1 to the 3 elements, not 4"):
        label_select(4, [1] * 3, [0] * 3, 4)


def test_refuses_a_memory_for_one_cycle():
    with pytest.raises(ValueError, match="kind must be 'registers' where elements wait for one cycle, not 'block'"):
        label_select(4, [1] * 3, [0] * 3, 1, "block")
