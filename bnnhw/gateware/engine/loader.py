"""Loader: a program into the engine's memory, which runs nothing until all of it is there and right."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.engine.fields import fields_of, header_words
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.layer_table import MAGIC, SUM_START, VERSION


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
        taken, checked, right = Signal(), Signal(), Signal()
        length = Signal(16, reset_less=True)
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
                m.d.sync += right.eq(0)
            self._header(m, count, length, right)
            with m.If(self.i.payload.last):
                m.d.sync += checked.eq(1)
        with m.If(checked):
            whole = right & (count == (length << ceil_log2(banks)) + 2) & (first == 0) & (second == 0)
            m.d.sync += [
                checked.eq(0),
                self.stop.eq(~whole),
                self.refused.eq(~whole),
                count.eq(0),
                first.eq(SUM_START),
                second.eq(SUM_START),
            ]
        return m

    def _header(self, m, count, length, right):
        """Looks at the header, part by part of its fields, as the words come that they are in."""
        wanted = {"version": VERSION, "magic": MAGIC, "engine": self._fingerprint}
        for k, shape in enumerate(header_words(self._lanes)):
            fields = fields_of(self.i.payload.data, shape)
            names = list(shape.members)
            agree = Cat(fields[name] == wanted[name] for name in names if name in wanted).all()
            with m.If(count == k):
                m.d.sync += right.eq(agree & (1 if k == 0 else right))
                if "lines" in names:
                    m.d.sync += length.eq(fields["lines"])
