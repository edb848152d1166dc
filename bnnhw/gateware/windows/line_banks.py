"""Line banks: lines of a map, each in a memory of its own, so that a column of several rows is read at once."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.memory import ram_attributes


class LineBanks(wiring.Component):
    """A ring of lines, one memory each.

    Parameters
    ----------
    width : int
        Bits of a word.
    line : int
        Words of a line.
    lines : int
        Lines that are held, a power of two.
    rows, dilation : int
        Rows that are read at once, and steps from one to the next; ``(rows - 1) * dilation`` is less than `lines`.
    kind : str
        Kind of memory, see `VectorBuffer`.

    Members
    -------
    w_en, w_data, w_place, w_closes : In
        Writes a word to a place of the line that is being written; `w_closes` with the line's last word.
    r_en, r_line, r_place : In
        Reads the word at `r_place` of each row, the first row being line `r_line`, modulo `lines`.
    r_data : Out(rows * width)
        The first row's word in the low bits.

    Timing
    ------
    `r_data` follows a cycle with `r_en` by one cycle, and holds while `r_en` is low. A word can be read from the cycle
    after its write.
    """

    def __init__(self, width, line, lines, rows, dilation, *, kind):
        if lines & (lines - 1) or (rows - 1) * dilation >= lines:
            raise ValueError(f"{rows!r} rows, {dilation!r} apart, do not fit {lines!r} lines")
        self._width = width
        self._line = line
        self._lines = lines
        self._offsets = [dilation * row for row in range(rows)]
        self._attrs = ram_attributes(kind)
        super().__init__(
            {
                "w_en": In(1),
                "w_data": In(width),
                "w_place": In(range(line)),
                "w_closes": In(1),
                "r_en": In(1),
                "r_line": In(range(lines)),
                "r_place": In(range(line)),
                "r_data": Out(rows * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        written = Signal(range(self._lines))
        shown = Signal(range(self._lines), reset_less=True)  # the first row's line
        with m.If(self.w_en & self.w_closes):
            m.d.sync += written.eq(written + 1)
        with m.If(self.r_en):
            m.d.sync += shown.eq(self.r_line)
        words = []
        for k in range(self._lines):
            m.submodules[f"line{k}"] = memory = Memory(
                shape=self._width, depth=1 << len(self.w_place), init=[], attrs=self._attrs
            )
            write, read = memory.write_port(), memory.read_port(domain="sync")
            m.d.comb += [
                write.addr.eq(self.w_place),
                write.data.eq(self.w_data),
                write.en.eq(self.w_en & (written == k)),
                read.addr.eq(self.r_place),
                read.en.eq(self.r_en),
            ]
            words.append(read.data)
        for row, offset in enumerate(self._offsets):
            with m.Switch(shown):
                for k in range(self._lines):
                    with m.Case(k):
                        m.d.comb += self.r_data.word_select(row, self._width).eq(words[(k + offset) % self._lines])
        return m
