"""Matrix-vector unit: PE rows beside their weight bank, folded over the matrix."""

from amaranth.hdl import Array, Cat, Const, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.arithmetic.plane_products import SMALL_TABLE, Product
from bnnhw.arithmetic.weight_coding import logic_family
from bnnhw.gateware.arithmetic.pe import PE
from bnnhw.gateware.arithmetic.popcount import Popcount
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import Bank, LoadedBank
from bnnhw.memory_image import WORD_BITS


class MatrixVectorUnit(wiring.Component):
    """Multiplies vectors by a constant matrix, `pe` rows and `simd` columns at a time.

    A vector arrives `nf` times over, `sf` beats each time; every pass yields the sums of `pe` rows. The weight bank
    holds
    one word per beat, so that each word is read once per vector, straight into the PEs.

    Parameters
    ----------
    pe, simd : int
        Rows and columns at a time.
    sf, nf : int
        Beats of a pass, and passes of a vector.
    input_dtype, weight_dtype : DataType
        Formats of activations and weights.
    weights : list of int
        What the weight memory holds, ``nf * sf`` words of ``pe * simd * weight_dtype.bits`` bits:
        `bnnhw.arithmetic.weight_coding.weight_words`.
    biases : list of list of int
        ``nf`` rows of ``pe`` starting values of the accumulators.
    width : int
        Bits of the sums.
    divisor, levels
        See `PE`.
    vectors : int
        Vectors that come side by side; each weight is used for all of them.
    groups : int
        Groups of rows that see columns of their own, `simd` of each group in a beat, side by side. With more than one,
        each group has ``pe / groups`` rows at a time; with one row in each it is a vector-vector unit (VVAU).
    weight_memory, bias_memory : str
        Kinds of memory, see `Bank`. With `weight_memory` ``"spram"`` the weights are not part of the circuit: they are
        loaded into a `LoadedBank`, and nothing may come at `i` before they are.
    weight_latency : int
        Cycles from a row's address to its weights at the PEs: 1 straight from the bank, 2 with registers behind it,
        which block RAM of ECP5 wants: its outputs come 5.6 ns after the clock (nextpnr's timing of DP16KD).
    registered : bool
        Whether sums that wait have registers of their own, so that the next ones can be added up meanwhile.
    family : str
        See `Popcount`.

    Members
    -------
    i : In(stream), payload ``{data: vectors * groups * simd * input_dtype.bits, last: 1}``
        `last` closes each vector pass; it is not needed here, because the frame was checked at the input.
    o : Out(stream), payload ``{data: (vectors * pe) x signed(width), last: 1}``
        The `pe` sums of the first vector come first. `last` closes each vector: the sums of its last `pe` rows.
    begin : In(1), load : In(stream, always ready), rest : Out(stream, always ready), payload 16 bits
        Where weights are loaded: after `begin`, the words of `bnnhw.units.matrix_vector.load_words`; those that follow
        them are of other units, and leave through `rest`.

    Timing
    ------
    Latency `latency` cycles from a pass's last input beat to its sums. Interval: one beat per cycle, ``nf * sf`` cycles
    per vector. While sums wait for `o` to be ready, all before them stands still.

    Raises
    ------
    ValueError
        If there are not ``sf * nf`` weight words and `nf` rows of `pe` biases, or `groups` does not divide `pe`.
    """

    def __init__(
        self,
        *,
        pe,
        simd,
        sf,
        nf,
        input_dtype,
        weight_dtype,
        weights,
        biases,
        width,
        divisor=1,
        levels=None,
        vectors=1,
        groups=1,
        weight_memory="block",
        weight_latency=1,
        bias_memory="lut",
        registered=True,
        family="ice40",
    ):
        if not biases or len(biases) != nf or len(weights) != sf * nf or any(len(row) != pe for row in biases):
            raise ValueError(
                f"{len(weights)!r} weight words and {len(biases)!r} rows of biases do not fit {nf!r} passes of {sf!r} "
                f"beats and {pe!r} rows"
            )
        if groups < 1 or pe % groups:
            raise ValueError(f"groups must divide the {pe!r} rows, not {groups!r}")
        self._pe = pe
        self._simd = simd
        self._nf = nf
        self._sf = sf
        self._input = input_dtype
        self._weight = weight_dtype
        self._weights = weights
        self._biases = biases
        self._width = width
        self._divisor = divisor
        self._levels = levels
        self._groups = groups
        # What rows see comes side by side, for each group of each vector.
        self._sources = vectors * groups
        self._memories = weight_memory, bias_memory
        self._weight_latency = weight_latency
        self._family = family = logic_family(family, len(weights))
        self._registered = registered
        self._rows = [
            PE(simd, input_dtype, weight_dtype, width=width, divisor=divisor, levels=levels, family=family)
            for _ in range(vectors * pe)
        ]
        word = stream.Signature(WORD_BITS, always_ready=True)
        loading = {"begin": In(1), "load": In(word), "rest": Out(word)} if weight_memory == "spram" else {}
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(self._sources * simd * input_dtype.bits))),
                "o": Out(stream.Signature(frame_layout(data.ArrayLayout(signed(width), vectors * pe)))),
                **loading,
            }
        )

    @property
    def latency(self):
        return 1 + self._weight_latency + self._registered + self._rows[0].latency

    def elaborate(self, platform):
        m = Module()
        weight_memory, _ = self._memories
        row_bits = self._simd * self._weight.bits
        is_loaded = weight_memory == "spram"
        if is_loaded:
            bank = LoadedBank(self._pe * row_bits, len(self._weights))
        else:
            bank = Bank(self._pe * row_bits, self._weights, kind=weight_memory)
        m.submodules.weights = bank

        enable = Signal()
        accept = Signal()
        m.d.comb += [self.i.ready.eq(enable), accept.eq(self.i.valid & enable)]

        # Where the beat that is being accepted stands in its vector, and its weights' row.
        column = Signal(range(self._sf))
        fold = Signal(range(self._nf))
        row = Signal(range(self._sf * self._nf))
        ends_pass = column == self._sf - 1
        ends_vector = ends_pass & (fold == self._nf - 1)
        written = self._load(m, bank, ends_vector) if is_loaded else Const(0, 1)
        with m.If(accept | written):
            m.d.sync += [column.eq(column + 1), row.eq(row + 1)]
            with m.If(ends_pass):
                m.d.sync += [column.eq(0), fold.eq(fold + 1)]
            with m.If(ends_vector):
                m.d.sync += [fold.eq(0), row.eq(0)]
        if is_loaded:
            with m.If(self.begin):
                m.d.sync += [column.eq(0), fold.eq(0), row.eq(0)]
        m.d.comb += [bank.addr.eq(row), bank.en.eq(enable)]

        # The beat with its weights, then its flags alongside the popcounts.
        x_bits = self._simd * self._input.bits
        x = Signal(x_bits * self._sources, reset_less=True)
        marks = data.StructLayout({"first": 1, "last": 1, "ends_vector": 1, "fold": len(fold)})
        valid, stage, folds = Signal(), Signal(marks, reset_less=True), [fold]
        lanes = [self.i.payload.data.word_select(k, x_bits) for k in range(self._sources)]
        with m.If(enable):
            m.d.sync += [
                x.eq(Cat(self._rows[0].prepared(some) for some in lanes)),
                valid.eq(self.i.valid),
                stage.first.eq(column == 0),
                stage.last.eq(ends_pass),
                stage.ends_vector.eq(ends_vector),
                stage.fold.eq(fold),
            ]
        weights = bank.data
        if self._weight_latency == 2:
            x, early = Signal.like(x, name="late_x"), x
            weights = Signal.like(bank.data, name="late_weights", reset_less=True)
            with m.If(enable):
                m.d.sync += [x.eq(early), weights.eq(bank.data)]
        for _ in range(self._weight_latency - 1 + self._rows[0].latency):
            folds.append(stage.fold)
            held, after = Signal(), Signal(marks, reset_less=True)
            with m.If(enable):
                m.d.sync += [held.eq(valid), after.eq(stage)]
            valid, stage = held, after

        done, last = Signal(), Signal(reset_less=True)  # of the sums in the PEs
        bias = self._bias(m, enable, folds[-1], stage.fold)
        with m.If(enable):
            m.d.sync += [done.eq(valid & stage.last), last.eq(stage.ends_vector)]
        self._output(m, enable, done, last)
        shared = self._shared_counts(m, x, enable)
        for k, pe in enumerate(self._rows):
            source, p = k // (self._pe // self._groups), k % self._pe
            m.submodules[f"pe{k}"] = pe
            m.d.comb += [
                pe.x.eq(x.word_select(source, x_bits)),
                pe.w.eq(weights[p * row_bits : (p + 1) * row_bits]),
                pe.valid.eq(valid),
                pe.first.eq(stage.first),
                pe.bias.eq(bias[p * self._width : (p + 1) * self._width].as_signed()),
                pe.en.eq(enable),
            ]
            if shared:
                m.d.comb += pe.shared.eq(shared[source])
        return m

    def _load(self, m, bank, ends_vector):
        """Writes the bank's words as they come, row after row as a vector reads them, each in the words of its cells;
        returns whether a row is whole with the present one."""
        cells = len(bank.write)
        cell, full, last = Signal(range(cells)), Signal(), Signal()
        takes = self.load.valid & ~full
        m.d.comb += [
            last.eq(cell == cells - 1),
            bank.write_data.eq(self.load.payload),
            *(bank.write[k].eq(takes & (cell == k)) for k in range(cells)),
            self.rest.payload.eq(self.load.payload),
            self.rest.valid.eq(self.load.valid & full),
        ]
        with m.If(takes):
            m.d.sync += [cell.eq(cell + 1), full.eq(last & ends_vector)]
            with m.If(last):
                m.d.sync += cell.eq(0)
        with m.If(self.begin):
            m.d.sync += [cell.eq(0), full.eq(0)]
        return takes & last

    def _output(self, m, enable, done, last):
        """Gives the PEs' sums out when they are `done`."""
        payload = data_register(m, self.o.payload) if self._registered else self.o.payload
        values = [payload.data[k].eq(pe.total) for k, pe in enumerate(self._rows)]
        values.append(payload.last.eq(last))
        if self._registered:
            ready = Signal()
            m.d.comb += [ready.eq(self.o.ready | ~self.o.valid), enable.eq(ready | ~done)]
            with m.If(ready):
                m.d.sync += [self.o.valid.eq(done), *values]
        else:
            m.d.comb += [self.o.valid.eq(done), enable.eq(self.o.ready | ~done), *values]

    def _bias(self, m, enable, coming, fold):
        """The starting values of the pass `fold` that is being added up; `coming` is that of the next cycle."""
        mask = (1 << self._width) - 1
        words = [sum((b & mask) << (p * self._width) for p, b in enumerate(row)) for row in self._biases]
        size = self._pe * self._width
        if self._memories[1] == "lut" and self._nf <= SMALL_TABLE:
            # The LUTs that choose between sum and bias take so small a table in.
            bias = Signal(size)
            m.d.comb += bias.eq(Array(Const(word, size) for word in words)[fold])
            return bias
        m.submodules.biases = biases = Bank(size, words, kind=self._memories[1])
        m.d.comb += [biases.en.eq(enable), biases.addr.eq(coming)]
        return biases.data

    def _shared_counts(self, m, x, enable):
        """What the PEs of each group of each vector share, where their formats do."""
        product = Product(self._input, self._weight)
        counts = []
        for k in range(self._sources if product.shared else 0):
            popcount = Popcount(self._simd, levels=self._levels, spare=product.spare, family=self._family)
            m.submodules[f"shared{k}"] = popcount
            masks = x.word_select(k, self._simd * self._input.bits)[1 :: self._input.bits]
            count = Signal.like(popcount.o, name=f"zeros{k}")
            m.d.comb += [
                popcount.i.eq(~masks),
                popcount.en.eq(enable),
                count.eq(popcount.o + (popcount.spare[0] == popcount.spare[1])),
            ]
            counts.append(count)
        return counts
