"""Processing element: one row of the matrix-vector product, SIMD lanes at a time."""

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.popcount_tree import counted_lanes
from bnnhw.arithmetic.weight_coding import MatchCoding
from bnnhw.gateware.arithmetic.adder_chain import (
    BOTH,
    MASKED,
    MATCH,
    SELECT,
    ZERO,
    BitFunction,
    Operand,
    add,
    bit,
    chain,
)
from bnnhw.gateware.arithmetic.popcount import Popcount
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.repeated import Repeated

# A ternary activation and a ternary weight: both have a mask, and the signs are equal.
AGREE = BitFunction(4, lambda x, w, x_mask, w_mask: x_mask & w_mask & (1 ^ x ^ w))


def activation_planes(dtype, code):
    """The planes of one lane's storage `code`, as `DataType.planes` orders them."""
    if dtype.kind == "ternary":
        sign, mask = code[0], code[1]
        return [~mask | sign, mask & sign]
    return [code[j] for j in range(dtype.bits)]


def counted_kinds(product):
    """The kind of each bit that a PE counts, as `Product.weights` orders them."""
    if product.signed_pairs:
        return [MASKED] if product.weight.kind == "bipolar" else [AGREE, BOTH]
    kind = {"bipolar": MATCH, "ternary": MASKED}.get(product.weight.kind, BOTH)
    return [kind] * len(product.weights)


def lane_inputs(product, x, w):
    """The inputs of one lane's `counted_kinds`; `x` and `w` are storage codes."""
    if product.signed_pairs:
        if product.weight.kind == "bipolar":
            return [(x[0], w[0], x[1])]
        return [(x[0], w[0], x[1], w[1]), (x[1], w[1])]
    planes = activation_planes(product.input, x)
    if product.signs:
        return [(plane, *w) for plane in planes]
    return [(w[i], plane) for i in range(product.weight.bits) for plane in planes]


