"""Result sender: words of the engine's memory into an answer, and the class that they are the scores of."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.engine.fields import ENTRY, lanes_up_to
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.layer_table import Opcode


class ResultSender(wiring.Component):
    """Does what an OUTPUT entry says: sends words as they are, or ranks the numbers whose planes they are, or both.

    Numbers are ranked bit by bit, the highest first: of those that are left, the ones with that bit stay, if there are
    any. The largest one of a group of channels, as many as a word has lanes, is compared with the largest one before.

    Parameters
    ----------
    lanes : int
        Of the engine.
    width : int
        Bits of the largest number.

    Members
    -------
    start : In(1)
    fields : In, fields of an OUTPUT entry
    following : Out(1)
        The line that is on is read, and the next one is on from the next cycle.
    i : In(lanes)
        The word of bank 0, two cycles later.
    damaged : In(1)
        Of the frame.
    o : Out(stream), payload ``{data: lanes, last: 1}``
        The words, and behind those of the last entry the label, whose highest bit tells of a damaged frame.
    busy, done : Out(1)
        `done` in the last cycle.

    Timing
    ------
    Three cycles a word, and one more where it is sent; one more for each group that is ranked, and for the label.
    """

    def __init__(self, lanes, *, width):
        self._lanes = lanes
        self._width = width
        super().__init__(
            {
                "start": In(1),
                "fields": In(ENTRY[Opcode.OUTPUT]),
                "following": Out(1),
                "i": In(lanes),
                "damaged": In(1),
                "o": Out(stream.Signature(frame_layout(lanes))),
                "busy": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, fields = self._lanes, self.fields
        plane, group = Signal(8), Signal(8)
        word = Signal(lanes)
        left, number = Signal(lanes), Signal(self._width)
        best, label, any_yet = Signal(self._width), Signal(lanes - 1), Signal()
        last_plane, last_group = plane == fields.planes, group == fields.groups
        stay = Signal(lanes)
        m.d.comb += [stay.eq(left & self.i), self.o.payload.data.eq(word)]
        everyone = Signal(lanes)
        # Those of the next group, when one is done.
        ahead = Mux(self.busy, group + 1, 0)
        at_end = lanes_up_to(m, fields.tail, lanes)
        m.d.comb += everyone.eq(at_end | (ahead != fields.groups).replicate(lanes))
        lowest = Signal(range(lanes))
        for lane in reversed(range(lanes)):
            with m.If(left[lane]):
                m.d.comb += lowest.eq(lane)

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [plane.eq(0), group.eq(0)]
                    with m.If(fields.rank):
                        m.d.sync += [left.eq(everyone), number.eq(0), any_yet.eq(0)]
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += [self.busy.eq(1), self.following.eq(1)]
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.comb += self.busy.eq(1)
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += word.eq(self.i)
                with m.If(fields.rank):
                    m.d.sync += [left.eq(Mux(stay.any(), stay, left)), number.eq((number << 1) | stay.any())]
                with m.If(fields.send):
                    m.next = "SEND"
                with m.Else():
                    self._after(m, last_plane, plane)
            with m.State("SEND"):
                m.d.comb += [self.busy.eq(1), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    self._after(m, last_plane, plane)
            with m.State("RANK"):
                m.d.comb += self.busy.eq(1)
                with m.If(~any_yet | (number > best)):
                    m.d.sync += [best.eq(number), label.eq(group * lanes + lowest), any_yet.eq(1)]
                m.d.sync += [left.eq(everyone), number.eq(0)]
                self._next_group(m, last_group, group)
            with m.State("GROUP"):
                m.d.comb += self.busy.eq(1)
                self._next_group(m, last_group, group)
            with m.State("LABEL"):
                m.d.comb += [
                    self.busy.eq(1),
                    self.o.valid.eq(1),
                    self.o.payload.data.eq(label | (self.damaged << (lanes - 1))),
                    self.o.payload.last.eq(1),
                ]
                with m.If(self.o.ready):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += [self.busy.eq(1), self.done.eq(1)]
                m.next = "IDLE"
        return m

    def _after(self, m, last_plane, plane):
        """What follows a word."""
        m.d.sync += plane.eq(Mux(last_plane, 0, plane + 1))
        with m.If(~last_plane):
            m.next = "ASK"
        with m.Elif(self.fields.rank):
            m.next = "RANK"
        with m.Else():
            m.next = "GROUP"

    def _next_group(self, m, last_group, group):
        m.d.sync += group.eq(group + 1)
        with m.If(~last_group):
            m.next = "ASK"
        with m.Elif(self.fields.final):
            m.next = "LABEL"
        with m.Else():
            m.next = "DONE"
