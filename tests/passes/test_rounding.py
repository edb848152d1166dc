"""Bounds of float32's rounding hold what float32 gives, and where they are 0 it is exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bnnhw.arithmetic.formats import DataType
from bnnhw.ir.nodes import Arithmetic, Dequant, Node
from bnnhw.passes.rounding import added, lowest_bit, repeated, rounded
from bnnhw.passes.values import evaluate


def chain(*operations: tuple[str, float], scale: float) -> tuple[Node, ...]:
    steps: list[Node] = [Dequant(name="", inputs=(), output="", scale=np.array(scale))]
    for operation, operand in operations:
        array = np.array(operand, np.float32)
        steps.append(Arithmetic(name="", inputs=(), output="", operation=operation, operand=array))  # type: ignore[arg-type]
    return tuple(steps)


def exact(steps: tuple[Node, ...], integer: int) -> Fraction:
    value = Fraction(integer)
    for step in steps:
        if isinstance(step, Dequant):
            value *= Fraction(float(step.scale))
        else:
            assert isinstance(step, Arithmetic)
            operand = Fraction(float(step.operand))
            value = value + operand if step.operation == "add" else value * operand
            if step.operation == "div":
                value /= operand * operand
    return value


def largest(dtype):
    return np.array(float(max(-dtype.min, dtype.max)))


CHAINS = {
    "powers of two": chain(("mul", 0.5), ("add", 3.25), scale=0.125),
    "any": chain(("add", 0.3), ("mul", 1.7), ("add", -2.9), ("div", 0.7), scale=0.1),
    "cancelled": chain(("add", 1000.1), ("add", -1000.1), scale=0.01),
    "zero": chain(("mul", 0.0), ("add", 0.1), scale=0.3),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_is_no_further_off(name: str) -> None:
    steps, format_ = CHAINS[name], DataType("int", 8)
    bound = rounded(steps, largest(format_))
    integers = np.arange(format_.min, format_.max + 1)[:, None]
    found = evaluate(steps, integers)[:, 0]
    off = [abs(Fraction(float(value)) - exact(steps, int(k))) for value, k in zip(found, integers[:, 0], strict=True)]
    assert float(max(off)) <= float(bound.error)
    assert np.abs(found).max() <= float(bound.largest)
    assert (max(off) == 0) == (float(bound.error) == 0)


def test_exact_where_24_bits_hold_the_sum() -> None:
    part = rounded(chain(scale=0.75), largest(DataType("int", 8)))
    assert added([part, part]).error == 0 and repeated(part, 9).error == 0
    wide = rounded(chain(scale=2.0**-20), largest(DataType("int", 8)))
    assert added([part, wide]).error > 0


def test_lowest_bit() -> None:
    assert lowest_bit(np.array([0.75, -6.0, 0.0, 1.0])).tolist() == [0.25, 2.0, np.inf, 1.0]
