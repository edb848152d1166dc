"""Result cut: results with several elements per beat become such with one."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.frame_layout import result_layout


class ResultCut(wiring.Component):
    """Gives the elements of a result one per beat, as the host link takes them.

    Parameters
    ----------
    width, classes : int
        Bits of an element, and elements of a result.
    lanes : int
        Elements per beat of the input.

    Members
    -------
    i : In(stream), payload `result_layout` with `lanes`
    o : Out(stream), payload `result_layout` with one lane

    Timing
    ------
    Combinational: an element per cycle. A beat in is taken with its last element. With one lane it is wires.
    """

    def __init__(self, width, classes, lanes):
        self._lanes = lanes
        self._tail = classes - (-(-classes // lanes) - 1) * lanes
        super().__init__(
            {
                "i": In(stream.Signature(result_layout(width, classes, lanes))),
                "o": Out(stream.Signature(result_layout(width, classes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self._lanes == 1:
            wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
            return m
        lane, ends = Signal(range(self._lanes)), Signal()
        if self._tail == self._lanes:
            # A register: what leads to the accelerator's units begins here.
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += ends.eq(lane == self._lanes - 2)
        else:
            m.d.comb += ends.eq(lane == Mux(self.i.payload.last, self._tail - 1, self._lanes - 1))
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready & ends),
            self.o.payload.data.eq(self.i.payload.data[lane]),
            self.o.payload.label.eq(self.i.payload.label),
            self.o.payload.error.eq(self.i.payload.error),
            self.o.payload.last.eq(self.i.payload.last & ends),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += lane.eq(Mux(ends, 0, lane + 1))
        return m
