"""Frame guard: whatever comes in, whole frames go on."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.frame_layout import frame_layout


class FrameGuard(wiring.Component):
    """Cuts overlong frames and fills short ones with zeros, so that no frame shifts the ones after it.

    Parameters
    ----------
    width : int
        Bits per beat.
    beats : int
        Beats per frame.
    tail : int
        Bits of the last beat that belong to the frame; the others become zero.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``; `last` is what is checked.
    o : Out(stream), payload ``{data: width, last: 1}``: exactly `beats` beats per frame.
    status : Out(stream), payload 1 bit per frame
        Offered with the frame's last beat: 1 if the frame was cut or filled. The last beat waits for it to be taken.

    Timing
    ------
    Combinational, one beat per cycle. A missing beat takes a cycle to fill, a surplus one a cycle to drop.
    """

    def __init__(self, width, beats, *, tail):
        self._width = width
        self._beats = beats
        self._tail = tail
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(width))),
                "o": Out(stream.Signature(frame_layout(width))),
                "status": Out(stream.Signature(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat = Signal(range(self._beats))
        # A register, for what leads to the host link begins here.
        at_end = Signal(init=self._beats == 1)
        filling, dropping = Signal(), Signal()
        offer, taken = Signal(), Signal()
        m.d.comb += [
            offer.eq(filling | (self.i.valid & ~dropping)),
            # The last beat leaves together with its status: each side waits for the other to be taken.
            self.o.valid.eq(offer & (~at_end | self.status.ready)),
            self.status.valid.eq(offer & at_end & self.o.ready),
            self.status.payload.eq(filling | ~self.i.payload.last),
            taken.eq(self.o.valid & self.o.ready),
            self.i.ready.eq(dropping | (taken & ~filling)),
            self.o.payload.data.eq(
                Mux(filling, 0, Mux(at_end, self.i.payload.data[: self._tail], self.i.payload.data))
            ),
            self.o.payload.last.eq(at_end),
        ]
        with m.If(taken):
            m.d.sync += beat.eq(Mux(at_end, 0, beat + 1))
            m.d.sync += at_end.eq((beat == self._beats - 2) if self._beats > 1 else 1)
            with m.If(at_end):
                m.d.sync += [filling.eq(0), dropping.eq(~filling & ~self.i.payload.last)]
            with m.Elif(self.i.payload.last & ~filling):
                m.d.sync += filling.eq(1)
        with m.If(dropping & self.i.valid & self.i.payload.last):
            m.d.sync += dropping.eq(0)
        return m
