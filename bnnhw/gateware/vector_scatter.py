"""Vector scatter: vectors that were computed side by side, one after the other."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.memory import ram_attributes
from bnnhw.gateware.streams import frame_layout
from bnnhw.gateware.vector_groups import count_groups


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
        places = 1 << max(0, (self._beats - 1).bit_length())
        shape = self._width * self._vectors
        m.submodules.memory = memory = Memory(shape=shape, depth=2 * places, init=[], attrs=self._attrs)
        write, read = memory.write_port(), memory.read_port(domain="sync")

        full = Signal(range(3))  # groups that are complete and not yet read to the end
        came, gone = Signal(), Signal()
        m.d.sync += full.eq(full + came - gone)

        filled, into = Signal(range(self._beats)), Signal()
        m.d.comb += [
            self.i.ready.eq(full != 2),
            write.addr.eq(Cat(filled, into) if self._beats > 1 else into),
            write.data.eq(self.i.payload.data),
            write.en.eq(self.i.valid & self.i.ready),
            came.eq(write.en & (filled == self._beats - 1)),
        ]
        with m.If(write.en):
            m.d.sync += filled.eq(Mux(came, 0, filled + 1))
        with m.If(came):
            m.d.sync += into.eq(~into)

        beat, out_of = Signal(range(self._beats)), Signal()
        ends_vector, moving = Signal(), Signal()
        vector, closes = count_groups(m, ends_vector, self._vectors, self._total)
        shown = Signal(range(self._vectors))
        m.d.comb += [
            moving.eq((full != 0) & (self.o.ready | ~self.o.valid)),
            ends_vector.eq(moving & (beat == self._beats - 1)),
            gone.eq(ends_vector & closes),
            read.addr.eq(Cat(beat, out_of) if self._beats > 1 else out_of),
            read.en.eq(moving),
            self.o.payload.data.eq(read.data.word_select(shown, self._width)),
        ]
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [self.o.valid.eq(full != 0), self.o.payload.last.eq(ends_vector)]
        with m.If(moving):
            m.d.sync += [beat.eq(Mux(ends_vector, 0, beat + 1)), shown.eq(vector)]
        with m.If(gone):
            m.d.sync += out_of.eq(~out_of)
        return m
