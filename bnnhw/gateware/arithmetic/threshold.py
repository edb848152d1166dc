"""Threshold unit: from integer sums to the codes of the next layer's activations."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.arithmetic.thresholds import threshold_cycles, threshold_latency
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import Bank


class ThresholdUnit(wiring.Component):
    """Counts, for each row, the thresholds at or below its sum, and looks the code of that count up.

    The first threshold of each row is zero: the matrix-vector unit has taken it off already, so that a sign is
    free. Up to three thresholds are compared at once; more are searched in halves, one comparison per cycle,
    since a unit that feeds it needs many cycles per sum anyway.

    Parameters
    ----------
    pe, nf : int
        Rows at a time, and beats of a vector.
    width : int
        Bits of a sum.
    count : int
        Thresholds of a row.
    thresholds : list of list of list of int
        For each beat of a vector, for each row, its thresholds, ascending, the first zero.
    codes : list of int
        Storage code for each count, 0 first.
    bits : int
        Bits of a storage code.
    tail : int
        Rows of a vector's last beat that exist; the others get the all-zero code.
    vectors : int
        Vectors that come side by side, with the same thresholds.
    memory : str
        Kind of memory for searched thresholds, see `Bank`.

    Members
    -------
    i : In(stream), payload ``{data: (vectors * pe) x signed(width), last: 1}``
    o : Out(stream), payload ``{data: vectors * pe * bits, last: 1}``

    Timing
    ------
    One threshold: combinational (`latency` 0), a beat per cycle. Two or three: latency 1, a beat per cycle. More:
    latency ``steps + 1`` and a beat every `steps` cycles, ``steps = ceil_log2(thresholds + 1)``. A stalled output
    stalls the
    input.

    Raises
    ------
    ValueError
        If there are not `count` thresholds for each row of each beat, they do not begin with zero, or descend, one is
        beyond twice the largest sum, or the number of codes is not one more.
    """

    def __init__(self, *, pe, nf, width, count, thresholds, codes, bits, tail, vectors=1, memory="lut"):
        if len(thresholds) != nf or len(codes) != count + 1:
            raise ValueError(
                f"thresholds of {nf!r} beats and {count!r} + 1 codes are needed, not of {len(thresholds)!r} and "
                f"{len(codes)!r}"
            )
        for row in (row for beat in thresholds for row in beat):
            if len(row) != count or row[0] != 0 or sorted(row) != list(row):
                raise ValueError(f"a row needs {count!r} ascending thresholds from 0 on, not {row!r:.60}")
        if any(row[-1] >> width for beat in thresholds for row in beat):
            raise ValueError(f"sums of {width!r} bits reach no threshold of 2 ** {width!r} or more: {thresholds!r:.60}")
        if any(len(beat) != pe for beat in thresholds) or not 1 <= tail <= pe:
            raise ValueError(f"every beat needs thresholds of {pe!r} rows, and a tail of 1 to {pe!r}, not {tail!r}")
        self._width = width
        self._thresholds = thresholds
        self._codes = codes
        self._bits = bits
        self._tail = tail
        self._memory = memory
        self._rows = [p for _ in range(vectors) for p in range(pe)]  # the row of the thresholds, for each sum
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(data.ArrayLayout(signed(width), vectors * pe)))),
                "o": Out(stream.Signature(frame_layout(vectors * pe * bits))),
            }
        )

    @property
    def steps(self):
        """Cycles between two beats."""
        return threshold_cycles(len(self._codes) - 1)

    @property
    def latency(self):
        return threshold_latency(len(self._codes) - 1)

    def elaborate(self, platform):
        m = Module()
        if self.latency == 0:
            counts = [~sum_[-1] for sum_ in self.i.payload.data]
            m.d.comb += [
                self.o.valid.eq(self.i.valid),
                self.i.ready.eq(self.o.ready),
                self.o.payload.data.eq(self._encode(m, counts, self.i.payload.last)),
                self.o.payload.last.eq(self.i.payload.last),
            ]
        elif self.latency == 1:
            self._compare(m)
        else:
            self._search(m)
        return m

    def _encode(self, m, counts, last):
        """The codes of `counts` side by side, tail rows zeroed on the last beat."""
        progression = (self._codes[1] - self._codes[0]) % (1 << self._bits)
        regular = all(
            (self._codes[0] + k * progression) % (1 << self._bits) == code for k, code in enumerate(self._codes)
        )
        rows = []
        for k, (p, count) in enumerate(zip(self._rows, counts, strict=True)):
            code = Signal(self._bits, name=f"code{k}")
            if regular:
                m.d.comb += code.eq(self._codes[0] + progression * Value.cast(count))
            else:
                m.d.comb += code.eq(Array(Const(c, self._bits) for c in self._codes)[count])
            exists = p < self._tail or len(self._thresholds) > 1
            rows.append(code if p < self._tail else Mux(last, 0, code) if exists else Const(0, self._bits))
        return Cat(rows)

    def _fold(self, m, advance, last):
        """Counts the beats of a vector."""
        fold = Signal(range(len(self._thresholds)))
        with m.If(advance):
            m.d.sync += fold.eq(Mux(last, 0, fold + 1))
        return fold

    def _compare(self, m):
        ready = self.o.ready | ~self.o.valid
        payload = data_register(m, self.o.payload)
        fold = self._fold(m, self.i.valid & ready, self.i.payload.last)
        counts = []
        for k, p in enumerate(self._rows):
            total = self.i.payload.data[k]
            table = Array(Cat(Const(t, signed(self._width + 1)) for t in beat[p][1:]) for beat in self._thresholds)
            row = Signal((self._width + 1) * (len(self._codes) - 2), name=f"thresholds{k}")
            m.d.comb += row.eq(table[fold])
            above = [total >= row.word_select(n, self._width + 1).as_signed() for n in range(len(self._codes) - 2)]
            counts.append(sum(above, ~total[-1]))
        m.d.comb += self.i.ready.eq(ready)
        with m.If(ready):
            m.d.sync += [
                self.o.valid.eq(self.i.valid),
                payload.data.eq(self._encode(m, counts, self.i.payload.last)),
                payload.last.eq(self.i.payload.last),
            ]

    def _search(self, m):
        steps, width = self.steps, self._width + 1
        beyond = (1 << (width - 1)) - 1  # no sum of `width - 1` bits reaches it
        bit = Signal(steps, reset_less=True)  # the bit of the count that is being decided, one-hot
        busy = Signal()
        last = Signal(reset_less=True)
        payload = data_register(m, self.o.payload)
        ready = self.o.ready | ~self.o.valid
        finish = busy & bit[0] & ready
        accept = Signal()
        fold = self._fold(m, accept, self.i.payload.last)
        searched = Signal(range(len(self._thresholds)), reset_less=True)
        m.d.comb += [self.i.ready.eq(~busy | finish), accept.eq(self.i.valid & self.i.ready)]

        counts = []
        for k, p in enumerate(self._rows):
            # Row n of a beat's table is the threshold that the count reaches with n; row 0 is never asked.
            table = []
            for beat in self._thresholds:
                filled = [0, *beat[p]] + [beyond] * ((1 << steps) - 1 - len(beat[p]))
                table += [t & ((1 << width) - 1) for t in filled]
            m.submodules[f"table{k}"] = bank = Bank(width, table, kind=self._memory)
            total = Signal(signed(self._width), name=f"total{k}", reset_less=True)
            count = Signal(steps, name=f"count{k}", reset_less=True)
            tried = Signal(steps, name=f"tried{k}")
            found = Signal(steps, name=f"found{k}")
            m.d.comb += [
                tried.eq(count | bit),
                found.eq(Mux(total >= bank.data.as_signed(), tried, count)),
                bank.en.eq(1),
                bank.addr.eq(Cat(tried, searched)),
            ]
            with m.If(busy & ~bit[0]):
                m.d.sync += count.eq(found)
                m.d.comb += bank.addr.eq(Cat(found | (bit >> 1), searched))
            with m.If(accept):
                m.d.sync += [total.eq(self.i.payload.data[k]), count.eq(0)]
                m.d.comb += bank.addr.eq(Cat(Const(1 << (steps - 1), steps), fold))
            counts.append(found)

        with m.If(busy & ~bit[0]):
            m.d.sync += bit.eq(bit >> 1)
        with m.If(finish):
            m.d.sync += busy.eq(0)
        with m.If(accept):
            m.d.sync += [busy.eq(1), bit.eq(1 << (steps - 1)), searched.eq(fold), last.eq(self.i.payload.last)]
        with m.If(ready):
            m.d.sync += self.o.valid.eq(finish)
        with m.If(finish):
            m.d.sync += [payload.data.eq(self._encode(m, counts, last)), payload.last.eq(last)]
        return m
