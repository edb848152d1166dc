"""Frame reader: the words of a frame into the engine's memory."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.engine.fields import ENTRY, lanes_up_to
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.layer_table import FRAME_STEP, Opcode


class FrameReader(wiring.Component):
    """Takes the frame that an INPUT entry describes, row by row of words of one plane and group of channels.

    Where pixels fill a word, a row is as many words as it has pixels. Else their bits come one behind the other,
    without gaps from pixel to pixel, the row filled up to whole words; each bit becomes the lowest lane and moves up
    those before, those of the pixels on the left as well, and lanes from `keep` on are zero.

    Parameters
    ----------
    lanes, banks : int
        Of the engine.

    Members
    -------
    start : In(1)
    fields : In, fields of an INPUT entry
    i : In(stream), payload ``{data: lanes, last: 1}``
        What is missing of a short frame is read as zero; what is too much of a long one is dropped.
    write : Out(banks), word : Out(lanes)
        A word to be written to the line that is on.
    following : Out(1)
        The next line is on from the next cycle.
    busy, done : Out(1)
        `done` in the last cycle.
    damaged : Out(1)
        Whether the frame was too short or too long; until the next one begins.

    Timing
    ------
    A word per cycle. Where bits come one behind the other: a cycle for each row, then `FRAME_STEP` bits per cycle where
    the pixel and the word have as many left, else one. Then a cycle more, and one for each word that is dropped.
    """

    def __init__(self, lanes, banks):
        self._lanes = lanes
        self._banks = banks
        super().__init__(
            {
                "start": In(1),
                "fields": In(ENTRY[Opcode.INPUT]),
                "i": In(stream.Signature(frame_layout(lanes))),
                "write": Out(banks),
                "word": Out(lanes),
                "following": Out(1),
                "busy": Out(1),
                "done": Out(1),
                "damaged": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, fields = self._lanes, self.fields
        reading, closing, ended = Signal(), Signal(), Signal()
        column, group = Signal(8), Signal(8)
        rows = Signal(16)
        bits, left, held, need = Signal(lanes), Signal(range(lanes + 1)), Signal(lanes), Signal(range(lanes + 1))

        serial, offered, taken, shifted, several, emptied, whole, written = (
            Signal(name=name)
            for name in ("serial", "offered", "taken", "shifted", "several", "emptied", "whole", "written")
        )
        given = Mux(ended, 0, self.i.payload.data)
        now = Signal(lanes)
        last_column, last_bank = column == fields.width, column[: ceil_log2(self._banks)] == self._banks - 1
        last_group = group == fields.groups
        m.d.comb += [
            serial.eq(last_group & (fields.tail != lanes - 1)),
            offered.eq(self.i.valid | ended),
            shifted.eq(reading & serial & (left != 0)),
            several.eq((left >= FRAME_STEP) & (need >= FRAME_STEP - 1)),
            # The next word comes with the last bits of the one before, unless these end the row.
            emptied.eq(Mux(several, left == FRAME_STEP, left <= 1)),
            taken.eq(reading & offered & (~serial | (emptied & ~(whole & last_column)))),
            now.eq(Mux(several, Cat(*reversed(bits[:FRAME_STEP]), held), Cat(bits[0], held))),
            whole.eq(shifted & (need == Mux(several, FRAME_STEP - 1, 0))),
            written.eq(Mux(serial, whole, taken)),
            self.word.eq(Mux(serial, now & lanes_up_to(m, fields.keep, lanes), given)),
            self.following.eq(written & (last_column | last_bank)),
            *(
                self.write[bank].eq(written & (column[: ceil_log2(self._banks)] == bank))
                for bank in range(self._banks)
            ),
            self.i.ready.eq((taken | closing) & ~ended),
            self.busy.eq(reading | closing),
            self.done.eq(closing & ended),
        ]  # fmt: skip
        with m.If(self.i.valid & self.i.ready & self.i.payload.last):
            m.d.sync += ended.eq(1)
        with m.If((taken & ended) | (closing & ~ended)):
            m.d.sync += self.damaged.eq(1)
        with m.If(shifted):
            step = Mux(several, FRAME_STEP, 1)
            m.d.sync += [
                bits.eq(Mux(several, bits >> FRAME_STEP, bits >> 1)),
                left.eq(left - step),
                held.eq(now),
                need.eq(Mux(whole, fields.tail, need - step)),
            ]
        with m.If(taken & serial):
            m.d.sync += [bits.eq(given), left.eq(lanes)]
        with m.If(written):
            m.d.sync += column.eq(Mux(last_column, 0, column + 1))
            with m.If(last_column):
                m.d.sync += [group.eq(Mux(last_group, 0, group + 1)), rows.eq(rows - 1), left.eq(0), held.eq(0)]
                with m.If(rows == 0):
                    m.d.sync += [reading.eq(0), closing.eq(1)]
        with m.If(self.done):
            m.d.sync += closing.eq(0)
        with m.If(self.start):
            m.d.sync += [
                reading.eq(1), ended.eq(0), self.damaged.eq(0), column.eq(0), group.eq(0),
                rows.eq(fields.rows), left.eq(0), held.eq(0), need.eq(fields.tail),
            ]  # fmt: skip
        return m
