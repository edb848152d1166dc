"""Code table: from counts of thresholds to the codes of their channels."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.arithmetic.codes import lanes_of
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import Bank


class CodeTable(wiring.Component):
    """Looks up, in the table of each channel, what a count of thresholds means there.

    Stands behind a `ThresholdUnit` that gives counts, where functions rise and fall, and do so differently from channel
    to channel.

    Parameters
    ----------
    pe, nf : int
        Rows at a time, and beats of a vector.
    count : int
        The highest count.
    codes : list of list of list of int
        For each beat of a vector, for each row, the storage code for each count, 0 first.
    bits : int
        Bits of a storage code.
    vectors : int
        Vectors that come side by side, with the same tables.
    memory : str
        Kind of memory, see `Bank`.

    Members
    -------
    i : In(stream), payload ``{data: (vectors * pe) x bits of a count, last: 1}``
    o : Out(stream), payload ``{data: vectors * pe * bits, last: 1}``

    Timing
    ------
    Latency 1, a beat per cycle. A stalled output stalls the input.

    Raises
    ------
    ValueError
        If there are not ``count + 1`` codes of `bits` bits for each row of each beat.
    """

    def __init__(self, *, pe, nf, count, codes, bits, vectors=1, memory="lut"):
        rows = [row for beat in codes for row in beat]
        if len(codes) != nf or any(len(beat) != pe for beat in codes) or any(len(row) != count + 1 for row in rows):
            raise ValueError(f"{count!r} + 1 codes are needed for {pe!r} rows of {nf!r} beats, not {codes!r:.60}")
        if any(code >> bits for row in rows for code in row):
            raise ValueError(f"codes must have {bits!r} bits at most, not {codes!r:.60}")
        self._codes = codes
        self._bits = bits
        self._width = count.bit_length()
        self._memory = memory
        self._rows = [p for _ in range(vectors) for p in range(pe)]
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(vectors * pe * self._width))),
                "o": Out(stream.Signature(frame_layout(vectors * pe * bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ready, accept = Signal(), Signal()
        fold = Signal(range(len(self._codes)))
        last = data_register(m, self.o.payload.last)
        m.d.comb += [
            ready.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(ready),
            accept.eq(self.i.valid & ready),
        ]
        with m.If(ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(accept):
            m.d.sync += [fold.eq(Mux(self.i.payload.last, 0, fold + 1)), last.eq(self.i.payload.last)]
        found = []
        for k, (row, count) in enumerate(zip(self._rows, lanes_of(self.i.payload.data, self._width), strict=True)):
            table = []
            for beat in self._codes:
                table += beat[row] + [0] * ((1 << self._width) - len(beat[row]))
            m.submodules[f"table{k}"] = bank = Bank(self._bits, table, kind=self._memory)
            m.d.comb += [bank.addr.eq(Cat(count, fold)), bank.en.eq(accept)]
            found.append(bank.data)
        m.d.comb += self.o.payload.data.eq(Cat(found))
        return m
