"""Concat: the vectors of several streams, one behind the other."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.frame_layout import frame_layout


class Concat(wiring.Component):
    """Passes a vector of each input in turn and makes one vector of them.

    Parameters
    ----------
    lane_bits : int
        Bits of one element.
    lanes : int
        Elements per beat.
    channels : list of int
        Elements of each input's vectors, multiples of `lanes`.

    Members
    -------
    i0, i1, .. : In(stream), payload ``{data: lane_bits * lanes, last: 1}``
        `last` closes each vector and hands over to the next input.
    o : Out(stream), payload ``{data: lane_bits * lanes, last: 1}``
        `last` closes the vector of the last input.

    Timing
    ------
    Combinational, a beat per cycle; the inputs whose turn it is not are stalled.

    Raises
    ------
    ValueError
        If `lanes` does not divide the elements of an input, or there is no input.
    """

    def __init__(self, lane_bits, lanes, channels):
        if not channels or any(c % lanes for c in channels):
            raise ValueError(f"lanes must divide the elements {channels!r} of each input, not {lanes!r}")
        self._inputs = len(channels)
        layout = frame_layout(lane_bits * lanes)
        super().__init__(
            {
                **{f"i{k}": In(stream.Signature(layout)) for k in range(self._inputs)},
                "o": Out(stream.Signature(layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        turn, last = Signal(range(self._inputs)), self._inputs - 1
        for k in range(self._inputs):
            i = getattr(self, f"i{k}")
            with m.If(turn == k):
                m.d.comb += [
                    self.o.valid.eq(i.valid),
                    self.o.payload.data.eq(i.payload.data),
                    self.o.payload.last.eq(i.payload.last & (k == last)),
                    i.ready.eq(self.o.ready),
                ]
                with m.If(i.valid & i.ready & i.payload.last):
                    m.d.sync += turn.eq(Mux(turn == last, 0, turn + 1))
        return m
