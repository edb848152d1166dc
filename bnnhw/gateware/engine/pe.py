"""Processing element of the engine: one row and one pixel of the array."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.arithmetic.adder_chain import MATCH
from bnnhw.gateware.arithmetic.popcount import Popcount
from bnnhw.gateware.repeated import Repeated


class EnginePE(Repeated):
    """Counts in how many lanes a word of activations and one of weights are equal, sums up, and tells about the sum.

    What it adds is the count, or whether its own lane is equal, or the weights' word as a number, or its own sum as it
    was before the word before. Each of its controls belongs to a stage.

    Parameters
    ----------
    lanes : int
        Bits of a word.
    width : int
        Bits of the sum, two's complement.
    family : str
        As of `Popcount`.

    Members
    -------
    x : In(2 * lanes)
        The lanes of the activations and those of the weights, as a popcount of matches takes them, pair by pair.
    own : In(2)
        The bit of the row's own lane, and of the weights' lowest lane.
    number : In(lanes)
        The weights' word.
    count, lane, add, double : In(1)
        What is added: at most one of them is set.
    first : In(1)
        The sum is only what is added; a cycle after those above.
    toggle, below, fresh, emit : In(1)
        Changes the bit where the sum is not negative, or where it is `below`; it was 0 if `fresh`; the bit goes to `o`.
        A cycle after `first`.
    o : Out(1)

    Timing
    ------
    A word per cycle. The sum is there two cycles after the word, `o` another one after that.
    """

    def __init__(self, lanes, width, *, family):
        self._lanes = lanes
        self._width = width
        self._family = family
        flags = ("count", "lane", "add", "double", "first", "toggle", "below", "fresh", "emit")
        super().__init__(
            {
                "x": In(2 * lanes),
                "own": In(2),
                "number": In(lanes),
                **{name: In(1) for name in flags},
                "o": Out(1),
            },
            (lanes, width, family),
        )

    def logic(self, platform):
        m = Module()
        m.submodules.popcount = popcount = Popcount(self._lanes, MATCH, family=self._family)
        m.d.comb += popcount.i.eq(self.x)
        total = Signal(signed(self._width), reset_less=True)
        addend = Signal(signed(self._width), reset_less=True)
        number = self.number.as_signed()
        # One choice after the other would be a chain: each bit is an OR of what its controls let through.
        counted = popcount.o & self.count.replicate(len(popcount.o))
        found = counted | (self.lane & ~(self.own[0] ^ self.own[1]))
        spread = Signal(signed(self._width))
        m.d.comb += spread.eq(number)
        m.d.sync += addend.eq(
            (spread & self.add.replicate(self._width)) | (total & self.double.replicate(self._width)) | found
        )
        m.d.sync += total.eq(Mux(self.first, addend, total + addend))
        bit = Signal()
        change = Signal()
        m.d.comb += change.eq((bit & ~self.fresh) ^ total[-1] ^ ~self.below)
        with m.If(self.toggle):
            m.d.sync += bit.eq(change)
        with m.If(self.emit):
            m.d.sync += self.o.eq(change)
        return m
