import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.label_select import LabelSelect, result_layout
from bnnhw.gateware.streams import frame_layout
from tests.gateware.bench import run_stream, stalls


class Labels(wiring.Component):
    """Label select whose frames are never damaged."""

    def __init__(self, width, scales, biases):
        self._select = LabelSelect(width, scales, biases)
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(width))),
                "o": Out(stream.Signature(result_layout(width, len(scales)))),
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


def test_affine_scores():
    rng = np.random.default_rng(1)
    rows = rng.integers(-128, 128, (40, 5))
    run(8, [3, -2, 1000, 0, 7], [-4, 900, 0, 12345, -99999], rows)


@pytest.mark.parametrize(("scales", "latency"), [([1, 1, 1], 1), ([2, 1, 1], 2)])
def test_timing(scales, latency):
    seen = run(6, scales, [0, 0, 0], [[1, 2, 3]] * 6, rate=0.0)
    assert LabelSelect(6, scales, [0, 0, 0]).latency == latency
    assert seen.emit_cycles[0] - seen.accept_cycles[0] == latency
    assert (np.diff(seen.emit_cycles) == 1).all()


def test_refuses_unequal_lists():
    with pytest.raises(ValueError, match="one scale and one bias per element"):
        LabelSelect(4, [1, 1], [0])
    with pytest.raises(ValueError, match="one scale and one bias per element"):
        LabelSelect(4, [], [])
