"""Which of its two rates a board's line has."""

from math import ceil

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bnnhw.line import CALL_BACK_BITS


class LineRate(wiring.Component):
    """Goes to the fast rate when it is asked to, and back when the line stays low.

    A line that is low for longer than a byte of the fast rate can make it is a computer that calls the board back: a
    byte of zeros at the base rate is enough. So no computer's end leaves a board where the next one cannot reach it.

    Parameters
    ----------
    bit_cycles : float
        Clock cycles of a bit at the base rate.

    Members
    -------
    line : In(1)
        The line into the board, synchronised.
    goes_fast : In(1)
        The last byte that is to leave at the base rate was handed to the transmitter in this cycle.
    idle : In(1)
        The transmitter has sent all that it was handed.
    fast : Out(1)
        Whether the line has the fast rate.

    Timing
    ------
    `fast` rises in the cycle after the first `idle` that follows `goes_fast`. It falls ``ceil(CALL_BACK_BITS *
    bit_cycles)`` cycles after the line fell, if the line is low in all of them.
    """

    def __init__(self, bit_cycles):
        self._cycles = ceil(CALL_BACK_BITS * bit_cycles)
        super().__init__({"line": In(1, init=1), "goes_fast": In(1), "idle": In(1), "fast": Out(1)})

    def elaborate(self, platform):
        m = Module()
        asked = Signal()
        low_left = Signal(range(self._cycles), init=self._cycles - 1)
        with m.If(self.goes_fast):
            m.d.sync += asked.eq(1)
        with m.Elif(asked & self.idle):
            m.d.sync += [asked.eq(0), self.fast.eq(1)]
        with m.If(self.line):
            m.d.sync += low_left.eq(low_left.init)
        with m.Elif(low_left != 0):
            m.d.sync += low_left.eq(low_left - 1)
        with m.Else():
            m.d.sync += [asked.eq(0), self.fast.eq(0)]
        return m
