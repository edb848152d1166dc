"""Scale unit: from integers to codes of many levels, by a multiplication, a shift and limits."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.arithmetic.formats import signed_width
from bnnhw.gateware.arithmetic.add_streams import scaled
from bnnhw.gateware.arithmetic.codes import decode, lanes_of, value_shape
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import Bank


class ScaleUnit(wiring.Component):
    """Gives ``offset + step * clip((x * factor + bias) >> shift, low, high)`` of each row's number, as a storage code.

    With two pieces, numbers below a row's pivot have the first factor and bias, others the second. With `even`, a sum
    that is a whole multiple of ``2 ** shift`` gives the even one of its quotient and the number below that.

    Parameters
    ----------
    dtype : DataType
        Format of the numbers that come.
    pe, nf : int
        Rows at a time, and beats of a vector.
    tail : int
        Rows of a vector's last beat that exist; the others get the all-zero code.
    vectors : int
        Vectors that come side by side, with the same numbers to multiply by.
    pieces : int
        1 or 2.
    factor : int or None
        What all numbers are multiplied by; None where `factors` tell.
    factor_bits : int
        Bits of a factor, a two's complement number.
    width : int
        Bits of the sum of product and bias, a two's complement number, which must hold every one that occurs.
    shift : int
        See above.
    even : bool
        See above.
    limit_bits : int
        Bits of limits that differ from row to row, two's complement numbers; 0 where all rows have the same.
    bits : int
        Bits of a storage code: two's complement, or binary where no number is negative.
    memory : str
        Kind of memory for the tables, see `Bank`.
    multiplier : str
        ``"hard"`` leaves the multiplication to synthesis, which takes the part's multipliers; ``"lut"`` adds shifted
        numbers.
    factors, biases, pivots : list of list of int
        Of each piece (of the second one), one for each row of each beat; no factors where there is the one `factor`.
    lows, highs : list of int
        Limits of the quotient: one for each row of each beat, or one.
    offset, step : int
        See above.

    Members
    -------
    i : In(stream), payload ``{data: vectors * pe * dtype.bits, last: 1}``; `last` closes each vector.
    o : Out(stream), payload ``{data: vectors * pe * bits, last: 1}``

    Timing
    ------
    Latency ``2 + pieces``, a beat per cycle. A stalled output stalls the input at once, and all registers in between.

    Raises
    ------
    ValueError
        If the numbers are not as many as there are rows, or do not fit their bits; if `shift` is 0 with `even`.
    """

    def __init__(
        self, dtype, pe, nf, tail, vectors, pieces, factor, factor_bits, width, shift, even, limit_bits, bits, memory,
        multiplier, *, factors, biases, pivots, lows, highs, offset, step,
    ):  # fmt: skip
        rows, limits = nf * pe, nf * pe if limit_bits else 1
        counts = [len(row) for row in (*factors, *biases, *pivots)]
        wanted = [rows] * ((pieces if factor is None else 0) + 2 * pieces - 1)
        if pieces not in (1, 2) or counts != wanted or not len(lows) == len(highs) == limits or not 1 <= tail <= pe:
            raise ValueError(
                f"numbers for {pieces!r} pieces of {rows!r} rows and {limits!r} limits are needed, not {counts!r} and "
                f"{len(lows)!r}, {len(highs)!r}, and a tail of 1 to {pe!r}, not {tail!r}"
            )
        _check_fit("factor", factor_bits, [value for row in factors for value in row])
        _check_fit("bias", width, [value for row in biases for value in row])
        _check_fit("limit", limit_bits or 64, [*lows, *highs])
        if not int(even) <= shift < width:
            raise ValueError(f"a shift of 0, or with rounding to even 1, to {width - 1!r} is needed, not {shift!r}")
        if multiplier not in ("hard", "lut"):
            raise ValueError(f"multiplier must be hard or lut, not {multiplier!r}")
        self._dtype, self._pe, self._nf, self._tail, self._vectors = dtype, pe, nf, tail, vectors
        self._pieces, self._factor, self._factor_bits, self._width = pieces, factor, factor_bits, width
        self._shift, self._even, self._limit_bits, self._bits = shift, even, limit_bits, bits
        self._memory, self._multiplier = memory, multiplier
        self._factors, self._biases, self._pivots = factors, biases, pivots
        self._lows, self._highs, self._offset, self._step = lows, highs, offset, step
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(vectors * pe * dtype.bits))),
                "o": Out(stream.Signature(frame_layout(vectors * pe * bits))),
            }
        )

    @property
    def latency(self):
        return 2 + self._pieces

    def elaborate(self, platform):
        m = Module()
        move, fold = Signal(), Signal(range(self._nf))
        m.d.comb += [move.eq(~self.o.valid | self.o.ready), self.i.ready.eq(move)]
        with m.If(move & self.i.valid):
            m.d.sync += fold.eq(Mux(self.i.payload.last, 0, fold + 1))
        rows = self._table(m, move, fold)
        valid, last = self.i.valid, self.i.payload.last
        for stage in range(self.latency - 1):
            valids, lasts = Signal(name=f"valid{stage}"), Signal(name=f"last{stage}", reset_less=True)
            with m.If(move):
                m.d.sync += [valids.eq(valid), lasts.eq(last)]
            valid, last = valids, lasts
        payload, codes = data_register(m, self.o.payload), []
        for k, code in enumerate(lanes_of(self.i.payload.data, self._dtype.bits)):
            p = k % self._pe
            number = self._held(m, move, decode(self._dtype, code), value_shape(self._dtype), f"number{k}")
            # What lies in LUTs is there as the number is; it goes on with it.
            found = self._scaled(m, move, number, rows[p], k)
            exists = p < self._tail or self._nf > 1
            codes.append(found if p < self._tail else Mux(last, 0, found) if exists else Const(0, self._bits))
        with m.If(move):
            m.d.sync += [self.o.valid.eq(valid), payload.last.eq(last), payload.data.eq(Cat(codes))]
        return m

    def _table(self, m, move, fold):
        """The fields of each row, a cycle after its beat came."""
        fields = []
        if self._factor is None:
            fields += [(f"factor{n}", self._factor_bits, row) for n, row in enumerate(self._factors)]
        fields += [(f"bias{n}", self._width, row) for n, row in enumerate(self._biases)]
        fields += [(f"pivot{n}", self._dtype.bits + 1, row) for n, row in enumerate(self._pivots)]
        if self._limit_bits:
            fields += [("low", self._limit_bits, self._lows), ("high", self._limit_bits, self._highs)]
        size = sum(bits for _, bits, _ in fields)
        words = []
        for beat in range(self._nf):
            word, at = 0, 0
            for p in range(self._pe):
                for _, bits, row in fields:
                    word |= (row[beat * self._pe + p] & ((1 << bits) - 1)) << at
                    at += bits
            words.append(word)
        m.submodules.table = bank = Bank(size * self._pe, words, kind=self._memory)
        m.d.comb += [bank.addr.eq(fold), bank.en.eq(move)]
        found = []
        for word in lanes_of(bank.data, size):
            at, row = 0, {}
            for name, bits, _ in fields:
                row[name] = word[at : at + bits].as_signed()
                at += bits
            found.append(row)
        return found

    def _held(self, m, move, value, shape, name):
        """`value` in a register that moves on with all others."""
        register = Signal(shape, name=name, reset_less=True)
        with m.If(move):
            m.d.sync += register.eq(value)
        return register

    def _scaled(self, m, move, number, row, k):
        """The code of a `number` with the fields of its `row`, two registers later, or three with two pieces."""
        factor, bias = row.get("factor0"), row["bias0"]
        limits = [row[name] for name in ("low", "high")] if self._limit_bits else []
        if self._pieces == 2:
            below = number < row["pivot0"]
            bias = self._held(m, move, Mux(below, bias, row["bias1"]), signed(self._width), f"bias{k}")
            if factor is not None:
                shape = signed(self._factor_bits)
                factor = self._held(m, move, Mux(below, factor, row["factor1"]), shape, f"factor{k}")
            number = self._held(m, move, number, number.shape(), f"selected{k}")
            limits = [self._held(m, move, value, value.shape(), f"limit{n}_{k}") for n, value in enumerate(limits)]
        total = self._held(m, move, self._product(number, factor) + bias, signed(self._width), f"total{k}")
        limits = [self._held(m, move, value, value.shape(), f"limits{n}_{k}") for n, value in enumerate(limits)]
        low, high = limits or (
            Const(v, signed(signed_width(min(v, 0), max(v, 0)))) for v in (self._lows[0], self._highs[0])
        )
        quotient = total[self._shift :].as_signed()
        if self._even:
            odd = quotient[0] & total[: self._shift].any()
            quotient = Cat(odd, quotient[1:]).as_signed()
        cut = Mux(quotient < low, low, Mux(quotient > high, high, quotient))
        code = Signal(self._bits, name=f"code{k}")
        m.d.comb += code.eq(scaled(cut, self._step) + self._offset)
        return code

    def _product(self, number, factor):
        if factor is None:
            return scaled(number, self._factor)
        if self._multiplier == "hard":
            return number * factor
        *shifted, negative = [Mux(factor[bit], number << bit, 0) for bit in range(len(Value.cast(factor)))]
        return sum(shifted) - negative


def _check_fit(what, bits, values):
    if values and signed_width(min(values), max(values)) > bits:
        raise ValueError(f"a {what} of {min(values)!r} to {max(values)!r} does not fit {bits!r} bits")
