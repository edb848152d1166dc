"""Processing element: one row of the matrix-vector product, SIMD lanes at a time."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bnnhw.dtypes import DataType
from bnnhw.gateware.popcount import Popcount, popcount_latency


def activation_planes(dtype, code):
    """The planes of one lane's storage `code`, as `DataType.planes` orders them."""
    if dtype.kind == "ternary":
        sign, mask = code[0], code[1]
        return [~mask | sign, mask & sign]
    return [code[j] for j in range(dtype.bits)]


def weight_planes(dtype):
    """What each product plane of a weight format counts for: 1 per signed lane, +-2^i per integer bit."""
    return (1,) if dtype.kind in ("bipolar", "ternary") else dtype.plane_weights


def lane_product(dtype, weight, plane):
    """One lane, one plane: the bit to be counted, for each plane of the weight's storage code.

    A bipolar weight counts where it equals the plane (XNOR), a ternary one the same under its mask, an
    integer one has one AND per bit. What these leave out is a constant of the row: see
    `bnnhw.dataflow.images`.
    """
    if dtype.kind == "bipolar":
        return [~(weight[0] ^ plane)]
    if dtype.kind == "ternary":
        return [weight[1] & ~(weight[0] ^ plane)]
    return [weight[i] & plane for i in range(dtype.bits)]


class PE(wiring.Component):
    """Multiplies SIMD lanes of weights and activations, counts, and accumulates.

    Every product of a weight plane and an activation plane is a popcount over the lanes; the counts are added with
    their weights. The accumulator starts from `bias`, so that what follows can read a sign instead of comparing.

    Parameters
    ----------
    simd : int
        Lanes.
    input_dtype, weight_dtype : DataType
        Formats of a lane's activation and weight.
    width : int
        Bits of the accumulator (two's complement; it may wrap on the way, only the final sum must fit).
    divisor : int
        What all plane weights are divided by (2 for bipolar inputs where the half is enough, else 1).
    bias : int
        The first row's starting value: the accumulator's reset.
    levels : int or None
        Pipelining of the popcounts, see `Popcount`.

    Members
    -------
    x : In(simd * input_dtype.bits), w : In(simd * weight_dtype.bits)
        Storage codes, lane 0 in the low bits.
    valid, last : In(1)
        Whether the lanes count, and whether they are the row's last, `latency` enabled cycles later than `x` and `w`.
    next_bias : In(signed(width))
        Starting value of the next row, sampled when `valid` and `last`.
    en : In(1)
        Freezes every register while low.
    total : Out(signed(width))
        The row's sum, including the lanes of this cycle: meaningful when `valid` and `last`.

    Timing
    ------
    `total` follows `x` and `w` by `latency` enabled cycles; one beat per enabled cycle.
    """

    def __init__(self, simd, input_dtype, weight_dtype, *, width, divisor=1, bias=0, levels=None):
        for dtype in (input_dtype, weight_dtype):
            if not isinstance(dtype, DataType):
                raise TypeError(f"a number format must be a DataType, not {dtype!r}")
        self._input = input_dtype
        self._weight = weight_dtype
        self._simd = simd
        self._divisor = divisor
        self._bias = bias
        self._width = width
        self._levels = levels
        super().__init__(
            {
                "x": In(simd * input_dtype.bits),
                "w": In(simd * weight_dtype.bits),
                "valid": In(1),
                "last": In(1),
                "next_bias": In(signed(width)),
                "en": In(1),
                "total": Out(signed(width)),
            }
        )

    @property
    def latency(self):
        return popcount_latency(self._simd, self._levels)

    def _lanes(self):
        """For each (weight plane, activation plane): its weight and the bits to count."""
        x, w = self._input.bits, self._weight.bits
        products = {}
        for lane in range(self._simd):
            planes = activation_planes(self._input, self.x[lane * x : (lane + 1) * x])
            for j, plane in enumerate(planes):
                for i, bit in enumerate(lane_product(self._weight, self.w[lane * w : (lane + 1) * w], plane)):
                    products.setdefault((i, j), []).append(bit)
        wi, xj = weight_planes(self._weight), self._input.plane_weights
        return [(wi[i] * xj[j] // self._divisor, bits) for (i, j), bits in products.items()]

    def elaborate(self, platform):
        m = Module()
        # Counts of one weight are added before they are shifted: ternary planes, or diagonals of bit products.
        counts = {}
        for k, (weight, bits) in enumerate(self._lanes()):
            m.submodules[f"popcount{k}"] = popcount = Popcount(self._simd, levels=self._levels)
            m.d.comb += [popcount.i.eq(Cat(bits)), popcount.en.eq(self.en)]
            counts.setdefault(weight, []).append(popcount.o)
        accumulator = Signal(signed(self._width), init=self._bias)
        total = accumulator
        for weight, terms in sorted(counts.items(), reverse=True):
            shifted = _tree_sum(terms) << (abs(weight).bit_length() - 1)
            total = total + shifted if weight > 0 else total - shifted
        m.d.comb += self.total.eq(total)
        with m.If(self.en & self.valid):
            m.d.sync += accumulator.eq(Mux(self.last, self.next_bias, self.total))
        return m


def _tree_sum(terms):
    """Sum of values as a balanced tree, which synthesis keeps shallow."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return _tree_sum(terms[:half]) + _tree_sum(terms[half:])
