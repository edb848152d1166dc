"""Slice: some beats of a frame, the others dropped."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.frame_layout import frame_layout


class Slice(wiring.Component):
    """Passes the beats of a frame that are kept, and drops the others as they come.

    Parameters
    ----------
    width : int
        Bits of a beat.
    chunks : list of bool
        Whether each beat of a vector is kept.
    vectors : list of bool
        Whether each vector of a frame is, or of a part of a frame that repeats.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``
        `last` closes each vector; it is not needed here, because the frame was checked at the input.
    o : Out(stream), payload ``{data: width, last: 1}``
        `last` closes what is left of each vector.

    Timing
    ------
    Combinational, a beat per cycle; a beat that is dropped does not wait for `o`.

    Raises
    ------
    ValueError
        If nothing is kept.
    """

    def __init__(self, width, chunks, vectors):
        if not any(chunks) or not any(vectors):
            raise ValueError(f"some beats and vectors must be kept, not {chunks!r} and {vectors!r}")
        self._chunks = chunks
        self._vectors = vectors
        super().__init__({name: flow(stream.Signature(frame_layout(width))) for name, flow in (("i", In), ("o", Out))})

    def elaborate(self, platform):
        m = Module()
        taken = Signal()
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        chunk, ends = self._counter(m, "chunk", self._chunks, taken)
        vector, _ = self._counter(m, "vector", self._vectors, taken & ends)
        kept = Signal()
        last = max(k for k, wanted in enumerate(self._chunks) if wanted)
        m.d.comb += [
            kept.eq(_table(self._chunks, chunk) & _table(self._vectors, vector)),
            self.o.valid.eq(self.i.valid & kept),
            self.o.payload.data.eq(self.i.payload.data),
            self.o.payload.last.eq(chunk == last),
            self.i.ready.eq(self.o.ready | ~kept),
        ]
        return m

    def _counter(self, m, name, table, step):
        """A place in `table`, which goes on with each `step`, and whether it is the last one."""
        place = Signal(range(len(table)), name=name)
        ends = place == len(table) - 1
        with m.If(step):
            m.d.sync += place.eq(Mux(ends, 0, place + 1))
        return place, ends


def _table(table, place):
    return Const(sum(kept << k for k, kept in enumerate(table)), len(table)).bit_select(place, 1)
