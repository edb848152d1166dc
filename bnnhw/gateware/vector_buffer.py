"""Vector buffer: takes a vector once and gives it several times over."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.streams import frame_layout

RAM_STYLE = {"block": "block", "lutram": "distributed", "registers": "logic"}


class VectorBuffer(wiring.Component):
    """Holds two vectors: while one is repeated for the rows of a matrix-vector unit, the next comes in.

    Parameters
    ----------
    width : int
        Bits per beat.
    beats : int
        Beats per vector.
    repeats : int
        How often each vector goes out.
    kind : str
        ``"block"``, ``"lutram"`` (not on iCE40) or ``"registers"``.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``
    o : Out(stream), payload ``{data: width, last: 1}``; `last` closes the last repeat.

    Timing
    ------
    The first beat goes out 2 cycles after the vector's last beat came in, if the vectors before are gone; then
    one beat per cycle, ``beats * repeats`` cycles per vector. Input stalls while both places are taken.

    Raises
    ------
    ValueError
        If the kind of memory is unknown.
    """

    def __init__(self, width, beats, repeats, *, kind="block"):
        if kind not in RAM_STYLE:
            raise ValueError(f"memory kind must be one of {', '.join(RAM_STYLE)}, not {kind!r}")
        self._width = width
        self._beats = beats
        self._repeats = repeats
        self._kind = kind
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(width))),
                "o": Out(stream.Signature(frame_layout(width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        places = 1 << max(0, (self._beats - 1).bit_length())
        attrs = {"ram_style": RAM_STYLE[self._kind]}
        m.submodules.memory = memory = Memory(shape=self._width, depth=2 * places, init=[], attrs=attrs)
        write, read = memory.write_port(), memory.read_port(domain="sync")

        full = Signal(range(3))  # vectors that are complete and not yet read for the last time
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
            m.d.sync += filled.eq(filled + 1)
        with m.If(came):
            m.d.sync += [filled.eq(0), into.eq(~into)]

        beat, repeat, out_of = Signal(range(self._beats)), Signal(range(self._repeats)), Signal()
        ends_repeat = beat == self._beats - 1
        m.d.comb += [
            read.addr.eq(Cat(beat, out_of) if self._beats > 1 else out_of),
            read.en.eq((full != 0) & (self.o.ready | ~self.o.valid)),
            gone.eq(read.en & ends_repeat & (repeat == self._repeats - 1)),
            self.o.payload.data.eq(read.data),
        ]
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [self.o.valid.eq(full != 0), self.o.payload.last.eq(gone)]
        with m.If(read.en):
            m.d.sync += beat.eq(beat + 1)
            with m.If(ends_repeat):
                m.d.sync += [beat.eq(0), repeat.eq(repeat + 1)]
        with m.If(gone):
            m.d.sync += [repeat.eq(0), out_of.eq(~out_of)]
        return m
