"""What each row of a matrix of -1, 0 and +1 is the sum of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.adder_graphs.builder import Builder, Number
from bnnhw.arithmetic.adder_graphs.netlist import ZERO, Literal
from bnnhw.arithmetic.adder_graphs.sharing import share_leaves
from bnnhw.arithmetic.adder_graphs.spanning import spanning_tree
from bnnhw.arithmetic.formats import signed_width

# Columns of a block: more make less logic, of more levels, and take longer to find.
BLOCK = 64
# Steps from a block's first row to any other: more make less logic, of more levels.
DEPTH = 6


@dataclass(frozen=True)
class Terms:
    """Numbers and literals that make a sum, one of the literals being the carry of what comes after."""

    numbers: list[Number]
    literals: list[Literal]


def terms_of(builder: Builder, rows: NDArray[np.int64], signals: Sequence[Literal]) -> list[Terms]:
    """What to add for each row, whose columns are `signals`, none of them inverted.

    Rows without zeros are made from one another, block by block of the columns; the others share only the numbers of
    three literals that several of them have.
    """
    full = np.flatnonzero((rows != 0).all(axis=1)) if rows.shape[1] > 2 else np.array([], np.intp)
    found = _blocks(builder, rows[full], signals) if len(full) > 1 else []
    terms = dict(zip(full.tolist(), found, strict=False))
    others = [r for r in range(len(rows)) if r not in terms]
    sets = [_literals(rows[r], np.arange(rows.shape[1]), signals) for r in others]
    for r, numbers, literals in zip(others, *share_leaves(builder, sets, [1] * len(sets)), strict=True):
        terms[r] = Terms(numbers, literals)
    return [terms[r] for r in range(len(rows))]


def _literals(row: NDArray[np.int64], columns: NDArray[np.intp], signals: Sequence[Literal]) -> list[Literal]:
    """What a row counts: the bit of each column with +1, the inverted one with -1."""
    return [signals[c] + int(row[c] < 0) for c in columns.tolist() if row[c]]


def _blocks(builder: Builder, rows: NDArray[np.int64], signals: Sequence[Literal]) -> list[Terms]:
    """Rows of signs, in blocks of columns: in each, a row is made from the one most like it.

    A block is one column short of a multiple of four, so that its number needs all the values of its bits, and one
    column is left for the carry of each adder behind it.
    """
    width = rows.shape[1]
    quads = width // 4 or 1
    blocks = max(1, min(quads, round(width / BLOCK)))
    terms = [Terms([], []) for _ in rows]
    begin = 0
    for k in range(blocks):
        size = 4 * ((k + 1) * quads // blocks - k * quads // blocks) - 1
        columns = np.arange(begin, begin + size)
        for term, number in zip(terms, _block(builder, rows, columns, signals), strict=True):
            term.numbers.append(number)
        begin += size
    for term, row in zip(terms, rows, strict=True):
        term.literals.extend(_literals(row, np.arange(begin, width), signals))
    return terms


def _block(
    builder: Builder, rows: NDArray[np.int64], columns: NDArray[np.intp], signals: Sequence[Literal]
) -> list[Number]:
    """The numbers of all rows in one block.

    Changing the signs of the inputs D moves a count by ``2 * hits(D) - |D|``: an adder a bit narrower than the number.
    Where D is odd its low bit changes, and is the carry; where D is even one of D is the carry.
    """
    order = spanning_tree(rows[:, columns], DEPTH)
    sets, spare = [], []
    for row, parent in order:
        changed = columns if parent is None else columns[rows[row, columns] != rows[parent, columns]]
        sets.append(_literals(rows[row], changed, signals))
        spare.append(int(parent is not None and len(changed) % 2 == 0 and len(changed) > 0))
    found: dict[int, Number] = {}
    shared = zip(*share_leaves(builder, sets, spare), strict=True)
    for (row, parent), even, (numbers, literals) in zip(order, spare, shared, strict=True):
        carry = literals.pop() if even else ZERO
        if parent is None:
            found[row] = builder.total(numbers, literals)
        elif numbers or literals:
            change = builder.total(numbers, literals)
            found[row] = _step(builder, found[parent], change, carry, rows[row, columns])
        else:
            found[row] = found[parent]
    return [found[row] for row in range(len(rows))]


def _step(builder: Builder, parent: Number, change: Number, carry: Literal, signs: NDArray[np.int64]) -> Number:
    """``parent + 2 * change + 1``, or ``parent + 2 * (change + carry)``: the number of a row with these signs."""
    odd = carry == ZERO
    offset = parent.offset + 2 * change.offset + (1 if odd else 2 * (carry & 1))
    # The range is that of the row, not that of the two numbers, which have inputs in common.
    low, high = offset - int((signs < 0).sum()), offset + int((signs > 0).sum())
    width = max(2, signed_width(low, high))
    p = parent.extended(width)
    upper = builder.add(p[1:], change.extended(width - 1), p[0] if odd else carry)
    return Number((p[0] ^ odd, *upper), low, high, offset)


def digit_planes(coefficients: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
    """Coefficients as digits -1, 0 and +1, as few as there can be: (shift, digits) from the low ones on."""
    planes: list[tuple[int, NDArray[np.int64]]] = []
    rest, shift = coefficients.copy(), 0
    while rest.any():
        # An odd number takes the digit that leaves a multiple of four, unless it is itself a digit.
        digits = np.where(rest % 2 == 1, np.where((rest % 4 == 1) | (rest == 1), 1, -1), 0)
        digits = np.where(rest == -1, -1, digits)
        if digits.any():
            planes.append((shift, digits))
        rest, shift = (rest - digits) // 2, shift + 1
    return planes


def shifted_sum(builder: Builder, low: Number, high: Number, carry: Literal, shift: int) -> Number:
    """``low + (high + carry) * 2^shift``."""
    least, most = low.low + (high.low << shift), low.high + (high.high + (carry != ZERO) << shift)
    width = max(shift + 1, signed_width(least, most))
    a = low.extended(width)
    upper = builder.add(a[shift:], high.extended(width - shift), carry)
    return Number((*a[:shift], *upper), least, most, low.offset + (high.offset + (carry & 1) << shift))
