"""A stream from one clock domain to another, without memory."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out


class Crossing(wiring.Component):
    """Hands the beats of a stream from one clock domain to another.

    A beat stays at the input until the other side has it, so that only one bit crosses in each direction and the
    payload needs no registers: far smaller than an asynchronous FIFO, and fast enough for a serial link. Both domains
    must be reset together.

    Parameters
    ----------
    shape : ShapeLike
        Payload.
    i_domain, o_domain : str
        The clock domains of the two sides.

    Members
    -------
    i : In(stream), payload `shape`, clocked by `i_domain`
    o : Out(stream), payload `shape`, clocked by `o_domain`

    Timing
    ------
    A beat is offered 1 cycle of `i_domain` and 2 of `o_domain` after it came, and leaves the input 1 cycle of
    `o_domain` and 2 of `i_domain` after it was taken: one beat per 7 cycles where both clocks are the same. Clocks of
    other frequency or phase add up to one cycle in each direction. A stall holds the beat at the input.
    """

    def __init__(self, shape, *, i_domain, o_domain):
        self._i_domain = i_domain
        self._o_domain = o_domain
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        # Each bit changes once per beat: `sent` when a beat is offered, `taken` when it is taken.
        sent, taken, offered, returned = (Signal(name=n) for n in ("sent", "taken", "offered", "returned"))
        m.submodules.offer = FFSynchronizer(sent, offered, o_domain=self._o_domain)
        m.submodules.answer = FFSynchronizer(taken, returned, o_domain=self._i_domain)
        waiting = Signal()
        m.d.comb += [
            self.i.ready.eq(waiting & (returned == sent)),
            self.o.payload.eq(self.i.payload),
            self.o.valid.eq(offered != taken),
        ]
        with m.If(self.i.ready):
            m.d[self._i_domain] += waiting.eq(0)
        with m.Elif(self.i.valid & ~waiting):
            m.d[self._i_domain] += [waiting.eq(1), sent.eq(~sent)]
        with m.If(self.o.valid & self.o.ready):
            m.d[self._o_domain] += taken.eq(offered)
        return m
