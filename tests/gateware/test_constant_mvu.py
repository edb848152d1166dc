"""The matrix-vector unit with constant weights: right sums, whatever stalls, and its timing."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from bnnhw.arithmetic.adder_graphs import multiply_constant_matrix
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.gateware.arithmetic.constant_mvu import ConstantMatrixUnit, function
from tests.gateware.bench import run_stream, stalls


def unit_of(matrix, dtype, *, signs=False, **options):
    weights = np.array(dtype.plane_weights)
    coefficients = (matrix[:, :, None] * weights).reshape(len(matrix), -1)
    biases = (dtype.plane_offset * matrix.sum(axis=1)).tolist()
    netlist = multiply_constant_matrix(coefficients, biases, signs=signs)
    return ConstantMatrixUnit(netlist, dtype, width=20, kind="registers", **options)


def vectors(rng, dtype, count, elements):
    values = rng.integers(0, 2, (count, elements)) * 2 - 1
    if dtype.kind != "bipolar":
        values = rng.integers(dtype.min, dtype.max + 1, (count, elements))
    words = [sum(int(code) << (k * dtype.bits) for k, code in enumerate(row)) for row in dtype.encode(values)]
    return values, [{"data": word, "last": 1} for word in words]


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.4, 0.0), (0.0, 0.6), (0.3, 0.3)], ids=str)
@pytest.mark.parametrize("family", ["ice40", "ecp5"])
@pytest.mark.parametrize("levels", [None, 1, 3])
def test_sums(rates, family, levels):
    rng = np.random.default_rng(7)
    matrix = rng.integers(-1, 2, (6, 13))
    values, beats = vectors(rng, BIPOLAR, 60, 13)
    dut = unit_of(matrix, BIPOLAR, levels=levels, family=family)
    seen = run_stream(dut, beats, i_stall=stalls(1, rates[0]), o_stall=stalls(2, rates[1]), count=60)
    assert [beat["data"] for beat in seen.beats] == (values @ matrix.T).tolist()
    assert all(beat["last"] for beat in seen.beats)


@pytest.mark.parametrize("dtype", [TERNARY, DataType("uint", 3), DataType("int", 4)], ids=str)
@pytest.mark.parametrize("signs", [False, True])
def test_formats(dtype, signs):
    rng = np.random.default_rng(8)
    matrix = rng.integers(-3, 4, (4, 7))
    values, beats = vectors(rng, dtype, 40, 7)
    seen = run_stream(unit_of(matrix, dtype, signs=signs, levels=2), beats, count=40)
    found, wanted = np.array([beat["data"] for beat in seen.beats]), values @ matrix.T
    assert np.array_equal(found < 0, wanted < 0) if signs else np.array_equal(found, wanted)


def test_order_of_elements():
    rng = np.random.default_rng(9)
    matrix, order = rng.integers(-1, 2, (3, 6)), [3, 1, 5, 0, 4, 2]
    values, beats = vectors(rng, BIPOLAR, 20, 6)
    seen = run_stream(unit_of(matrix, BIPOLAR, order=order), beats, count=20)
    assert [beat["data"] for beat in seen.beats] == (values[:, order] @ matrix.T).tolist()


@pytest.mark.parametrize("levels", [None, 1, 2])
def test_timing(levels):
    """A vector per cycle, and from a stall on as many more as the unit holds."""
    rng = np.random.default_rng(10)
    matrix = rng.integers(0, 2, (8, 30)) * 2 - 1
    _, beats = vectors(rng, BIPOLAR, 50, 30)
    dut = unit_of(matrix, BIPOLAR, levels=levels)
    seen = run_stream(dut, beats, count=50)
    assert {out - come for come, out in zip(seen.accept_cycles, seen.emit_cycles, strict=True)} == {dut.latency}
    assert (np.diff(seen.accept_cycles) == 1).all()
    dut = unit_of(matrix, BIPOLAR, levels=levels)
    stalled = run_stream(dut, beats, o_stall=[True] * 40 + [False] * 200, count=50)
    assert stalled.accept_cycles.index(41) == dut.depth
    assert [beat["data"] for beat in stalled.beats] == [beat["data"] for beat in seen.beats]


def test_refuses_what_does_not_fit():
    netlist = multiply_constant_matrix(np.array([[1, 2, 3]]), [0], signs=False)
    for dtype, width in ((TERNARY, 8), (BIPOLAR, 2)):
        with pytest.raises(ValueError, match="does not fit elements of"):
            ConstantMatrixUnit(netlist, dtype, width=width)


def test_functions():
    """Every function of up to three bits, and some of four."""
    rng = np.random.default_rng(11)
    cases = [(n, table) for n in range(4) for table in range(1 << (1 << n))]
    cases += [(4, int(table)) for table in rng.integers(0, 1 << 16, 100)]
    m, x = Module(), Signal(4)
    found = [Signal(name=f"f{k}") for k in range(len(cases))]
    m.d.comb += [value.eq(function(list(x[:n]), table)) for value, (n, table) in zip(found, cases, strict=True)]

    async def bench(ctx):
        for word in range(16):
            ctx.set(x, word)
            wanted = [table >> (word & (1 << n) - 1) & 1 for n, table in cases]
            assert [ctx.get(value) for value in found] == wanted

    sim = Simulator(m)
    sim.add_testbench(bench)
    sim.run()
