"""The requests that wait for their answers, in order."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

ANSWER = data.StructLayout({"status": 3, "sequence": 8})
"""An answer to be: its `short_status`, and the sequence number of its request."""


def short_status(status):
    """The bits in which one `Status` differs from another."""
    return status & 0b111


class AnswerQueue(wiring.Component):
    """A FIFO of a few entries in a shift register: smaller than pointers into registers, and without block RAM.

    Parameters
    ----------
    depth : int
        Entries.

    Members
    -------
    i : In(stream), payload `ANSWER`
    o : Out(stream), payload `ANSWER`
        Out of the queue when taken.

    Timing
    ------
    An entry shows at `o` one cycle after it came to an empty queue. One entry per cycle; a full queue takes one again
    in the cycle after one left.
    """

    def __init__(self, depth):
        self._depth = depth
        super().__init__({"i": In(stream.Signature(ANSWER)), "o": Out(stream.Signature(ANSWER))})

    def elaborate(self, platform):
        m = Module()
        # An entry falls to the lowest place that is free.
        entries = [Signal(ANSWER, name=f"entry{k}") for k in range(self._depth)]
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
            with m.If(~occupied[k] | (shift & ~occupied[k + 1 :].any())):
                m.d.sync += entry.eq(self.i.payload)
            if following:
                with m.Elif(shift):
                    m.d.sync += entry.eq(following[0])
        with m.If(push & ~shift):
            m.d.sync += occupied.eq((occupied << 1) | 1)
        with m.Elif(shift & ~push):
            m.d.sync += occupied.eq(occupied >> 1)
        return m
