"""Threshold difference: from storage codes to numbers less their channel's first threshold."""

from amaranth.hdl import Array, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.arithmetic.codes import decode, lanes_of
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout


class ThresholdDifference(wiring.Component):
    """Gives ``sign * value - offset`` of each channel, for a `ThresholdUnit`, whose first threshold is zero.

    Parameters
    ----------
    dtype : DataType
        Format of a channel's storage code, of up to 32 bits.
    lanes, channels : int
        Channels per beat and of a pixel, whole beats.
    offsets : list of int
        One per channel.
    signs : list of int
        1 or -1 for each channel.
    width : int
        Bits of a result, which must hold every one that occurs.

    Members
    -------
    i : In(stream), payload ``{data: lanes * dtype.bits, last: 1}``; `last` closes each pixel.
    o : Out(stream), payload ``{data: lanes x signed(width), last: 1}``

    Timing
    ------
    Latency 1, a beat per cycle. A stalled output stalls the input.

    Raises
    ------
    ValueError
        If `channels` are not whole beats, there is not one offset and one sign for each, or a sign is neither 1 nor -1.
    """

    def __init__(self, dtype, lanes, channels, *, offsets, signs, width):
        if channels < 1 or channels % lanes or not len(offsets) == len(signs) == channels or {*signs} - {1, -1}:
            raise ValueError(
                f"offsets and signs (1 or -1) are needed for {channels!r} channels, whole beats of {lanes!r}, "
                f"not {offsets!r:.60}, {signs!r:.60}"
            )
        self._dtype = dtype
        self._lanes = lanes
        self._offsets = offsets
        self._signs = signs
        self._width = width
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(lanes * dtype.bits))),
                "o": Out(stream.Signature(frame_layout(data.ArrayLayout(signed(width), lanes)))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ready, accept = Signal(), Signal()
        chunk = Signal(range(len(self._offsets) // self._lanes))
        payload = data_register(m, self.o.payload)
        m.d.comb += [
            ready.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(ready),
            accept.eq(self.i.valid & ready),
        ]
        with m.If(ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(accept):
            m.d.sync += [
                chunk.eq(Mux(self.i.payload.last, 0, chunk + 1)),
                payload.last.eq(self.i.payload.last),
            ]
        for lane, code in enumerate(lanes_of(self.i.payload.data, self._dtype.bits)):
            offsets, signs = self._offsets[lane :: self._lanes], self._signs[lane :: self._lanes]
            value = Signal(signed(self._width), name=f"value{lane}")
            m.d.comb += value.eq(decode(self._dtype, code))
            # -value is ~value + 1, and that 1 is part of the constant.
            negate = self._table([int(sign < 0) for sign in signs], 1, chunk)
            added = self._table([(s < 0) - o for s, o in zip(signs, offsets, strict=True)], self._width, chunk)
            with m.If(accept):
                m.d.sync += payload.data[lane].eq(Mux(negate, ~value, value) + added)
        return m

    def _table(self, values, width, chunk):
        """What `values` has for the beat `chunk` of a pixel, of `width` bits."""
        table = [Const(value, width) for value in values]
        return table[0] if len({*values}) == 1 else Array(table)[chunk]
