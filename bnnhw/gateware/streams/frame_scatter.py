"""Frame scatter: vectors of frames that were computed side by side, one after the other."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import ram_attributes
from bnnhw.gateware.streams.shift_queue import ShiftQueue
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
        # The oldest size always stands in the same registers: a choice would lie on the way from the output's stall to
        # the input's.
        m.submodules.sizes = sizes = ShiftQueue(self.i1.payload.data.shape(), self._groups)
        ends_vector = Signal()
        lane, vector = Signal(range(self._frames)), Signal(range(self._frames))
        closes = vector == sizes.o.payload
        m.d.comb += [
            sizes.i.valid.eq(self.i1.valid),
            sizes.i.payload.eq(self.i1.payload.data),
            self.i1.ready.eq(sizes.i.ready),
            sizes.o.ready.eq(ends_vector & closes),
        ]
        with m.If(ends_vector):
            m.d.sync += [
                lane.eq(Mux(lane == self._frames - 1, 0, lane + 1)),
                vector.eq(Mux(closes, 0, vector + 1)),
            ]
        scatter(
            m, self.i0, self.o, self._beats, self._frames, self._attrs, ends_vector, lane, closes, known=sizes.o.valid
        )  # fmt: skip
        return m
