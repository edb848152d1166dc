"""The stream helper notices units that break the rules."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from tests.gateware.bench import run_stream, stalls


class Faulty(wiring.Component):
    """Wires with one defect."""

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))

    def __init__(self, defect):
        super().__init__()
        self._defect = defect

    def elaborate(self, platform):
        m = Module()
        tick = Signal()
        m.d.sync += tick.eq(~tick)
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.eq(self.i.payload),
        ]
        if self._defect == "withdrawn":
            m.d.comb += [self.o.valid.eq(self.i.valid & tick), self.i.ready.eq(self.o.ready & tick)]
        if self._defect == "changed":
            m.d.comb += self.o.payload.eq(self.i.payload + tick)
        if self._defect == "valid depends on ready":
            m.d.comb += self.o.valid.eq(self.i.valid & self.o.ready)
        if self._defect == "payload depends on ready":
            m.d.comb += self.o.payload.eq(self.i.payload + self.o.ready)
        if self._defect == "timeout":
            m.d.comb += [self.o.valid.eq(0), self.i.ready.eq(0)]
        return m


@pytest.mark.parametrize(
    "defect", ["withdrawn", "changed", "valid depends on ready", "payload depends on ready", "timeout"]
)
def test_defects_are_noticed(defect):
    with pytest.raises(AssertionError, match=defect):
        run_stream(Faulty(defect), range(50), o_stall=stalls(1), timeout=500)


def test_wires_pass():
    seen = run_stream(Faulty(None), range(50), i_stall=stalls(1), o_stall=stalls(2))
    assert seen.beats == list(range(50))
    assert seen.accept_cycles == seen.emit_cycles


def test_stops_at_count():
    assert run_stream(Faulty(None), range(50), count=7).beats == list(range(7))
