"""Loader: a program into the engine's memory, which runs nothing until all of it is there and right."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.engine.fields import HEADER_LAYOUT
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.layer_table import LINE_BITS, MAGIC, SUM_START, VERSION


class Loader(wiring.Component):
    """Takes the words of a program, line by line, and the two words that make the sums of all of them zero.

    Parameters
    ----------
    lanes, banks, lines : int
        Of the engine.
    fingerprint : int
        Of its shape.

    Members
    -------
    i : In(stream), payload ``{data: lanes, last: 1}``
        A program; it takes the place of the one before, whether it is right or not.
    stalled : In(1)
        Whether the engine must not be stopped in this cycle.
    line : Out, write : Out(banks), word : Out(lanes)
        A word to be written.
    stop : Out(1)
        The engine must not run: there is no program.
    refused : Out(1)
        The last program was not right: for another version or shape, too short, too long, or with other sums.

    Timing
    ------
    A word per cycle; the engine may run two cycles after the last one.
    """

    def __init__(self, lanes, banks, lines, *, fingerprint):
        self._lanes = lanes
        self._banks = banks
        self._lines = lines
        self._fingerprint = fingerprint
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(lanes))),
                "stalled": In(1),
                "line": Out(range(lines)),
                "write": Out(banks),
                "word": Out(lanes),
                "stop": Out(1, init=1),
                "refused": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, banks = self._lanes, self._banks
        first, second = Signal(lanes, init=SUM_START), Signal(lanes, init=SUM_START)
        count = Signal(range(self._lines * banks + 2 + 1))
        bank, line = count[: ceil_log2(banks)], count[ceil_log2(banks) :]
        head = Signal(LINE_BITS)
        taken, checked = Signal(), Signal()
        fields = data.View(HEADER_LAYOUT, head[: HEADER_LAYOUT.size])
        new_first = Signal(lanes)
        m.d.comb += [
            self.i.ready.eq((self.stop | ~self.stalled) & ~checked),
            taken.eq(self.i.valid & self.i.ready),
            self.line.eq(line),
            self.word.eq(self.i.payload.data),
            # What lies behind the last line goes nowhere.
            *(self.write[k].eq(taken & (bank == k) & (line < self._lines)) for k in range(banks)),
            new_first.eq(first + self.i.payload.data),
        ]
        with m.If(taken):
            m.d.sync += [self.stop.eq(1), self.refused.eq(0), first.eq(new_first), second.eq(second + new_first)]
            with m.If(count != self._lines * banks + 2):
                m.d.sync += count.eq(count + 1)
            with m.Else():
                # Longer than any program: never right again.
                m.d.sync += head.eq(0)
            for k in range(LINE_BITS // lanes):
                with m.If(count == k):
                    m.d.sync += head[k * lanes : (k + 1) * lanes].eq(self.i.payload.data)
            with m.If(self.i.payload.last):
                m.d.sync += checked.eq(1)
        with m.If(checked):
            right = (
                (fields.magic == MAGIC)
                & (fields.version == VERSION)
                & (fields.engine == self._fingerprint)
                & (count == (fields.lines << ceil_log2(banks)) + 2)
                & (first == 0)
                & (second == 0)
            )
            m.d.sync += [
                checked.eq(0),
                self.stop.eq(~right),
                self.refused.eq(~right),
                count.eq(0),
                head.eq(0),
                first.eq(SUM_START),
                second.eq(SUM_START),
            ]
        return m
