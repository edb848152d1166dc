"""Engine core: reads the layer table, entry by entry, and has it done."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.engine.array import EngineArray
from bnnhw.gateware.engine.fields import ENTRY, SLOT_LAYOUT, fields_of
from bnnhw.gateware.engine.frame_reader import FrameReader
from bnnhw.gateware.engine.result_sender import ResultSender
from bnnhw.gateware.engine.walk import Walk
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.layer_table import LINE_BITS, Opcode

FIRST_ENTRY = 1


class EngineCore(wiring.Component):
    """All of an engine but its memory and what loads a program into it.

    Parameters
    ----------
    lanes, pixels, banks, lines, weights, slots, width : int
        Of the engine, as `bnnhw.layer_table.EngineShape` has them.
    family : str
        As of `Popcount`.

    Members
    -------
    i : In(stream), o : Out(stream)
        Frames and answers, see `FrameReader` and `ResultSender`.
    addr : Out, an address for each bank
    write : Out(banks), word : Out(lanes)
        Which of them are written, and with what: `word`, or, where `given`, `results` a cycle later.
    given : Out(1), results : Out, a word for each pixel
        What the array gives; bank b gets that of pixel ``b % pixels``.
    read : In, a word for each bank
        Two cycles after the address.

    Timing
    ------
    Three cycles for each entry of the layer table, and what it does, but two for a READ or WRITE: while it is read, the
    next one is asked for. See `bnnhw.overlay.cycles`.
    """

    def __init__(self, lanes, pixels, banks, lines, weights, slots, width, *, family):
        address = ceil_log2(lines)
        self._lanes = lanes
        self._pixels = pixels
        self._banks = banks
        self._address = address
        self._walk = Walk(lanes, pixels, banks, address=address, slots=slots, weights=weights)
        self._array = EngineArray(lanes, pixels, weights, banks, width, family=family)
        self._reader = FrameReader(lanes, banks)
        self._sender = ResultSender(lanes, width=width)
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(lanes))),
                "o": Out(stream.Signature(frame_layout(lanes))),
                "addr": Out(data.ArrayLayout(address, banks)),
                "write": Out(banks),
                "word": Out(lanes),
                "given": Out(1),
                "results": Out(data.ArrayLayout(lanes, pixels)),
                "read": In(data.ArrayLayout(lanes, banks)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk, m.submodules.array = walk, array = self._walk, self._array
        m.submodules.reader, m.submodules.sender = reader, sender = self._reader, self._sender
        wiring.connect(m, wiring.flipped(self.i), reader.i)
        wiring.connect(m, sender.o, wiring.flipped(self.o))
        filling = Signal(data.StructLayout({"slots": 1, "weights": 1}))
        self._table(m, filling)
        self._fills(m, filling)
        m.d.comb += [
            self.addr.eq(walk.addr),
            self.write.eq(walk.writes | reader.write),
            self.word.eq(reader.word),
            self.given.eq(~reader.busy),
            self.results.eq(array.o),
        ]
        # The words of the pixels, from whatever banks they are in.
        for pixel in range(self._pixels):
            m.d.comb += array.x[pixel].eq(
                Mux(walk.inside[pixel], self.read[walk.bank[pixel]], walk.outside)
            )  # fmt: skip
        m.d.comb += [array.word.eq(walk.word), array.controls.eq(walk.controls), sender.i.eq(self.read[0])]
        return m

    def _table(self, m, filling):
        """Entry after entry; `filling` is what lines are read for."""
        walk, reader, sender = self._walk, self._reader, self._sender
        place = Signal(self._address, init=FIRST_ENTRY)
        per_word = ceil_log2(self._lanes // self._banks)  # lines of a word of each row's weights
        cursor, left = Signal(self._address, reset_less=True), Signal(16 + per_word, reset_less=True)
        # A READ is over with the next frame or answer: they share a register.
        entry, kind = Signal(LINE_BITS, reset_less=True), Signal(ENTRY[Opcode.END].size, reset_less=True)
        found = {opcode: fields_of(self.read, ENTRY[opcode]) for opcode in Opcode}
        following = Signal()
        m.d.comb += [
            walk.read.eq(fields_of(entry, ENTRY[Opcode.READ])),
            reader.fields.eq(fields_of(entry, ENTRY[Opcode.INPUT])),
            sender.fields.eq(fields_of(entry, ENTRY[Opcode.OUTPUT])),
            sender.damaged.eq(reader.damaged),
            walk.line.eq(cursor),
            following.eq(filling.as_value().any() | reader.following | sender.following),
        ]
        with m.If(following):
            m.d.sync += cursor.eq(cursor + 1)
        with m.FSM():
            with m.State("FETCH"):
                m.d.comb += walk.line.eq(place)
                m.d.sync += place.eq(place + 1)
                m.next = "WAIT"
            with m.State("WAIT"):
                m.next = "DECODE"
            with m.State("DECODE"):
                m.d.comb += walk.line.eq(place)
                # Where an entry has a place in the memory, it is always the same field.
                m.d.sync += [kind.eq(found[Opcode.END].opcode), cursor.eq(found[Opcode.PASS].source)]
                m.next = "FETCH"
                with m.Switch(found[Opcode.END].opcode):
                    with m.Case(Opcode.END):
                        m.d.sync += place.eq(FIRST_ENTRY)
                    with m.Case(Opcode.READ):
                        m.d.sync += [entry.eq(self.read.as_value()[:LINE_BITS]), place.eq(place + 1)]
                        m.next = "WAIT"
                    with m.Case(Opcode.WRITE):
                        m.d.sync += [walk.write.eq(found[Opcode.WRITE]), place.eq(place + 1)]
                        m.next = "WAIT"
                    with m.Case(Opcode.SLOTS):
                        count = found[Opcode.SLOTS].count
                        m.d.sync += [walk.slots.eq(count), left.eq(count)]
                        with m.If(count != 0):
                            m.next = "SLOTS"
                    with m.Case(Opcode.PASS):
                        fields = found[Opcode.PASS]
                        m.d.sync += [left.eq(fields.count << per_word), walk.base.eq(fields.base)]
                        m.next = "START"
                        with m.If(fields.count != 0):
                            m.next = "WEIGHTS"
                    with m.Case(Opcode.INPUT, Opcode.OUTPUT):
                        m.d.sync += entry.eq(self.read.as_value()[:LINE_BITS])
                        m.next = "START"
            for state, after in (("SLOTS", "FETCH"), ("WEIGHTS", "START")):
                with m.State(state):
                    m.d.comb += filling[state.lower()].eq(1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.next = after
            with m.State("START"):
                m.d.comb += [
                    walk.start.eq(kind == Opcode.PASS),
                    reader.start.eq(kind == Opcode.INPUT),
                    sender.start.eq(kind == Opcode.OUTPUT),
                ]
                m.next = "BUSY"
            with m.State("BUSY"):
                with m.If(walk.done | reader.done | sender.done):
                    m.next = "FETCH"

    def _fills(self, m, filling):
        """What was read goes to the slot memory or the caches, two cycles after it was asked for."""
        walk, array = self._walk, self._array
        asked, there = Signal.like(filling), Signal.like(filling)
        parts = self._lanes // self._banks
        part = Signal(range(parts))
        m.d.sync += [asked.eq(filling), there.eq(asked)]
        m.d.comb += [
            walk.fill.eq(there.slots),
            walk.fill_data.eq(fields_of(self.read, SLOT_LAYOUT)),
            array.fill.eq(there.weights),
            array.fill_part.eq(part),
            array.fill_data.eq(self.read),
        ]
        with m.If(there.slots):
            m.d.sync += walk.fill_slot.eq(walk.fill_slot + 1)
        with m.If(there.weights):
            m.d.sync += part.eq(part + 1)
            with m.If(part == parts - 1):
                m.d.sync += array.fill_word.eq(array.fill_word + 1)
        with m.If(~(filling.as_value() | asked.as_value() | there.as_value()).any()):
            m.d.sync += [walk.fill_slot.eq(0), array.fill_word.eq(0), part.eq(0)]
