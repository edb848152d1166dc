"""Adders on carry chains whose operands are small functions of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from amaranth.hdl import Cat, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


@dataclass(frozen=True)
class BitFunction:
    """A function of `arity` bits that may be an operand of an adder."""

    arity: int
    rule: Callable


BIT = BitFunction(1, lambda a: a)
MATCH = BitFunction(2, lambda x, w: 1 ^ x ^ w)
DIFFER = BitFunction(2, lambda x, w: x ^ w)
BOTH = BitFunction(2, lambda x, w: x & w)
MASKED = BitFunction(3, lambda x, w, mask: mask & (1 ^ x ^ w))
SELECT = BitFunction(3, lambda old, new, hold: (hold & old) | ((1 ^ hold) & new))


@dataclass(frozen=True)
class Operand:
    """One bit: a kind of function and what it is a function of."""

    kind: BitFunction
    bits: tuple

    @property
    def value(self):
        """The bit itself."""
        return self.kind.rule(*self.bits)


def bit(value):
    """The operand that is `value`, one bit."""
    return Operand(BIT, (value,))


ZERO = bit(Const(0, 1))


class AdderChain(wiring.Component):
    """Adds two numbers, or several pairs of numbers that lie end to end in one carry chain.

    A position with two operands adds them and the carry from below. A position with one operand gives the carry from
    below as its sum, and passes its operand up instead of it: it ends one adder and begins the next. Without vendor
    cells the chain is a plain sum, in which such a position has its operand on both sides, and the first one a one
    beside it. On ECP5 one half of a CCU2C takes a position with the logic of its operands: the LUT is the exclusive or
    of both (propagate), and its first quarter, where C and D are zero, is the first operand alone (generate). So the
    first operand has at most two bits, and the second is zero while C and D are.

    Parameters
    ----------
    positions : list of tuple of BitFunction
        One or two kinds of operands for each position, the lowest first. The first position has one operand.
    vendor : bool
        Whether to take vendor cells where the chain is elaborated for a board.

    Members
    -------
    i : In(4 * len(positions))
        Four bits of each position, A to D: the first operand's from A on, the second one's up to D.
    o : Out(len(positions))
        A bit of the sum for each position but the first, whose bit means nothing.

    Timing
    ------
    Combinational.
    """

    def __init__(self, positions, *, vendor):
        assert len(positions[0]) == 1
        self._positions = positions
        self._vendor = vendor
        super().__init__({"i": In(4 * len(positions)), "o": Out(len(positions))})

    def elaborate(self, platform):
        m = Module()
        if self._vendor and platform is not None:
            self._carry_cells(m)
            return m
        sides = [], []
        for k, kinds in enumerate(self._positions):
            values = evaluated(kinds, self.i.word_select(k, 4))
            sides[0].append(values[0])
            sides[1].append(values[-1] if k else Const(1, 1))
        m.d.comb += self.o.eq(Cat(sides[0]) + Cat(sides[1]))
        return m

    def _carry_cells(self, m):
        carry = None
        count = len(self._positions)
        for start in range(0, count, 2):
            s, c = Signal(2, name="s"), Signal(name="c")
            ports = {"o_S0": s[0], "o_S1": s[1]}
            for half in range(2):
                kinds, bits = ((BIT,), Const(0, 4))
                if start + half < count:
                    kinds, bits = self._positions[start + half], self.i.word_select(start + half, 4)
                ports[f"p_INIT{half}"] = Const(truth_table(kinds), 16)
                for name, value in zip("ABCD", bits, strict=True):
                    # The quarter that a single operand lies in is never looked up as the propagate.
                    ports[f"i_{name}{half}"] = value if len(kinds) == 2 or name in "AB" else Const(1, 1)
            if carry is not None:
                ports["i_CIN"] = carry
            if start + 2 < count:
                ports["o_COUT"] = c
            ends = {"p_FIRST": int(carry is None), "p_LAST": int(start + 2 >= count)}
            m.submodules += Instance(CELL, **ends, **ports)
            m.d.comb += self.o[start : start + 2].eq(s)
            carry = c


# The CCU2C of ECP5 with open carries at the ends of a chain: see `bnnhw.toolchain.carry_cells`.
CELL = "bnnhw_ccu2c"


def truth_table(kinds):
    """INIT of one half of a CCU2C: bit ``a + 2 b + 4 c + 8 d``. Of a single operand C and D are to be one."""
    table = 0
    for d, c, b, a in product((0, 1), repeat=4):
        first, *second = evaluated(kinds, (a, b, c, d))
        if (c, d) == (0, 0):
            assert kinds[0].arity <= 2 and not any(second), kinds
            entry = first
        else:
            entry = first ^ second[0] if second else 0
        table |= entry << (a + 2 * b + 4 * c + 8 * d)
    return table


def evaluated(kinds, bits):
    """The operands of a position with the bits A to D."""
    values = [kinds[0].rule(*bits[: kinds[0].arity])]
    return values + [kind.rule(*bits[4 - kind.arity :]) for kind in kinds[1:]]


def chain(m, positions, *, vendor):
    """The sum of `positions`, each one or two operands, in an `AdderChain` that becomes a submodule of `m`."""
    kinds = [tuple(operand.kind for operand in position) for position in positions]
    m.submodules += (adder := AdderChain(kinds, vendor=vendor))
    for k, position in enumerate(positions):
        bits = [value for operand in position for value in operand.bits]
        # A second operand ends with D.
        gap = [Const(0, 1)] * (4 - len(bits)) if len(position) > 1 else []
        first = len(position[0].bits)
        m.d.comb += adder.i.word_select(k, 4).eq(Cat(bits[:first], gap, bits[first:]))
    return adder.o


def add(m, adders, *, vendor, limit):
    """Builds adders of numbers, those that fit end to end in one chain of at most `limit` positions.

    Parameters
    ----------
    m : Module
        Gets the chains as submodules.
    adders : list of (Operand or None, list of (Operand, Operand))
        The carry-in and the positions of each adder.
    vendor, limit
        See `AdderChain`; the longest chain.

    Returns
    -------
    list of Value
        The sum of each adder, one bit longer than its operands.
    """
    sums = []
    while adders:
        positions, starts = [], []
        while adders and (not positions or len(positions) + len(adders[0][1]) + 2 <= limit):
            carry, pairs = adders.pop(0)
            positions.append((carry or ZERO,))
            starts.append((len(positions), len(pairs) + 1))
            positions += pairs
        # What takes out the last carry passes on something that synthesis does not know: a constant would make it
        # take the carry out by a cell of its own.
        positions.append((positions[-1][0],) if positions[-1][0].kind.arity <= 2 else (ZERO,))
        total = chain(m, positions, vendor=vendor)
        sums += [total[start : start + length] for start, length in starts]
    return sums
