"""Population count: how many bits of a word are one."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for


class Popcount(wiring.Component):
    """Counts the ones among `width` bits.

    The tree is made of adders that take three things: the counts of two halves, and one more bit on the
    carry-in, so that n bits split into k1 + k2 + 1. The carry-in is one more position below the sum, which on
    iCE40 and ECP5 costs less than a level of full adders in front of the tree.

    Parameters
    ----------
    width : int
        Number of bits, at least 1.
    levels : int or None
        Register the tree after every so many levels of adders; ``None`` leaves it combinational.

    Attributes
    ----------
    latency : int
        Registers between `i` and `o`.

    Members
    -------
    i : In(width)
    en : In(1)
        The registers hold while it is low. Not used when `latency` is 0.
    o : Out(bits_for(width))

    Timing
    ------
    Latency `latency` enabled cycles, one word per enabled cycle.

    Raises
    ------
    TypeError
        If `width` is not a positive integer or `levels` is neither ``None`` nor a positive integer.
    """

    def __init__(self, width, *, levels=None):
        if not isinstance(width, int) or width < 1:
            raise TypeError(f"width must be a positive integer, not {width!r}")
        if levels is not None and (not isinstance(levels, int) or levels < 1):
            raise TypeError(f"levels must be None or a positive integer, not {levels!r}")
        self._width = width
        self._levels = levels
        super().__init__({"i": In(width), "en": In(1, init=1), "o": Out(bits_for(width))})

    @property
    def latency(self):
        return popcount_latency(self._width, self._levels)

    def elaborate(self, platform):
        m = Module()
        tree = _Tree(m, self.en, self._levels)
        count, delay = tree.count(list(self.i))
        m.d.comb += self.o.eq(tree.delayed(count, self.latency - delay))
        return m


def tree_height(width):
    """Levels of adders over `width` bits."""
    return 0 if width == 1 else 1 if width <= 3 else 1 + tree_height(width // 2)


def popcount_latency(width, levels):
    """Registers between input and output of a popcount, see `Popcount`."""
    return 0 if levels is None else -(-tree_height(width) // levels)


class _Tree:
    """Builds the adders, and the registers between them, into one module."""

    def __init__(self, m, en, levels):
        self._m = m
        self._en = en
        self._levels = levels

    def count(self, bits):
        """The count of `bits` and the registers that it went through."""
        if len(bits) == 1:
            return bits[0], 0
        extra, rest = (bits[0], bits[1:]) if len(bits) % 2 else (Const(0, 1), bits)
        half = len(rest) // 2
        (low, delay), (high, other) = self.count(rest[:half]), self.count(rest[half:])
        assert delay == other
        total = Signal(bits_for(len(bits)), name=f"count{len(bits)}")
        extra = self.delayed(extra, delay)
        if len(bits) == 3:
            self._m.d.comb += total.eq(Cat(low ^ high ^ extra, (low & high) | (low & extra) | (high & extra)))
        elif len(bits) % 2:
            self._m.d.comb += total.eq((Cat(Const(1, 1), low) + Cat(extra, high)) >> 1)
        else:
            self._m.d.comb += total.eq(low + high)
        if self._levels is not None and tree_height(len(bits)) % self._levels == 0:
            return self.delayed(total, 1), delay + 1
        return total, delay

    def delayed(self, value, cycles):
        """`value` through `cycles` enabled registers."""
        value = Value.cast(value)
        for _ in range(cycles):
            register = Signal.like(value, name="delay")
            with self._m.If(self._en):
                self._m.d.sync += register.eq(value)
            value = register
        return value
