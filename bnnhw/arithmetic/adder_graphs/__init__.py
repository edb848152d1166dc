"""Constant matrix multiplication as a graph of adders, as few LUTs as can be found.

The rows of a matrix have much in common: two rows of signs differ in half of the columns at random, and the nearest of
64 in a third. So a row is the one most like it, and twice what the columns count in which the two differ
(`terms`, `spanning`). What is counted is added three bits at a time first, and three that several rows
count are added once (`sharing`). Zeros take no part. Numbers are signed, with as many values below zero as
above: then every adder has a free place for one more bit, and no sum needs a bit more than its values (`builder`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.adder_graphs.builder import Builder, Number
from bnnhw.arithmetic.adder_graphs.netlist import ONE, ZERO, Adder, Bits, Gate, Literal, Lut, Netlist
from bnnhw.arithmetic.adder_graphs.schedule import Schedule, outputs_of, schedule, signals_of
from bnnhw.arithmetic.adder_graphs.terms import Terms, digit_planes, shifted_sum, terms_of
from bnnhw.arithmetic.formats import signed_width

__all__ = [
    "Adder",
    "Bits",
    "Builder",
    "Gate",
    "Literal",
    "Lut",
    "Netlist",
    "Number",
    "Schedule",
    "constant_products",
    "multiply_constant_matrix",
    "netlist",
    "outputs_of",
    "schedule",
    "signals_of",
]


def multiply_constant_matrix(coefficients: NDArray[np.int64], biases: Sequence[int], *, signs: bool) -> Netlist:
    """``coefficients @ bits + biases`` as logic.

    Parameters
    ----------
    coefficients
        (sums, inputs), any integers.
    biases
        One for each sum.
    signs
        Whether only the sign of each sum is asked for: one bit instead of the number.
    """
    builder = Builder(coefficients.shape[1])
    columns = [2 * k + 2 for k in range(builder.inputs)]
    return netlist(builder, constant_products(builder, columns, coefficients, biases, signs=signs))


def netlist(builder: Builder, words: Sequence[Bits]) -> Netlist:
    """What `builder` has made, as far as the `words` depend on it."""
    return Netlist(builder.inputs, _used(builder.gates, words), tuple(words))


def constant_products(
    builder: Builder,
    columns: Sequence[Literal],
    coefficients: NDArray[np.int64],
    biases: Sequence[int],
    *,
    signs: bool = False,
) -> list[Bits]:
    """``coefficients @ columns + biases`` as words of a netlist, see `multiply_constant_matrix`.

    The columns may be any literals: constants go to the biases, and what several columns have in common is counted
    once.
    """
    columns, coefficients, biases = _plain(columns, coefficients, biases)
    found: list[_Sum | None] = [None] * len(coefficients)
    for shift, digits in reversed(digit_planes(coefficients)):
        for r, terms in enumerate(terms_of(builder, digits, columns)):
            if terms.numbers or terms.literals:
                found[r] = _below(builder, found[r], terms, shift)
    low, high = np.minimum(coefficients, 0).sum(axis=1), np.maximum(coefficients, 0).sum(axis=1)
    words = []
    for total, bias, least, most in zip(found, biases, low.tolist(), high.tolist(), strict=True):
        width = signed_width(least + bias, most + bias)
        words.append(_sign(builder, total, bias) if signs else _number(builder, total, bias, width))
    return words


def _plain(
    columns: Sequence[Literal], coefficients: NDArray[np.int64], biases: Sequence[int]
) -> tuple[list[Literal], NDArray[np.int64], list[int]]:
    """The same sums of signals that are neither constant nor inverted, each of them once."""
    literals = np.asarray(columns, np.int64)
    if len(np.unique(literals >> 1)) == len(literals) and not (literals & 1).any() and literals.all():
        return list(columns), coefficients, list(biases)
    inverted = literals & 1 == 1
    signals, places = np.unique(literals >> 1, return_inverse=True)
    merged = np.zeros((len(coefficients), len(signals)), np.int64)
    np.add.at(merged.T, places, np.where(inverted, -coefficients, coefficients).T)
    total = np.asarray(biases, np.int64) + coefficients[:, inverted].sum(axis=1)
    varies = signals > 0
    return (2 * signals[varies]).tolist(), merged[:, varies], total.tolist()


@dataclass(frozen=True)
class _Sum:
    """A sum without its bias: ``(number + carry) * 2^shift``."""

    number: Number
    carry: Literal
    shift: int


def _below(builder: Builder, above: _Sum | None, terms: Terms, shift: int) -> _Sum:
    """The sum of what higher digits gave and the terms of the digits at `shift`."""
    literals = list(terms.literals)
    carry = literals.pop() if literals and (terms.numbers or len(literals) > 1) else ZERO
    number = builder.total(terms.numbers, literals)
    if above is not None:
        number = shifted_sum(builder, number, above.number, above.carry, above.shift - shift)
    return _Sum(number, carry, shift)


def _sign(builder: Builder, total: _Sum | None, bias: int) -> Bits:
    """The sign of a sum with its bias."""
    if total is None:
        return (ONE if bias < 0 else ZERO,)
    offset = total.number.offset + (total.carry & 1)
    return (builder.at_least(total.number, offset - (bias >> total.shift), total.carry) ^ 1,)


def _number(builder: Builder, total: _Sum | None, bias: int, width: int) -> Bits:
    """The whole sum with its bias, which fits `width` bits: digits may make the range of the number seem larger."""
    if total is None:
        return _constant(bias, width)
    number, carry, upper = total.number, total.carry, max(1, width - total.shift)
    constant = _constant((bias >> total.shift) - number.offset - (carry & 1), upper)
    return *_constant(bias, total.shift), *builder.add(number.extended(upper), constant, carry)


def _constant(value: int, width: int) -> Bits:
    return tuple(ONE if value >> k & 1 else ZERO for k in range(width))


def _used(gates: Sequence[Gate], words: Sequence[Bits]) -> tuple[Gate, ...]:
    """The gates that something depends on."""
    needed = {bit >> 1 for word in words for bit in word}
    kept: list[Gate] = []
    for gate in reversed(gates):
        if not needed.isdisjoint(outputs_of(gate)):
            needed |= signals_of(gate)
            kept.append(gate)
    return tuple(reversed(kept))
