"""Units that move the marks between vectors, and nothing else."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.frame_layout import frame_layout


class _Marks(wiring.Component):
    """Passes beats on and counts some of them to tell which one is a vector's last."""

    def __init__(self, width, name, count):
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} must be a positive integer, not {count!r}")
        self._count = count
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(width))),
                "o": Out(stream.Signature(frame_layout(width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        index = Signal(range(self._count))
        counted = self._counted(self.i.payload)
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.data.eq(self.i.payload.data),
            self.o.payload.last.eq(counted & (index == self._count - 1)),
        ]
        if self._count > 1:
            with m.If(self.i.valid & self.i.ready & counted):
                m.d.sync += index.eq(Mux(self.o.payload.last, 0, index + 1))
        return m


class VectorJoin(_Marks):
    """Makes one vector of each `vectors` vectors that follow one another: a map's pixels become one vector.

    Parameters
    ----------
    width : int
        Bits per beat.
    vectors : int
        Vectors to join.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``
    o : Out(stream), payload ``{data: width, last: 1}``; `last` closes the last of the vectors.

    Timing
    ------
    Combinational, a beat per cycle.

    Raises
    ------
    ValueError
        If `vectors` is not a positive integer.
    """

    def __init__(self, width, vectors):
        super().__init__(width, "vectors", vectors)

    def _counted(self, payload):
        return payload.last


class VectorSplit(_Marks):
    """Makes vectors of `beats` beats of a frame of many: the pixels of a map.

    Parameters
    ----------
    width : int
        Bits per beat.
    beats : int
        Beats of a vector.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``; `last` is not needed, as a frame is whole vectors.
    o : Out(stream), payload ``{data: width, last: 1}``; `last` closes each vector.

    Timing
    ------
    Combinational, a beat per cycle.

    Raises
    ------
    ValueError
        If `beats` is not a positive integer.
    """

    def __init__(self, width, beats):
        super().__init__(width, "beats", beats)

    def _counted(self, payload):
        return 1
