"""Vector scatter: vectors that were computed side by side, one after the other."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import ram_attributes
from bnnhw.gateware.streams.vector_groups import count_groups


class VectorScatter(wiring.Component):
    """Holds two groups of vectors: while one goes out vector by vector, the next comes in.

    Parameters
    ----------
    width : int
        Bits of one vector's beat.
    beats : int
        Beats per vector.
    vectors : int
        Vectors of a group, side by side in each beat, the first in the low bits.
    total : int
        Vectors of a frame. Where groups do not divide it, those of the last group that are too many are dropped.
    kind : str
        Kind of memory, see `VectorBuffer`.

    Members
    -------
    i : In(stream), payload ``{data: vectors * width, last: 1}``; beats are counted.
    o : Out(stream), payload ``{data: width, last: 1}``; `last` closes each vector.

    Timing
    ------
    The first beat goes out 2 cycles after the group's last beat came in, if the groups before are gone; then one beat
    per cycle, ``beats * vectors`` cycles per group. Input stalls while both places are taken.

    Raises
    ------
    ValueError
        If the kind of memory is unknown.
    """

    def __init__(self, width, beats, vectors, total, *, kind="block"):
        self._width = width
        self._beats = beats
        self._vectors = vectors
        self._total = total
        self._attrs = ram_attributes(kind)
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(width * vectors))),
                "o": Out(stream.Signature(frame_layout(width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ends_vector = Signal()
        lane, closes = count_groups(m, ends_vector, self._vectors, self._total)
        scatter(m, self.i, self.o, self._beats, self._vectors, self._attrs, ends_vector, lane, closes, known=1)
        return m


def scatter(m, i, o, beats, vectors, attrs, ends_vector, lane, closes, known):
    """From `i` with `vectors` lanes to `o`: in each cycle with `ends_vector`, which is set here, the last beat of the
    vector in `lane` is read, and with `closes` the group's last one. A group waits until it is `known` what it has."""
    width = o.payload.data.shape().width
    places = 1 << ceil_log2(beats)
    m.submodules.memory = memory = Memory(shape=width * vectors, depth=2 * places, init=[], attrs=attrs)
    write, read = memory.write_port(), memory.read_port(domain="sync")

    full = Signal(range(3))  # groups that are complete and not yet read to the end
    there = Signal()  # whether there is one
    came, gone = Signal(), Signal()
    m.d.sync += [full.eq(full + came - gone), there.eq(came | Mux(gone, full[1], there))]

    filled, into = Signal(range(beats)), Signal()
    m.d.comb += [
        i.ready.eq(~full[1]),
        write.addr.eq(Cat(filled, into) if beats > 1 else into),
        write.data.eq(i.payload.data),
        write.en.eq(i.valid & i.ready),
        came.eq(write.en & (filled == beats - 1)),
    ]
    with m.If(write.en):
        m.d.sync += filled.eq(Mux(came, 0, filled + 1))
    with m.If(came):
        m.d.sync += into.eq(~into)

    # What decides stands in registers where it can, as the stall of the output comes late in its cycle.
    beat, at_end, out_of = Signal(range(beats)), Signal(init=beats == 1), Signal()
    moving = Signal()
    shown = Signal(range(vectors), reset_less=True)
    last = data_register(m, o.payload.last)
    m.d.comb += [
        moving.eq(there & known & (o.ready | ~o.valid)),
        ends_vector.eq(moving & at_end),
        gone.eq(ends_vector & closes),
        read.addr.eq(Cat(beat, out_of) if beats > 1 else out_of),
        read.en.eq(moving),
        o.payload.data.eq(read.data.word_select(shown, width)),
    ]
    with m.If(o.ready | ~o.valid):
        m.d.sync += [o.valid.eq(there & known), last.eq(at_end)]
    with m.If(moving):
        m.d.sync += [
            beat.eq(Mux(at_end, 0, beat + 1)),
            at_end.eq((beat == beats - 2) if beats > 1 else 1),
            shown.eq(lane),
        ]
    with m.If(gone):
        m.d.sync += out_of.eq(~out_of)
