"""Add streams: the weighted sum of several streams, lane by lane."""

from amaranth.hdl import Array, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.arithmetic.formats import signed_width
from bnnhw.gateware.arithmetic.codes import decode, encode, lanes_of, value_shape
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout


class AddStreams(wiring.Component):
    """Waits for a beat of every input and gives the weighted sums of their lanes.

    Parameters
    ----------
    dtypes : list of DataType
        Format of each input's storage codes, of up to 32 bits.
    coefficients : list of (int or list of int)
        What each input counts for: in all channels, or a number for each channel of a vector.
    lanes : int
        Elements per beat, a divisor of the channels where there is a coefficient for each.
    out_dtype : DataType
        Format of the sums, which must hold every sum that occurs.

    Members
    -------
    i0, i1, .. : In(stream), payload ``{data: lanes * dtypes[k].bits, last: 1}``
        Vectors of the same length; the `last` of `i0` counts.
    o : Out(stream), payload ``{data: lanes * out_dtype.bits, last: 1}``

    Timing
    ------
    Latency 1, a beat per cycle. Beats are taken from all inputs in the same cycle; a stalled output stalls them.

    Raises
    ------
    ValueError
        If there is not one coefficient, or one list of them, per input, or no input, or lists are no whole beats or
        differ in length.
    """

    def __init__(self, dtypes, coefficients, lanes, out_dtype):
        if not dtypes or len(dtypes) != len(coefficients):
            raise ValueError(f"one coefficient per input is needed, not {len(coefficients)!r} for {len(dtypes)!r}")
        channels = {len(c) for c in coefficients if not isinstance(c, int)} or {lanes}
        if len(channels) > 1 or 0 in channels or any(count % lanes for count in channels):
            raise ValueError(f"coefficients for whole beats of {lanes!r} lanes are needed, not {sorted(channels)!r}")
        (self._channels,) = channels
        self._dtypes = dtypes
        self._coefficients = coefficients
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
        inputs = [getattr(self, f"i{k}") for k in range(len(self._dtypes))]
        complete, ready = Signal(), Signal()
        m.d.comb += [complete.eq(1), ready.eq(~self.o.valid | self.o.ready)]
        for i in inputs:
            with m.If(~i.valid):
                m.d.comb += complete.eq(0)
            m.d.comb += i.ready.eq(complete & ready)
        chunk = self._chunk(m, ready & complete)
        codes = [lanes_of(i.payload.data, t.bits) for i, t in zip(inputs, self._dtypes, strict=True)]
        payload = data_register(m, self.o.payload)
        results = lanes_of(payload.data, self._out_dtype.bits)
        for lane, (*terms, result) in enumerate(zip(*codes, results, strict=True)):
            total = Signal(value_shape(self._out_dtype), name=f"total{lane}")
            weighed = [
                self._weighed(m, decode(dtype, code), k, lane, chunk)
                for k, (dtype, code) in enumerate(zip(self._dtypes, terms, strict=True))
            ]
            m.d.comb += total.eq(sum(weighed))
            with m.If(ready & complete):
                m.d.sync += result.eq(encode(self._out_dtype, total))
        with m.If(ready):
            m.d.sync += self.o.valid.eq(complete)
        with m.If(ready & complete):
            m.d.sync += payload.last.eq(self.i0.payload.last)
        return m

    def _chunk(self, m, accept):
        """Which channels of a vector a beat has, where coefficients differ from one to another."""
        beats = self._channels // self._lanes
        if beats == 1:
            return Const(0)
        chunk = Signal(range(beats))
        with m.If(accept):
            m.d.sync += chunk.eq(Mux(self.i0.payload.last, 0, chunk + 1))
        return chunk

    def _weighed(self, m, value, k, lane, chunk):
        """`value`, a lane of input `k`, times its coefficient."""
        coefficients = self._coefficients[k]
        table = [coefficients] if isinstance(coefficients, int) else list(coefficients[lane :: self._lanes])
        if len({*table}) == 1:
            return scaled(value, table[0])
        width = signed_width(min(table), max(table))
        factor = Signal(signed(width), name=f"coefficient{k}_{lane}")
        m.d.comb += factor.eq(Array(Const(c, signed(width)) for c in table)[chunk])
        *shifted, negative = [Mux(factor[bit], value << bit, 0) for bit in range(width)]
        return sum(shifted) - negative


def scaled(value, factor):
    """`value` times the constant `factor`, of shifts and additions: a product would take a multiplier."""
    shifts = [k for k in range(abs(factor).bit_length()) if abs(factor) >> k & 1]
    total = sum(value << k for k in shifts)
    return total if factor >= 0 else -total
