"""Adders and small functions of bits, and what they compute: the sums of a constant matrix as logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A literal is twice the number of a signal, plus one where the signal is inverted. Signal 0 is the constant zero.
ZERO, ONE = 0, 1
Literal = int
Bits = tuple[Literal, ...]

MAX_LUT_INPUTS = 4  # of a LUT


@dataclass(frozen=True)
class Lut:
    """A function of a few signals: bit k of `table` is its value where the signals read as the number k."""

    signals: tuple[int, ...]
    table: int
    output: int


@dataclass(frozen=True)
class Adder:
    """A carry chain: the sum of two numbers and a carry, as wide as the numbers; `outputs` are its signals, low first.

    Inverted literals in `a` and `b` cost a LUT each, once in a netlist: carry chains have no inverters.
    """

    a: Bits
    b: Bits
    carry: Literal
    outputs: tuple[int, ...]

    @property
    def positions(self) -> int:
        """Places in the carry chain; a carry that is a signal comes in over one of its own."""
        return len(self.outputs) + (self.carry > ONE)


Gate = Lut | Adder


@dataclass(frozen=True, eq=False)
class Netlist:
    """Sums of input bits. Large, and so equal only to itself.

    Parameters
    ----------
    inputs
        How many bits come in: signals 1 .. `inputs`.
    gates
        Each after those that it reads.
    sums
        For each sum its bits, a two's complement number with the low bit first.
    """

    inputs: int
    gates: tuple[Gate, ...]
    sums: tuple[Bits, ...]

    @property
    def luts(self) -> int:
        """LUTs of four inputs, places of carry chains among them."""
        adders = [gate for gate in self.gates if isinstance(gate, Adder)]
        inverted = {bit for gate in adders for bit in (*gate.a, *gate.b, gate.carry) if bit & 1 and bit != ONE}
        tables = sum(luts_of(len(gate.signals)) for gate in self.gates if isinstance(gate, Lut))
        return tables + sum(gate.positions for gate in adders) + len(inverted)

    def evaluate(self, bits: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The sums (N, S) of N words of input bits (N, inputs)."""
        values: dict[int, NDArray[np.bool_]] = {k + 1: column for k, column in enumerate(np.asarray(bits, bool).T)}
        values[0] = np.zeros(len(bits), bool)

        def literal(bit: Literal) -> NDArray[np.bool_]:
            value = values[bit >> 1]
            return ~value if bit & 1 else value

        for gate in self.gates:
            if isinstance(gate, Lut):
                index = _number([values[signal] for signal in gate.signals])
                entries = np.array([gate.table >> k & 1 for k in range(1 << len(gate.signals))], np.bool_)
                values[gate.output] = entries[index]
            else:
                total = _number([literal(bit) for bit in gate.a]) + _number([literal(bit) for bit in gate.b])
                total += literal(gate.carry)
                for k, output in enumerate(gate.outputs):
                    values[output] = (total >> k) & 1 == 1
        columns = []
        for word in self.sums:
            unsigned = _number([literal(bit) for bit in word])
            columns.append(unsigned - (literal(word[-1]).astype(np.int64) << len(word)))
        return np.stack(columns, axis=1)


def luts_of(inputs: int) -> int:
    """LUTs of four inputs for any function of so many: those of four, and what selects among them."""
    return 1 if inputs <= MAX_LUT_INPUTS else (2 << inputs - MAX_LUT_INPUTS) - 1


def _number(bits: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
    total = np.zeros(len(bits[0]), np.int64)
    for k, bit in enumerate(bits):
        total += bit.astype(np.int64) << k
    return total
