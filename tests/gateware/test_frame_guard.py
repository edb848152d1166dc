import pytest
from amaranth.hdl import Module
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.streams.frame_guard import FrameGuard
from tests.gateware.bench import run_stream, stalls


class GuardWithStatus(wiring.Component):
    """The guard with its status behind a FIFO, so that one stream shows both: status above data."""

    def __init__(self, beats, tail):
        self._guard = FrameGuard(8, beats, tail=tail)
        self._beats = beats
        super().__init__({"i": In(stream.Signature(frame_layout(8))), "o": Out(stream.Signature(frame_layout(9)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.guard = guard = self._guard
        m.submodules.data = data = fifo.SyncFIFOBuffered(width=9, depth=64)
        m.submodules.status = status = fifo.SyncFIFOBuffered(width=1, depth=16)
        wiring.connect(m, wiring.flipped(self.i), guard.i)
        wiring.connect(m, guard.o, data.w_stream)
        wiring.connect(m, guard.status, status.w_stream)
        last = data.r_stream.payload[-1]
        both = data.r_stream.valid & (~last | status.r_stream.valid)
        m.d.comb += [
            self.o.valid.eq(both),
            self.o.payload.data.eq(data.r_stream.payload[:8] | ((status.r_stream.payload & last) << 8)),
            self.o.payload.last.eq(last),
            data.r_stream.ready.eq(both & self.o.ready),
            status.r_stream.ready.eq(both & self.o.ready & last),
        ]
        return m


def frame(start, length):
    return [{"data": start + k, "last": int(k == length - 1)} for k in range(length)]


@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_damaged_frames_cost_no_other_frame(rate):
    given = [
        *frame(0x10, 4),
        *frame(0x20, 2),
        *frame(0x30, 4),
        *frame(0x40, 7),
        *frame(0x50, 4),
        *frame(0x60, 1),
        *frame(0x70, 4),
    ]
    dut = GuardWithStatus(4, tail=8)
    seen = run_stream(dut, given, i_stall=stalls(1, rate), o_stall=stalls(2, rate), count=28)
    frames = [seen.beats[k : k + 4] for k in range(0, 28, 4)]
    assert all([beat["last"] for beat in f] == [0, 0, 0, 1] for f in frames)
    assert [f[-1]["data"] >> 8 for f in frames] == [0, 1, 0, 1, 0, 1, 0]
    content = [[beat["data"] & 0xFF for beat in f] for f in frames]
    assert content == [
        [0x10, 0x11, 0x12, 0x13],
        [0x20, 0x21, 0, 0],
        [0x30, 0x31, 0x32, 0x33],
        [0x40, 0x41, 0x42, 0x43],
        [0x50, 0x51, 0x52, 0x53],
        [0x60, 0, 0, 0],
        [0x70, 0x71, 0x72, 0x73],
    ]


def test_tail_lanes_are_blanked():
    seen = run_stream(GuardWithStatus(2, tail=3), [{"data": 0xFF, "last": 0}, {"data": 0xFF, "last": 1}], count=2)
    assert [beat["data"] & 0xFF for beat in seen.beats] == [0xFF, 0x07]


def test_single_beat_frames():
    seen = run_stream(GuardWithStatus(1, tail=8), [*frame(1, 1), *frame(5, 3), *frame(9, 1)], count=3)
    assert [beat["data"] for beat in seen.beats] == [1, 0x105, 9]
