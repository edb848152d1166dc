"""Frame scatter: vectors of frames that were computed side by side, one after the other."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import ram_attributes
from bnnhw.gateware.streams.vector_scatter import scatter


class FrameScatter(wiring.Component):
    """Undoes what a `FrameGather` did: holds two groups, and gives the vectors of one in their order while the next
    comes in.

    Parameters
    ----------
    width : int
        Bits of one vector's beat.
    beats : int
        Beats per vector.
    frames : int
        Vectors of a full group, side by side in each beat, lane 0 in the low bits.
    groups : int
        Groups that may be on their way between the gather and this unit's output.
    kind : str
        Kind of memory, see `VectorBuffer`.

    Members
    -------
    i0 : In(stream), payload ``{data: frames * width, last: 1}``; beats are counted.
    i1 : In(stream), payload ``{data: ceil_log2(frames), last: 1}``
        Vectors of each group, less one, as the gather tells.
    o : Out(stream), payload ``{data: width, last: 1}``; `last` closes each vector.

    Timing
    ------
    The first beat goes out 2 cycles after the group's last beat came in, if the groups before are gone; then one beat
    per cycle, `beats` cycles per vector. `i0` stalls while both places are taken, `i1` while `groups` sizes are held.

    Raises
    ------
    ValueError
        If the kind of memory is unknown.
    """

    def __init__(self, width, beats, frames, groups, *, kind="block"):
        self._beats = beats
        self._frames = frames
        self._groups = groups
        self._attrs = ram_attributes(kind)
        super().__init__(
            {
                "i0": In(stream.Signature(frame_layout(width * frames))),
                "i1": In(stream.Signature(frame_layout(ceil_log2(frames)))),
                "o": Out(stream.Signature(frame_layout(width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Sizes come in at the front and are read at the end, wherever that is.
        sizes = [Signal.like(self.i1.payload.data, name=f"size{k}") for k in range(self._groups)]
        held, oldest = Signal(range(self._groups + 1)), Signal(range(self._groups))
        push, pop = Signal(), Signal()
        room = Signal(init=1)  # `held` is below `groups`: what stalls the gather comes from a register
        m.d.comb += [self.i1.ready.eq(room), push.eq(self.i1.valid & self.i1.ready)]
        m.d.sync += room.eq(pop | Mux(push, held != self._groups - 1, room))
        m.d.comb += oldest.eq(held - 1)
        m.d.sync += held.eq(held + push - pop)
        with m.If(push):
            m.d.sync += [after.eq(size) for size, after in zip([self.i1.payload.data, *sizes], sizes, strict=False)]

        ends_vector = Signal()
        lane, vector = Signal(range(self._frames)), Signal(range(self._frames))
        closes = vector == Array(sizes)[oldest]
        m.d.comb += pop.eq(ends_vector & closes)
        with m.If(ends_vector):
            m.d.sync += [
                lane.eq(Mux(lane == self._frames - 1, 0, lane + 1)),
                vector.eq(Mux(closes, 0, vector + 1)),
            ]
        scatter(
            m, self.i0, self.o, self._beats, self._frames, self._attrs, ends_vector, lane, closes, known=held != 0
        )  # fmt: skip
        return m
