"""Frame status: remembers which of the frames inside an accelerator was damaged."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


class FrameStatus(wiring.Component):
    """Keeps one bit per frame, in order, by counting: at most one of the frames is marked at any time.

    Parameters
    ----------
    frames : int
        How many may be kept.

    Members
    -------
    i : In(stream), payload 1 bit: whether the frame is marked.
    o : Out(stream), payload 1 bit

    Timing
    ------
    Latency 1 cycle, a frame per cycle. Input stalls from a marked frame on until it has gone, and while at least
    `frames` are kept. Whether it does comes from registers: it is the beginning of a long path to the host link.
    """

    def __init__(self, frames):
        self._frames = frames
        super().__init__({"i": In(stream.Signature(1)), "o": Out(stream.Signature(1))})

    def elaborate(self, platform):
        m = Module()
        bits = ceil_log2(self._frames)
        kept, there = Signal(bits + 1), Signal()  # frames, and whether there is one
        # The frames that go before the marked one.
        marked, before = Signal(), Signal(bits + 1, reset_less=True)
        came, gone = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~marked & ~kept[-1]),
            came.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(there),
            self.o.payload.eq(marked & (before == 0)),
            gone.eq(self.o.valid & self.o.ready),
        ]
        with m.If(came ^ gone):
            # One more or one less, on one carry chain.
            m.d.sync += [kept.eq(kept + Cat(1, (~came).replicate(bits))), there.eq(came | (kept != 1))]
        with m.If(gone):
            m.d.sync += [before.eq(before - 1), marked.eq(marked & (before != 0))]
        with m.If(came):
            m.d.sync += [marked.eq(self.i.payload), before.eq(Mux(gone, kept - 1, kept))]
        return m
