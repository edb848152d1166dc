"""Matrix-vector unit: PE rows beside their weight bank, folded over the matrix."""

from amaranth.hdl import Const, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.memory import Bank
from bnnhw.gateware.pe import PE
from bnnhw.gateware.streams import frame_layout


class MatrixVectorUnit(wiring.Component):
    """Multiplies vectors by a constant matrix, `pe` rows and `simd` columns at a time.

    A vector arrives `nf` times over, `sf` beats each time; every pass yields the sums of `pe` rows. The weight bank
    holds
    one word per beat, so that each word is read once per vector, straight into the PEs.

    Parameters
    ----------
    pe, simd : int
        Rows and columns at a time.
    input_dtype, weight_dtype : DataType
        Formats of activations and weights.
    weights : list of int
        ``nf * sf`` words of ``pe * simd * weight_dtype.bits`` bits, in the order of the beats.
    biases : list of list of int
        ``nf`` rows of ``pe`` starting values of the accumulators.
    width : int
        Bits of the sums.
    divisor, levels
        See `PE`.
    vectors : int
        Vectors that come side by side; each weight is used for all of them.
    weight_memory, bias_memory : str
        Kinds of memory, see `Bank`.

    Members
    -------
    i : In(stream), payload ``{data: vectors * simd * input_dtype.bits, last: 1}``
        `last` closes each vector pass; it is not needed here, because the frame was checked at the input.
    o : Out(stream), payload ``{data: (vectors * pe) x signed(width), last: 1}``
        The `pe` sums of the first vector come first. `last` closes each vector: the sums of its last `pe` rows.

    Timing
    ------
    Latency `latency` cycles from a pass's last input beat to its sums. Interval: one beat per cycle, ``nf * sf`` cycles
    per vector. It stalls only when sums are ready and the ones before are still waiting; a stall freezes the pipeline.

    Raises
    ------
    ValueError
        If `weights` and `biases` do not have whole rows.
    """

    def __init__(
        self,
        *,
        pe,
        simd,
        input_dtype,
        weight_dtype,
        weights,
        biases,
        width,
        divisor=1,
        levels=None,
        vectors=1,
        weight_memory="block",
        bias_memory="lut",
    ):
        if not biases or len(weights) % len(biases) or any(len(row) != pe for row in biases):
            raise ValueError(f"{len(weights)!r} weight words do not fit {len(biases)!r} rows of {pe!r} biases")
        self._pe = pe
        self._simd = simd
        self._nf = len(biases)
        self._sf = len(weights) // len(biases)
        self._input = input_dtype
        self._weight = weight_dtype
        self._weights = weights
        self._biases = biases
        self._width = width
        self._divisor = divisor
        self._levels = levels
        self._vectors = vectors
        self._memories = weight_memory, bias_memory
        self._rows = [
            PE(
                simd,
                input_dtype,
                weight_dtype,
                width=width,
                divisor=divisor,
                # A starting value may be out of range, as only the final sum need be in it: it wraps.
                bias=Const(bias, signed(width)).value,
                levels=levels,
            )
            for _ in range(vectors)
            for bias in biases[0]
        ]
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(vectors * simd * input_dtype.bits))),
                "o": Out(stream.Signature(frame_layout(data.ArrayLayout(signed(width), vectors * pe)))),
            }
        )

    @property
    def latency(self):
        return 2 + self._rows[0].latency

    def elaborate(self, platform):
        m = Module()
        weight_memory, bias_memory = self._memories
        row_bits, mask = self._simd * self._weight.bits, (1 << self._width) - 1
        m.submodules.weights = bank = Bank(self._pe * row_bits, self._weights, kind=weight_memory)
        words = [sum((b & mask) << (p * self._width) for p, b in enumerate(row)) for row in self._biases]
        m.submodules.biases = biases = Bank(self._pe * self._width, words, kind=bias_memory)

        enable = Signal()
        accept = Signal()
        m.d.comb += [self.i.ready.eq(enable), accept.eq(self.i.valid & enable)]

        # Where the beat that is being accepted stands in its vector, and its weights' row.
        column = Signal(range(self._sf))
        fold = Signal(range(self._nf))
        row = Signal(range(self._sf * self._nf))
        ends_pass = column == self._sf - 1
        ends_vector = ends_pass & (fold == self._nf - 1)
        with m.If(accept):
            m.d.sync += [column.eq(column + 1), row.eq(row + 1)]
            with m.If(ends_pass):
                m.d.sync += [column.eq(0), fold.eq(fold + 1)]
            with m.If(ends_vector):
                m.d.sync += [fold.eq(0), row.eq(0)]
        m.d.comb += [bank.addr.eq(row), bank.en.eq(enable)]

        # The beat with its weights, then its flags alongside the popcounts.
        x_bits = self._simd * self._input.bits
        x = Signal(x_bits * self._vectors)
        flags = data.StructLayout({"valid": 1, "last": 1, "ends_vector": 1})
        stage = Signal(flags)
        with m.If(enable):
            m.d.sync += [
                x.eq(self.i.payload.data),
                stage.valid.eq(self.i.valid),
                stage.last.eq(ends_pass),
                stage.ends_vector.eq(ends_vector),
            ]
        for _ in range(self._rows[0].latency):
            after = Signal(flags)
            with m.If(enable):
                m.d.sync += after.eq(stage)
            stage = after

        # The bias of the next pass must be at the accumulators when a pass ends: its row is ahead by one.
        upcoming = Signal(range(self._nf), init=1 % self._nf)
        following = Signal(range(self._nf))
        ends = Signal()
        m.d.comb += [
            ends.eq(enable & stage.valid & stage.last),
            following.eq(upcoming + 1),
            biases.en.eq(1),
            biases.addr.eq(upcoming),
        ]
        with m.If(upcoming == self._nf - 1):
            m.d.comb += following.eq(0)
        with m.If(ends):
            m.d.sync += upcoming.eq(following)
            m.d.comb += biases.addr.eq(following)

        ready = Signal()
        m.d.comb += [
            ready.eq(self.o.ready | ~self.o.valid),
            enable.eq(ready | ~(stage.valid & stage.last)),
        ]
        with m.If(ready):
            m.d.sync += self.o.valid.eq(stage.valid & stage.last)
        for k, pe in enumerate(self._rows):
            vector, p = divmod(k, self._pe)
            m.submodules[f"pe{k}"] = pe
            m.d.comb += [
                pe.x.eq(x.word_select(vector, x_bits)),
                pe.w.eq(bank.data[p * row_bits : (p + 1) * row_bits]),
                pe.valid.eq(stage.valid),
                pe.last.eq(stage.last),
                pe.next_bias.eq(biases.data[p * self._width : (p + 1) * self._width].as_signed()),
                pe.en.eq(enable),
            ]
            with m.If(ends):
                m.d.sync += self.o.payload.data[k].eq(pe.total)
        with m.If(ends):
            m.d.sync += self.o.payload.last.eq(stage.ends_vector)
        return m
