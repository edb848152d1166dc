"""Vector buffer: takes a vector once and gives it several times over."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import ram_attributes
from bnnhw.gateware.streams.vector_groups import count_groups, count_repeats


class VectorBuffer(wiring.Component):
    """Holds two vectors: while one is repeated for the rows of a matrix-vector unit, the next comes in.

    With `vectors` above 1, it holds two groups of `vectors` vectors that came one after the other, and gives those of
    a group side by side, so that a matrix-vector unit can use each of its weights for all of them.

    Parameters
    ----------
    width : int
        Bits per beat.
    beats : int
        Beats per vector.
    repeats : int
        How often each vector goes out.
    vectors : int
        Vectors of a group.
    total : int
        Vectors of a frame. Where groups do not divide it, the last one has fewer; what stands for the others then is
        whatever was there before.
    kind : str
        ``"block"``, ``"lutram"`` (not on iCE40) or ``"registers"``.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``
    o : Out(stream), payload ``{data: vectors * width, last: 1}``
        The group's first vector is in the low bits; `last` closes the last repeat.

    Timing
    ------
    The first beat goes out 2 cycles after the group's last beat came in, if the groups before are gone; then
    one beat per cycle, ``beats * repeats`` cycles per group. Input stalls while both places are taken.

    Raises
    ------
    ValueError
        If the kind of memory is unknown.
    """

    def __init__(self, width, beats, repeats, *, vectors=1, total=1, kind="block"):
        self._width = width
        self._beats = beats
        self._repeats = repeats
        self._vectors = vectors
        self._total = total
        self._attrs = ram_attributes(kind)
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(width))),
                "o": Out(stream.Signature(frame_layout(width * vectors))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        places = 1 << max(0, (self._beats - 1).bit_length())
        writes, reads = [], []
        for k in range(self._vectors):
            memory = Memory(shape=self._width, depth=2 * places, init=[], attrs=self._attrs)
            m.submodules[f"memory{k}"] = memory
            writes.append(memory.write_port())
            reads.append(memory.read_port(domain="sync"))

        full = Signal(range(3))  # groups that are complete and not yet read for the last time
        came, gone = Signal(), Signal()
        m.d.sync += full.eq(full + came - gone)

        filled, into = Signal(range(self._beats)), Signal()
        taken, ends_vector = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~full[1]),
            taken.eq(self.i.valid & self.i.ready),
            ends_vector.eq(taken & (filled == self._beats - 1)),
        ]
        vector, closes = count_groups(m, ends_vector, self._vectors, self._total)
        m.d.comb += came.eq(ends_vector & closes)
        for k, write in enumerate(writes):
            m.d.comb += [
                write.addr.eq(Cat(filled, into) if self._beats > 1 else into),
                write.data.eq(self.i.payload.data),
                write.en.eq(taken & (vector == k)),
            ]
        with m.If(taken):
            m.d.sync += filled.eq(Mux(ends_vector, 0, filled + 1))
        with m.If(came):
            m.d.sync += into.eq(~into)

        moving, out_of = Signal(), Signal()
        last = data_register(m, self.o.payload.last)
        beat, ends_group = count_repeats(m, moving, self._beats, self._repeats)
        m.d.comb += [
            moving.eq((full != 0) & (self.o.ready | ~self.o.valid)),
            gone.eq(moving & ends_group),
            self.o.payload.data.eq(Cat(read.data for read in reads)),
        ]
        for read in reads:
            m.d.comb += [read.addr.eq(Cat(beat, out_of) if self._beats > 1 else out_of), read.en.eq(moving)]
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [self.o.valid.eq(full != 0), last.eq(gone)]
        with m.If(gone):
            m.d.sync += out_of.eq(~out_of)
        return m
