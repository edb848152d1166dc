"""Pool: the largest, the smallest or the sum of the taps of each window, channel by channel."""

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.arithmetic.codes import decode, encode, lanes_of, rank, unrank, value_shape
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.windows.sliding_window import taps_layout


class Pool(wiring.Component):
    """Makes one beat of each group of beats that `last` closes; skipped beats do not count.

    Behind a `SlidingWindow` with `channels_outer`. A maximum is taken of ranks, which an OR joins where they are one
    bit or a thermometer; a sum is kept modulo the width of its format, as only the final one need fit. A maximum of
    skipped beats alone is the smallest value of `dtype` (the largest in channels with `minimum`), their sum 0.

    Parameters
    ----------
    dtype : DataType
        Format of a channel's storage code.
    lanes : int
        Channels per beat.
    chunks : int
        Beats of a pixel.
    operation : str
        ``"max"`` or ``"sum"``.
    minimum : list of bool
        For each of the ``lanes * chunks`` channels, whether its smallest value is wanted instead of its largest. A sum
        ignores it.
    out_dtype : DataType
        Format of the result, which must hold every result that occurs.

    Members
    -------
    i : In(stream), payload ``{data: lanes * dtype.bits, skip: 1, last: 1}``
        `last` closes the taps of the same channels.
    o : Out(stream), payload ``{data: lanes * out_dtype.bits, last: 1}``
        `last` closes each pixel.

    Timing
    ------
    Latency 1 cycle from a group's last beat, a beat in per cycle. The result stands where it was made, so the input
    stalls while it waits.

    Raises
    ------
    ValueError
        If the operation is unknown, or there is not one `minimum` per channel.
    """

    def __init__(self, dtype, lanes, chunks, *, operation, minimum, out_dtype):
        if operation not in ("max", "sum"):
            raise ValueError(f"operation must be max or sum, not {operation!r}")
        if len(minimum) != lanes * chunks:
            raise ValueError(f"minimum must be given for {lanes * chunks!r} channels, not {len(minimum)!r}")
        self._dtype = dtype
        self._lanes = lanes
        self._chunks = chunks
        self._operation = operation
        self._minimum = [bool(v) for v in minimum]
        self._out_dtype = out_dtype
        super().__init__(
            {
                "i": In(stream.Signature(taps_layout(lanes * dtype.bits))),
                "o": Out(stream.Signature(frame_layout(lanes * out_dtype.bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        chunk, first = Signal(range(self._chunks)), Signal(init=1)
        accept, ends, ends_pixel = Signal(), Signal(), Signal()
        last = data_register(m, self.o.payload.last)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            accept.eq(self.i.valid & self.i.ready),
            ends.eq(accept & self.i.payload.last),
            ends_pixel.eq(chunk == self._chunks - 1),
        ]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(ends)
        with m.If(accept):
            m.d.sync += first.eq(self.i.payload.last)
        with m.If(ends):
            m.d.sync += [chunk.eq(Mux(ends_pixel, 0, chunk + 1)), last.eq(ends_pixel)]
        make = self._max if self._operation == "max" else self._sum
        codes = lanes_of(self.i.payload.data, self._dtype.bits)
        results = lanes_of(self.o.payload.data, self._out_dtype.bits)
        for lane, (code, result) in enumerate(zip(codes, results, strict=True)):
            value = Signal(value_shape(self._out_dtype), name=f"value{lane}")
            m.d.comb += [value.eq(make(m, lane, code, accept, first, chunk)), result.eq(encode(self._out_dtype, value))]
        return m

    def _max(self, m, lane, code, accept, first, chunk):
        """A lane's extreme value."""
        best = Signal(self._dtype.bits, name=f"best{lane}", reset_less=True)
        wanted = self._minimum[lane :: self._lanes]
        minimum = Const(wanted[0]) if len({*wanted}) == 1 else Array(Const(v) for v in wanted)[chunk]
        x = Mux(self.i.payload.skip, minimum.replicate(len(best)), rank(self._dtype, code))
        if self._dtype.kind in ("bipolar", "ternary"):
            found = Mux(minimum, best & x, best | x)
        else:
            found = Mux((x > best) ^ minimum, x, best)
        with m.If(accept):
            m.d.sync += best.eq(Mux(first, x, found))
        return decode(self._dtype, unrank(self._dtype, best))

    def _sum(self, m, lane, code, accept, first, chunk):
        """A lane's sum."""
        total = Signal(value_shape(self._out_dtype), name=f"total{lane}", reset_less=True)
        with m.If(accept):
            m.d.sync += total.eq(Mux(first, 0, total) + Mux(self.i.payload.skip, 0, decode(self._dtype, code)))
        return total
