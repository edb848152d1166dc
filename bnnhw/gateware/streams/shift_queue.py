"""Shift queue: a few entries that wait in registers."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class ShiftQueue(wiring.Component):
    """A FIFO of a few entries in a shift register: smaller than pointers into registers, without block RAM, and what it
    gives comes from registers, with no choice behind them.

    Parameters
    ----------
    shape : ShapeLike
        An entry.
    depth : int
        Entries.

    Members
    -------
    i : In(stream), payload `shape`
    o : Out(stream), payload `shape`
        Out of the queue when taken.

    Timing
    ------
    An entry shows at `o` one cycle after it came to an empty queue. One entry per cycle; a full queue takes one again
    in the cycle after one left.
    """

    def __init__(self, shape, depth):
        self._shape = shape
        self._depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        # An entry falls to the lowest place that is free: those below it are occupied, those above are not.
        entries = [Signal(self._shape, name=f"entry{k}", reset_less=True) for k in range(self._depth)]
        occupied = Signal(self._depth)
        shift = self.o.valid & self.o.ready
        push = self.i.valid & self.i.ready
        m.d.comb += [
            self.o.valid.eq(occupied[0]),
            self.o.payload.eq(entries[0]),
            self.i.ready.eq(~occupied[-1]),
        ]
        for k, entry in enumerate(entries):
            following = entries[k + 1 : k + 2]
            with m.If(~occupied[k] | (shift & ~occupied[k + 1 : k + 2].any())):
                m.d.sync += entry.eq(self.i.payload)
            if following:
                with m.Elif(shift):
                    m.d.sync += entry.eq(following[0])
        with m.If(push & ~shift):
            m.d.sync += occupied.eq((occupied << 1) | 1)
        with m.Elif(shift & ~push):
            m.d.sync += occupied.eq(occupied >> 1)
        return m
