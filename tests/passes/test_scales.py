"""Quantisers of many levels: the multiplication is the chain in exact arithmetic, for every integer, in fractions."""

from fractions import Fraction
from math import ceil, floor, trunc

import numpy as np
import pytest

from bnnhw.arithmetic.formats import IntegerRange
from bnnhw.ir.nodes import Activation, Arithmetic, Clip, Dequant, Quant, Scale
from bnnhw.passes import scales
from bnnhw.passes.levels import spaced
from bnnhw.passes.values import levels
from bnnhw.reference.kernels import scale

UNNAMED = {"name": "", "inputs": (), "output": ""}
HALF = Fraction(1, 2)
ROUNDINGS = {
    "ROUND": round,
    "FLOOR": floor,
    "CEIL": ceil,
    "ROUND_TO_ZERO": trunc,
    "UP": lambda v: ceil(v) if v > 0 else floor(v),
    "HALF_UP": lambda v: floor(v + HALF) if v > 0 else ceil(v - HALF),
    "HALF_DOWN": lambda v: ceil(v - HALF) if v > 0 else floor(v + HALF),
}
LOW, HIGH = -280, 330


def exactly(number):
    return Fraction(float(number))


def dequant(*values):
    return Dequant(**UNNAMED, scale=np.array(values, np.float64))


def arithmetic(operation, *values):
    return Arithmetic(**UNNAMED, operation=operation, operand=np.array(values, np.float32))


def leaky(*slopes):
    return Activation(**UNNAMED, function="leaky_relu", alpha=np.array(slopes, np.float32))


def quant(scale_, bits=10, rounding="ROUND", zero=0.0, signed=True):
    return Quant(
        **UNNAMED, scale=np.float32(scale_), zero_point=np.float32(zero), bits=bits, signed=signed, narrow=False,
        rounding=rounding,
    )  # fmt: skip


def truth(steps, x, c):
    """The level that one integer of channel c becomes, as a whole multiple of the quantiser's scale."""
    value = Fraction(x)
    for step in steps:
        if isinstance(step, Dequant):
            value *= exactly(step.scale.reshape(-1)[c % step.scale.size])
        elif isinstance(step, Arithmetic):
            operand = exactly(step.operand.reshape(-1)[c % step.operand.size])
            value = {"add": value + operand, "mul": value * operand, "div": value / (operand or 1)}[step.operation]
        elif isinstance(step, Activation):
            value = value * exactly(step.alpha.reshape(-1)[c % step.alpha.size]) if value < 0 else value
        elif isinstance(step, Clip):
            value = max(exactly(step.low), value)
            value = min(exactly(step.high), value) if np.isfinite(step.high) else value
        else:
            bits = step.bits
            low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if step.signed else (0, (1 << bits) - 1)
            zero = int(step.zero_point)
            number = ROUNDINGS[step.rounding](value / exactly(step.scale) + zero)
            return min(high, max(low, number)) - zero
    raise AssertionError("no quantiser")


CHAINS = {
    "a scale": (dequant(1 / 7, 0.013, -0.3), quant(1 / 9)),
    "powers of two": (dequant(1 / 8, 1 / 16, -1 / 4), arithmetic("add", 0.25, -3.0, 0.0), quant(0.5)),
    "normalised": (dequant(0.11), arithmetic("mul", 0.7, -1.3, 0.02), arithmetic("add", 1.0, 0.3, 8.0), quant(0.031)),
    "relu": (dequant(0.4, 0.1, 0.2), Clip(**UNNAMED, low=0.0, high=np.inf), quant(0.3, signed=False)),
    "relu, then by channel": (
        dequant(0.25), Clip(**UNNAMED, low=0.0, high=np.inf), arithmetic("mul", 1.5, -0.5, 0.75),
        arithmetic("add", 3.0, 40.0, -7.0), quant(0.25),
    ),
    "bounded on both sides": (
        dequant(0.25), Clip(**UNNAMED, low=-50.0, high=90.0), arithmetic("add", 1.0, -0.5, 7.25), quant(0.3),
    ),
    "two slopes": (
        dequant(0.3, -0.2, 0.5), arithmetic("add", -9.3, 4.0, 0.5), leaky(0.25, 0.1, 0.0),
        arithmetic("add", 2.0, 1.0, -3.0), quant(0.3),
    ),
    "zero point": (dequant(0.3, 0.7, -0.4), quant(0.6, bits=9, zero=-17.0, signed=True)),
    "divided": (dequant(1 / 3), arithmetic("div", 3.0, -0.7, 1.1), quant(0.1)),
    "a constant channel": (dequant(0.3), arithmetic("mul", 0.0, 1.0, 2.0), quant(0.1)),
}  # fmt: skip


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", CHAINS)
def test_every_integer(name, rounding):
    *chain, last = CHAINS[name]
    steps = (*chain, Quant(**{**vars(last), "rounding": rounding}))
    reach = np.full(3, LOW), np.full(3, HIGH)
    target = spaced(levels(steps, IntegerRange(LOW, HIGH)))
    found = scales.find(steps, reach, target)
    if name == "two slopes" and rounding in ("ROUND_TO_ZERO", "UP"):
        assert found is None  # which takes a third piece, from zero to where the slope changes
        return
    assert found is not None
    node = Scale(**UNNAMED, dtype=target.dtype, **found)
    x = np.arange(LOW, HIGH + 1)
    codes = scale(node, np.repeat(x[:, None], 3, axis=1))
    for c in range(3):
        assert codes[:, c].tolist() == [truth(steps, int(value), c) for value in x], c


def test_what_follows_the_quantiser():
    """A factor below zero turns the codes around, and a clip cuts them off."""
    steps = (dequant(0.3), quant(0.25), arithmetic("mul", -2.0), Clip(**UNNAMED, low=-100.0, high=50.0))
    reach = np.full(1, LOW), np.full(1, HIGH)
    target = spaced(levels(steps, IntegerRange(LOW, HIGH)))
    node = Scale(**UNNAMED, dtype=target.dtype, **scales.find(steps, reach, target))
    x = np.arange(LOW, HIGH + 1)
    wanted = [min(100, max(-200, -truth(steps[:2], int(v), 0))) for v in x]
    assert scale(node, x[:, None])[:, 0].tolist() == wanted


@pytest.mark.parametrize(
    "steps",
    [
        (dequant(0.3), Activation(**UNNAMED, function="tanh", alpha=np.float32(1)), quant(1 / 512)),
        (dequant(0.3), quant(0.25), arithmetic("mul", 0.7), quant(0.125)),
    ],
    ids=["tanh", "two quantisers"],
)
def test_what_no_multiplication_says(steps):
    target = spaced(levels(steps[-1:], IntegerRange(LOW, HIGH)))
    assert scales.find(steps, (np.full(1, LOW), np.full(1, HIGH)), target) is None


def test_noise_tells_where_float32_rounds():
    reach = np.full(1, LOW), np.full(1, HIGH)
    for steps, rounds in [((dequant(0.25), quant(0.5)), False), ((dequant(0.1), quant(0.03)), True)]:
        target = spaced(levels(steps, IntegerRange(LOW, HIGH)))
        found = scales.find(steps, reach, target)
        assert bool(found["noise"].any()) is rounds
        assert found["noise"].max() < 1e-3
