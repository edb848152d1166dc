"""Sums of constant matrices as logic, against plain numpy, and what they cost."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bnnhw.arithmetic.adder_graphs import Adder, Netlist, multiply_constant_matrix, outputs_of, schedule, signals_of
from bnnhw.arithmetic.adder_graphs.builder import Builder, Number
from bnnhw.arithmetic.adder_graphs.netlist import ONE, ZERO
from bnnhw.arithmetic.adder_graphs.terms import digit_planes
from bnnhw.arithmetic.formats import signed_width


def signs(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.int64]:
    return rng.integers(0, 2, (rows, columns)) * 2 - 1


def check(matrix: NDArray[np.int64], biases: NDArray[np.int64], seed: int = 1) -> tuple[Netlist, Netlist]:
    """The netlists of numbers and of signs, both right for random inputs, for all zeros, and for all ones."""
    count = matrix.shape[1]
    bits = np.random.default_rng(seed).integers(0, 2, (300, count)).astype(bool)
    bits[0], bits[1] = False, True
    # Each row at its ends.
    bits = np.concatenate([bits, matrix > 0, matrix < 0])
    wanted = bits.astype(np.int64) @ matrix.T + biases
    numbers = multiply_constant_matrix(matrix, biases.tolist(), signs=False)
    assert np.array_equal(numbers.evaluate(bits), wanted)
    alone = multiply_constant_matrix(matrix, biases.tolist(), signs=True)
    assert all(len(word) == 1 for word in alone.sums)
    assert np.array_equal(alone.evaluate(bits) < 0, wanted < 0)
    return numbers, alone


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(1, 1), (1, 2), (2, 3), (1, 64), (5, 4), (7, 5), (9, 6), (3, 31), (33, 17), (64, 64), (10, 130), (20, 200)],
)
def test_signs(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows * 1000 + columns)
    check(signs(rng, rows, columns), rng.integers(-columns - 2, columns + 3, rows))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 3), (8, 9), (31, 40), (64, 64), (12, 300)])
def test_ternary(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows + columns)
    check(rng.integers(-1, 2, (rows, columns)), rng.integers(-9, 9, rows))


@pytest.mark.parametrize("low", [-1, -7, -128, 0, 4])
@pytest.mark.parametrize("shift", [0, 3])
def test_integers(low: int, shift: int) -> None:
    rng = np.random.default_rng(200 + low)
    check(rng.integers(low, 8, (9, 14)) << shift, rng.integers(-2000, 2000, 9))


def test_rows_alike_opposite_and_zero() -> None:
    rng = np.random.default_rng(3)
    matrix = signs(rng, 12, 20)
    matrix[3], matrix[4], matrix[5] = matrix[2], -matrix[2], 0
    matrix[6:8] = 0
    matrix[7, 11] = -1
    check(matrix, np.arange(12) - 6)


def test_nothing_but_zeros_takes_no_logic() -> None:
    for netlist in check(np.zeros((4, 5), np.int64), np.array([-3, -1, 0, 8])):
        assert netlist.luts == 0


def test_mostly_zeros_cost_what_is_left() -> None:
    rng = np.random.default_rng(4)
    matrix = signs(rng, 64, 200) * (rng.random((64, 200)) < 0.05)
    _, alone = check(matrix, np.zeros(64, np.int64))
    assert alone.luts <= 1.7 * np.count_nonzero(matrix)


@pytest.mark.parametrize(("rows", "columns", "most"), [(64, 64, 0.60), (64, 256, 0.67), (256, 64, 0.54)])
def test_signs_share(rows: int, columns: int, most: float) -> None:
    """The figures of docs/constants.md, not to be worsened unnoticed."""
    matrix = signs(np.random.default_rng(0), rows, columns)
    assert multiply_constant_matrix(matrix, [0] * rows, signs=True).luts <= most * rows * columns


def test_is_always_the_same() -> None:
    matrix = signs(np.random.default_rng(0), 64, 784)
    once = multiply_constant_matrix(matrix, [0] * 64, signs=True)
    assert vars(multiply_constant_matrix(matrix, [0] * 64, signs=True)) == vars(once)


@pytest.mark.parametrize("levels", [None, 1, 2, 3, 100])
def test_schedule(levels: int | None) -> None:
    """Nothing is read before it is there, and no path between two registers is longer than `levels`."""
    matrix = np.random.default_rng(5).integers(-1, 2, (20, 50))
    netlist = multiply_constant_matrix(matrix, [0] * 20, signs=True)
    plan = schedule(netlist, levels)
    made = dict.fromkeys(range(netlist.inputs + 1), 0)
    level: dict[int, int] = {}
    registers = dict.fromkeys(range(netlist.inputs + 1), 0)
    for gate, stage, depth in zip(netlist.gates, plan.of_gate, plan.depth, strict=True):
        assert all(level.get(signal, 0) < depth for signal in signals_of(gate))
        assert all(made[signal] <= stage for signal in signals_of(gate))
        assert levels is None or stage * levels < depth <= (stage + 1) * levels
        for signal in signals_of(gate):
            registers[signal] = max(registers[signal], stage - made[signal])
        for output in outputs_of(gate):
            made[output], level[output], registers[output] = stage, depth, 0
    for (bit,) in netlist.sums:
        registers[bit >> 1] = plan.stages - 1 - made[bit >> 1]
    assert plan.registers(netlist) == sum(registers.values())
    assert plan.stages == 1 + max(plan.of_gate)
    assert levels != 100 or plan.registers(netlist) == 0


def test_schedule_of_wires() -> None:
    netlist = multiply_constant_matrix(np.array([[1]]), [0], signs=False)
    assert not netlist.gates
    assert schedule(netlist, 1).stages == 1


def test_digits() -> None:
    values = np.arange(-300, 300)
    planes = digit_planes(values)
    assert np.array_equal(sum(digits << shift for shift, digits in planes), values)
    assert all(np.isin(digits, (-1, 0, 1)).all() for _, digits in planes)
    used = np.stack([digits != 0 for _, digits in planes])
    assert not (used[1:] & used[:-1]).any()  # no two digits side by side: as few as can be


def test_equal_functions_are_one() -> None:
    builder = Builder(3)
    assert builder.lut((2, 4), lambda a, b: a & b) == builder.lut((4, 2, ONE), lambda a, b, c: a & b & c)
    assert builder.lut((2, 3), lambda a, b: a | b) == ONE
    assert builder.lut((2, 5, 5), lambda a, b, c: b & c) == 5
    assert builder.lut((2, 4, 6), lambda a, b, c: 0) == ZERO
    assert len(builder.gates) == 1


@pytest.mark.parametrize("width", range(1, 8))
def test_comparison(width: int) -> None:
    builder = Builder(width + 1)
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    number = Number(tuple(2 * k + 2 for k in range(width)), low, high, 0)
    carry = 2 * width + 2
    thresholds = range(low - 1, high + 3)
    words = tuple((builder.at_least(number, threshold, carry),) for threshold in thresholds)
    netlist = Netlist(width + 1, tuple(builder.gates), words)
    values = np.arange(1 << width + 1)
    bits = (values[:, None] >> np.arange(width + 1)) & 1 == 1
    number_of = (values & (1 << width) - 1 ^ 1 << width - 1) + low + (values >> width)
    assert np.array_equal(netlist.evaluate(bits) < 0, number_of[:, None] >= np.array(thresholds))


def test_widths() -> None:
    assert [signed_width(*ends) for ends in ((0, 0), (-1, 0), (0, 1), (-2, 1), (-3, 0), (0, 7), (-9, 3))] == [
        1, 1, 2, 2, 3, 4, 5,
    ]  # fmt: skip


def test_inverters_of_carry_chains_are_counted() -> None:
    gate = Adder((2, 5, 7), (4, 4, 5), 9, (5, 6, 7))
    assert Netlist(4, (gate,), ((10, 12, 14),)).luts == 4 + 3
    assert Netlist(4, (Adder((2, 4), (6, 8), ONE, (5, 6)),), ((10, 12),)).luts == 2
