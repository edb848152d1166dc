"""Numbers as bits of a netlist, and the ways to add them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from bnnhw.arithmetic.adder_graphs.netlist import MAX_LUT_INPUTS, ONE, ZERO, Adder, Bits, Gate, Literal, Lut
from bnnhw.arithmetic.formats import signed_width


@dataclass(frozen=True)
class Number:
    """A two's complement number in a netlist.

    Parameters
    ----------
    bits
        Its bits, the low one first.
    low, high
        Its range.
    offset
        What it is more than the sum of input bits, each with its sign, that it stands for: an inverted bit is one more
        than the negative of the bit, and what is taken off to have as many numbers below zero as above costs nothing.
    """

    bits: Bits
    low: int
    high: int
    offset: int

    def extended(self, width: int) -> Bits:
        """Its bits, with the sign repeated up to `width` of them."""
        return (*self.bits, *[self.bits[-1]] * (width - len(self.bits)))[:width]


class Builder:
    """Makes the gates of a netlist; equal functions of the same signals become one."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.gates: list[Gate] = []
        self._made: dict[object, tuple[Literal, ...]] = {}
        self._signals = inputs + 1

    def lut(self, literals: Sequence[Literal], function: Callable[..., int]) -> Literal:
        """A function of up to four literals, given as a function of 0s and 1s."""
        signals = tuple(sorted({literal >> 1 for literal in literals if literal > ONE}))
        assert len(signals) <= MAX_LUT_INPUTS
        table = 0
        for word in range(1 << len(signals)):
            bits = {signal: word >> k & 1 for k, signal in enumerate(signals)}
            table |= (function(*[bits.get(literal >> 1, 0) ^ (literal & 1) for literal in literals]) & 1) << word
        return self._function(signals, table)

    def table(self, literals: Sequence[Literal], entries: Sequence[int]) -> Literal:
        """What `entries` (2^k of them) has at the number that k literals make, the first of them its low bit.

        A table and its complement are one gate.
        """
        signals = tuple(sorted({literal >> 1 for literal in literals if literal > ONE}))
        table = 0
        for word in range(1 << len(signals)):
            bits = {signal: word >> k & 1 for k, signal in enumerate(signals)}
            address = sum((bits.get(literal >> 1, 0) ^ (literal & 1)) << k for k, literal in enumerate(literals))
            table |= int(entries[address]) << word
        whole = (1 << (1 << len(signals))) - 1
        made = self._function(signals, table, kept=False)
        if made is None and (other := self._function(signals, table ^ whole, kept=False)) is not None:
            return other ^ 1
        return self._function(signals, table) if made is None else made

    @overload
    def _function(self, signals: tuple[int, ...], table: int) -> Literal: ...
    @overload
    def _function(self, signals: tuple[int, ...], table: int, *, kept: bool) -> Literal | None: ...
    def _function(self, signals: tuple[int, ...], table: int, *, kept: bool = True) -> Literal | None:
        """A function of signals, `kept` as a gate where there is none like it."""
        for k in range(len(signals)):
            # A signal that makes no difference goes.
            low = [word for word in range(1 << len(signals)) if not word >> k & 1]
            if all((table >> word & 1) == (table >> (word | 1 << k) & 1) for word in low):
                shorter = sum((table >> word & 1) << n for n, word in enumerate(low))
                return self._function(signals[:k] + signals[k + 1 :], shorter, kept=kept)
        if not signals:
            return table & 1
        if len(signals) == 1:
            return 2 * signals[0] + (table == 0b01)
        if (signals, table) not in self._made:
            if not kept:
                return None
            self._made[signals, table] = (2 * self._signals,)
            self.gates.append(Lut(signals, table, self._signals))
            self._signals += 1
        return self._made[signals, table][0]

    def add(self, a: Bits, b: Bits, carry: Literal) -> Bits:
        """``a + b + carry``, as wide as `a` and `b`: in LUTs where these take no more than a carry chain."""
        a, b = sorted((a, b))
        key = a, b, carry
        if key not in self._made:
            self._made[key] = self._add(a, b, carry)
        return self._made[key]

    def _add(self, a: Bits, b: Bits, carry: Literal) -> Bits:
        width = len(a)
        names = sorted({bit >> 1 for bit in (*a, *b, carry) if bit > ONE})
        if len(names) <= MAX_LUT_INPUTS:
            return tuple(self.lut(_plain(names), _bit_of_sum(names, a, b, carry, k)) for k in range(width))
        if width == 3 and a[1] == a[2] and b[1] == b[2]:
            # As many LUTs as a carry chain would have places, one of them for the carry.
            low = self.lut((a[0], b[0], carry), lambda x, y, c: x ^ y ^ c)
            carry = self.lut((a[0], b[0], carry), lambda x, y, c: x + y + c >> 1)
            middle = self.lut((a[1], b[1], carry), lambda x, y, c: x ^ y ^ c)
            return low, middle, self.lut((a[1], b[1], carry), lambda x, y, c: x ^ y ^ (x + y + c >> 1))
        outputs = tuple(range(self._signals, self._signals + width))
        self._signals += width
        self.gates.append(Adder(a, b, carry, outputs))
        return tuple(2 * output for output in outputs)

    def leaf(self, literals: Sequence[Literal]) -> Number:
        """What one to three literals count, less as many as make the result a number of one or two bits."""
        inverted = sum(literal & 1 for literal in literals)
        if len(literals) == 1:
            return Number((literals[0] ^ 1,), -1, 0, inverted - 1)
        low = self.lut(literals, lambda *bits: sum(bits))
        high = self.lut(literals, lambda *bits: 1 - (sum(bits) >> 1))
        return Number((low, high), -2, len(literals) - 2, inverted - 2)

    def merge(self, x: Number, y: Number, carry: Literal) -> Number:
        """``x + y + carry``."""
        varies = carry > ONE
        low = x.low + y.low + (carry == ONE)
        high = x.high + y.high + (carry != ZERO)
        width = signed_width(low, high)
        bits = self.add(x.extended(width), y.extended(width), carry)
        offset = x.offset + y.offset + (carry & 1 if varies else carry)
        return Number(bits, low, high, offset)

    def total(self, numbers: Sequence[Number], literals: Sequence[Literal]) -> Number:
        """The sum of numbers and literals, as many of its values below zero as above.

        Three literals make a number, or a literal is a carry. Carries that nothing needs are constants, one where that
        moves the range to its place.
        """
        numbers, singles = list(numbers), list(literals)
        count = sum(number.high - number.low for number in numbers) + len(singles)
        middle = -((count + 1) // 2)
        for _ in range(leaves_needed(len(singles), len(numbers))):
            numbers.append(self.leaf([singles.pop() for _ in range(3)]))
        if not numbers:
            numbers.append(self.leaf([singles.pop()]))
        while len(numbers) > 1 or singles:
            numbers.sort(key=lambda number: -len(number.bits))
            x = numbers.pop()
            y = numbers.pop() if numbers else self.leaf([singles.pop()])
            low = x.low + y.low + sum(number.low for number in numbers)
            carry = singles.pop() if singles else ONE if low < middle else ZERO
            numbers.append(self.merge(x, y, carry))
        return numbers[0]

    def at_least(self, number: Number, threshold: int, carry: Literal) -> Literal:
        """Whether ``number + carry`` is `threshold` or more, which is whether the number is more than one less, or
        just that and there is the carry."""
        if threshold <= number.low:
            return ONE
        if threshold > number.high + 1:
            return ZERO
        # With the sign turned over, numbers compare like unsigned ones; from the low bits to the high ones.
        width = len(number.bits)
        wanted, bits = threshold - 1 + (1 << width - 1), (*number.bits[:-1], number.bits[-1] ^ 1)
        reached = carry
        while bits:
            taken = bits[: MAX_LUT_INPUTS - (reached > ONE)]
            reached = self.lut((*taken, reached), _reached(wanted & (1 << len(taken)) - 1))
            bits, wanted = bits[len(taken) :], wanted >> len(taken)
        return reached


def leaves_needed(literals: int, numbers: int) -> int:
    """How many numbers of three literals to make, so that a sum with `numbers` more has a carry for each other one."""
    return min(literals // 3, max(0, -(-(literals + 1 - numbers) // 4)))


def _plain(signals: Sequence[int]) -> Bits:
    return tuple(2 * signal for signal in signals)


def _bit_of_sum(signals: Sequence[int], a: Bits, b: Bits, carry: Literal, k: int) -> Callable[..., int]:
    """Bit k of ``a + b + carry``, as a function of `signals`."""

    def function(*values: int) -> int:
        known = dict(zip(signals, values, strict=True))

        def number(bits: Sequence[Literal]) -> int:
            return sum((known.get(bit >> 1, 0) ^ (bit & 1)) << n for n, bit in enumerate(bits))

        return number(a) + number(b) + number((carry,)) >> k & 1

    return function


def _reached(wanted: int) -> Callable[..., int]:
    """Whether bits, the low one first, are more than `wanted`, or the same where the last argument says so."""

    def function(*values: int) -> int:
        *bits, below = values
        number = sum(bit << k for k, bit in enumerate(bits))
        return int(number > wanted or (number == wanted and below == 1))

    return function
