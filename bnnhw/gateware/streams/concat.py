"""Concat: the vectors of several streams, one behind the other."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.arithmetic.codes import decode, encode, lanes_of, value_shape
from bnnhw.gateware.frame_layout import frame_layout


class Concat(wiring.Component):
    """Passes a vector of each input in turn and makes one vector of them, in one number format.

    Parameters
    ----------
    dtypes : list of DataType
        Format of each input's storage codes.
    lanes : int
        Elements per beat.
    channels : list of int
        Elements of each input's vectors, multiples of `lanes`.
    out_dtype : DataType
        Format of the vectors that are made, which must have every value of the inputs' formats.

    Members
    -------
    i0, i1, .. : In(stream), payload ``{data: lanes * dtypes[k].bits, last: 1}``
        `last` closes each vector and hands over to the next input.
    o : Out(stream), payload ``{data: lanes * out_dtype.bits, last: 1}``
        `last` closes the vector of the last input.

    Timing
    ------
    Combinational, a beat per cycle; the inputs whose turn it is not are stalled.

    Raises
    ------
    ValueError
        If there is no input, not one format for each, `lanes` does not divide the elements of one, or it has values
        that are none of `out_dtype`.
    """

    def __init__(self, dtypes, lanes, channels, out_dtype):
        if not channels or len(dtypes) != len(channels) or any(c % lanes for c in channels):
            raise ValueError(
                f"lanes must divide the elements {channels!r} of each of the {len(dtypes)!r} inputs, not {lanes!r}"
            )
        for dtype in dtypes:
            if dtype != out_dtype and not out_dtype.contains([dtype.min, dtype.zero_code_value, dtype.max]):
                raise ValueError(f"out_dtype must have every value of {dtype}, not be {out_dtype}")
        self._dtypes = dtypes
        self._lanes = lanes
        self._out_dtype = out_dtype
        super().__init__(
            {
                **{f"i{k}": In(stream.Signature(frame_layout(lanes * t.bits))) for k, t in enumerate(dtypes)},
                "o": Out(stream.Signature(frame_layout(lanes * out_dtype.bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        turn, last = Signal(range(len(self._dtypes))), len(self._dtypes) - 1
        for k, dtype in enumerate(self._dtypes):
            i = getattr(self, f"i{k}")
            with m.If(turn == k):
                m.d.comb += [
                    self.o.valid.eq(i.valid),
                    self.o.payload.data.eq(self._encoded(m, k, dtype, i.payload.data)),
                    self.o.payload.last.eq(i.payload.last & (k == last)),
                    i.ready.eq(self.o.ready),
                ]
                with m.If(i.valid & i.ready & i.payload.last):
                    m.d.sync += turn.eq(Mux(turn == last, 0, turn + 1))
        return m

    def _encoded(self, m, k, dtype, data):
        """The lanes of input `k` as codes of the format of the output."""
        if dtype == self._out_dtype:
            return data
        codes = []
        for lane, code in enumerate(lanes_of(data, dtype.bits)):
            value = Signal(value_shape(self._out_dtype), name=f"value{k}_{lane}")
            m.d.comb += value.eq(decode(dtype, code))
            codes.append(encode(self._out_dtype, value))
        return Cat(codes)