class PE(Repeated):
    """Multiplies SIMD lanes of weights and activations, counts, and accumulates.

    Each of the product's bits is counted over the lanes; the counts are added with their weights. A row starts from a
    bias, so that what follows can read a sign instead of comparing.

    Parameters
    ----------
    simd : int
        Lanes.
    input_dtype, weight_dtype : DataType
        Formats of a lane's activation and weight.
    width : int
        Bits of the accumulator (two's complement; it may wrap on the way, only the final sum must fit).
    divisor : int
        What all weights of counts are divided by (2 for bipolar inputs where the half is enough, else 1).
    levels : int or None
        Pipelining of the popcounts, see `Popcount`.
    family : str
        See `Popcount`.

    Members
    -------
    x : In(simd * input_dtype.bits), w : In(simd * weight_dtype.bits)
        Storage codes, lane 0 in the low bits: activations as `prepared` gives them, weights as a memory holds them
        (`bnnhw.arithmetic.weight_coding`).
    shared : In(bits_for(simd))
        The count of activations that are zero, as late as the PE's own counts: only where the formats have one
        (`Product.shared`).
    valid, first : In(1)
        Whether the lanes count, and whether they are the row's first, `latency` enabled cycles later than `x` and `w`.
    bias : In(signed(width))
        Starting value of the row, with `first`.
    en : In(1)
        Freezes every register while low.
    total : Out(signed(width))
        The row's sum so far.

    Timing
    ------
    `total` follows `x` and `w` by ``latency + 1`` enabled cycles; one beat per enabled cycle.
    """

    def __init__(self, simd, input_dtype, weight_dtype, *, width, divisor=1, levels=None, family="ice40"):
        for dtype in (input_dtype, weight_dtype):
            if not isinstance(dtype, DataType):
                raise TypeError(f"a number format must be a DataType, not {dtype!r}")
        self._product = Product(input_dtype, weight_dtype)
        self._simd = simd
        self._divisor = divisor
        self._width = width
        self._levels = levels
        self._family = family
        self._vendor = family == "ecp5"
        members = {
            "x": In(simd * input_dtype.bits),
            "w": In(simd * weight_dtype.bits),
            "valid": In(1),
            "first": In(1),
            "bias": In(signed(width)),
            "en": In(1),
            "total": Out(signed(width)),
        }
        if self._product.shared:
            members["shared"] = In(bits_for(simd))
        super().__init__(members, (simd, input_dtype, weight_dtype, width, divisor, levels, family))

    @property
    def latency(self):
        return self._product.latency(self._simd, self._levels)

    def prepared(self, x):
        """The lanes `x`, a Value, as PEs take them."""
        if not self._product.matches:
            return x
        bits = self._product.input.bits
        coding = MatchCoding.of(self._simd, self._family, spare=self._product.spare)
        planes = [coding.activations(list(x)[j::bits]) for j in range(bits)]
        return Cat(value for lane in zip(*planes, strict=True) for value in lane)

    def logic(self, platform):
        m = Module()
        total = data_register(m, self.total)
        found, carry, even = self._addend(m)
        addend = Signal(signed(self._width - even))
        hold = Signal()
        m.d.comb += [addend.eq(found), hold.eq(~self.first)]
        positions = [
            (bit(value), Operand(SELECT, (old, new, hold)))
            for value, old, new in zip(addend, total[even:], self.bias[even:], strict=True)
        ]
        added = chain(m, [(carry,), *positions], vendor=self._vendor)
        with m.If(self.en & self.valid):
            m.d.sync += total[even:].eq(added[1:])
            with m.If(self.first):
                m.d.sync += total[:even].eq(self.bias[:even])
        return m

    def _addend(self, m):
        """What is added to the row's sum, an operand to be added as well, and the sum's low bits that both leave."""
        counts, spare = self._counts(m)
        if len(counts) == 1 and not self._product.shared:
            ((weight, count),) = counts
            return count, spare, weight.bit_length() - 1
        if self._product.shared:
            # Twice the count, and that of the zeros, whose lowest bit nothing meets.
            ((_, count),) = counts
            zeros = [*self.shared[1:], Const(0, 1)]
            pairs = [(bit(a), bit(b)) for a, b in zip(count, zeros, strict=True)]
            pairs = pairs[: bits_for(counted_lanes(self._simd))]
            (doubled,) = add(m, [(spare, pairs)], vendor=self._vendor, limit=len(pairs))
            found = Cat(self.shared[0], doubled[: len(count)])
        else:
            found = _weighted_sum(counts)
        # A signal of its own keeps synthesis from adding three operands at once, which takes more LUTs.
        addend = Signal.like(found, reset_less=True)
        if self._levels is None:
            m.d.comb += addend.eq(found)
        else:
            with m.If(self.en):
                m.d.sync += addend.eq(found)
        return addend, ZERO, 0

    def _counts(self, m):
        """Each count with its weight, and the lane that is not counted, or None."""
        x, w = self._product.input.bits, self._product.weight.bits
        lanes = [
            lane_inputs(self._product, self.x.word_select(lane, x), self.w.word_select(lane, w))
            for lane in range(self._simd)
        ]
        counts = []
        kinds = counted_kinds(self._product)
        for k, (kind, weight) in enumerate(zip(kinds, self._product.weights, strict=True)):
            popcount = Popcount(self._simd, kind, levels=self._levels, spare=self._product.spare, family=self._family)
            m.submodules[f"popcount{k}"] = popcount
            m.d.comb += [
                popcount.i.eq(Cat(value for lane in lanes for value in lane[k])),
                popcount.en.eq(self.en),
            ]
            counts.append((weight // self._divisor, popcount.o))
        return counts, Operand(MATCH, tuple(popcount.spare))


def _weighted_sum(terms):
    """The sum of (weight, value), each weight plus or minus a power of two, as a tree that synthesis keeps shallow."""
    ordered = sorted(terms, key=lambda term: (abs(term[0]), term[0]))
    return _signed_sum([(weight < 0, value << (abs(weight).bit_length() - 1)) for weight, value in ordered])[1]


def _signed_sum(values):
    """The sum of (negative, value) as one such pair, which is negative only where all are."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    (minus, low), (other, high) = _signed_sum(values[:half]), _signed_sum(values[half:])
    if minus == other:
        return minus, low + high
    return False, high - low if minus else low - high
