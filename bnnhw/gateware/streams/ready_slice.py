"""Ready slice: a stream whose stall goes through a register."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class ReadySlice(wiring.Component):
    """A register on the way of `ready`, so that what takes a beat and what gives it lie in different cycles.

    The payload has no register: a beat stays at the input for a cycle after it was taken. That is half the speed of a
    skid buffer, and without its two registers for each bit.

    Parameters
    ----------
    shape : ShapeLike
        Payload.

    Members
    -------
    i : In(stream), payload `shape`
    o : Out(stream), payload `shape`

    Timing
    ------
    No latency; a beat every other cycle. The input's `ready` is high in the cycle after the output's beat was taken.
    """

    def __init__(self, shape):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        taken = Signal()
        m.d.sync += taken.eq(self.o.valid & self.o.ready)
        m.d.comb += [
            self.o.valid.eq(self.i.valid & ~taken),
            self.o.payload.eq(self.i.payload),
            self.i.ready.eq(taken),
        ]
        return m
