"""What has a reset is what controls: the registers of data have none, however many there are.

A reset of data reaches hundreds of registers within a cycle, and its wire is the longest of a large design. So units
are built twice, with narrow and with wide data, and must have the same registers with a reset.
"""

import numpy as np
import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from bnnhw import units
from bnnhw.arithmetic.adder_graphs import multiply_constant_matrix
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.generate.circuits import circuit
from bnnhw.ir.geometry import Geometry
from bnnhw.units import UNITS
from bnnhw.units.add_streams import SumContents, Weighing
from bnnhw.units.code_table import TableContents
from bnnhw.units.label_select import ScoreContents
from bnnhw.units.matrix_vector import MatrixContents
from bnnhw.units.pool import PoolContents
from bnnhw.units.scale import ScaleContents
from bnnhw.units.threshold import ThresholdContents
from bnnhw.units.threshold_difference import DifferenceContents

PADDED = Geometry((3, 2), (2, 1), pads=(1, 0, 1, 1))


def registers(fragment):
    """Names and widths of all registers with a reset, in a circuit and all below it."""
    found = []
    for domain, statements in fragment.statements.items():
        if domain != "comb":
            signals = {id(signal): signal for statement in statements for signal in statement._lhs_signals()}
            found += [(signal.name, len(signal)) for signal in signals.values() if not signal.reset_less]
    for below, *_ in fragment.subfragments:
        found += registers(below)
    return sorted(found)


def uint(n):
    return DataType("uint", n)


def matrix(n, **options):
    choice = {"levels": 1, "registered": True, "weight_latency": 2, "input_dtype": BIPOLAR, "simd": 3} | options
    unit = units.MatrixVectorUnit(
        pe=n, sf=2, nf=3, weight_dtype=BIPOLAR, width=2 * n, divisor=1, vectors=1, groups=1,
        weight_memory="block", bias_memory="lut", family="ice40", read_bits=2 * n, **choice,
    )  # fmt: skip
    return unit, MatrixContents([0] * 6, [[0] * n] * 3)


def constant(n):
    netlist = multiply_constant_matrix(np.ones((n, 4 * n), int), [0] * n, signs=True)
    unit = units.ConstantMatrixUnit(
        netlist, BIPOLAR, 4, tuple(range(4 * n)), 4 * n, None, True, "lutram", "ecp5", signs=True
    )  # fmt: skip
    return unit, None


def total(n):
    coefficients, dtypes = [1, [1, 2, 3]], (uint(n),) * 2
    weighing = Weighing.of(coefficients, dtypes, 1)
    return units.AddStreams(dtypes, 1, uint(2 * n), weighing), SumContents(coefficients)


def window(n, fill, tall):
    return units.SlidingWindow(n, 4, 2, 5, 4, PADDED, fill, fill is None, tall, 0, "registers"), None


def thresholds(n, count):
    rows = [[[0, *range(1, count)]] * n] * 3
    return units.ThresholdUnit(n, 3, n, 4 + n, count, 4, 1, "lut"), ThresholdContents(rows, list(range(count + 1)))


def scale(n, pieces):
    unit = units.ScaleUnit(uint(2 * n), n, 3, n, 1, pieces, None, 4, 10, 2, False, 0, 4, "block", "lut")
    one = [[1] * 3 * n]
    return unit, ScaleContents(one * pieces, one * pieces, one * (pieces - 1), [0], [9], 0, 1)


def labels(n, affine):
    return units.LabelSelect(4 * n, 4, 2, affine, 2 * affine), ScoreContents([1 + affine] * 4, [0] * 4)


# Each unit with data of so many bits, or rows and columns; at least one example of each kind.
EXAMPLES = {
    "frame guard": lambda n: (units.FrameGuard(2 * n, 3, n), None),
    "frame status": lambda n: (units.FrameStatus(3), None),
    "split": lambda n: (units.VectorSplit(n, 3), None),
    "join": lambda n: (units.VectorJoin(n, 3), None),
    "fork": lambda n: (units.Fork(n, 3), None),
    "fifo": lambda n: (units.StreamFifo(n, 3, "registers"), None),
    "cut and collect": lambda n: (units.WidthConverter(n, 20, 6, 9), None),
    "window": lambda n: window(n, 0, tall=False),
    "window, columns": lambda n: window(n, 0, tall=True),
    "window of a pool": lambda n: window(n, None, tall=False),
    "maximum": lambda n: (units.Pool(uint(n), 1, 3, "max", uint(n)), PoolContents([False] * 3)),
    "sum": lambda n: (units.Pool(uint(n), 1, 3, "sum", uint(2 * n)), PoolContents([False] * 3)),
    "vector buffer": lambda n: (units.VectorBuffer(n, 3, 2, 2, 3, "block"), None),
    "gather": lambda n: (units.FrameGather(n, 3, 2, 3, "block"), None),
    "frame scatter": lambda n: (units.FrameScatter(n, 3, 3, 2, "block"), None),
    "vector scatter": lambda n: (units.VectorScatter(n, 3, 2, 3, "block"), None),
    "matrix": matrix,
    "matrix, nothing registered": lambda n: matrix(n, simd=3 * n, levels=None, registered=False),
    "matrix of shared counts": lambda n: matrix(n, input_dtype=TERNARY),
    "constant matrix": constant,
    "sum of streams": total,
    "concat": lambda n: (units.Concat((uint(n),) * 2, 2, (2, 4), uint(n)), None),
    "slice": lambda n: (units.Slice(n, (True, False), (True, True, False)), None),
    "difference": lambda n: (units.ThresholdDifference(uint(n), 1, 3, 2 * n), DifferenceContents([1] * 3, [1, -1, 1])),
    "thresholds at once": lambda n: thresholds(n, 3),
    "thresholds searched": lambda n: thresholds(n, 7),
    "code table": lambda n: (units.CodeTable(n, 3, 4, 3, 1, "lut"), TableContents([[[7, 6, 5, 6, 7]] * n] * 3)),
    "scale": lambda n: scale(n, 1),
    "scale of two pieces": lambda n: scale(n, 2),
    "label select": lambda n: labels(n, affine=False),
    "label select of scores": lambda n: labels(n, affine=True),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_data_has_no_reset(name):
    narrow, wide = (registers(Fragment.get(circuit(*EXAMPLES[name](n)), None)) for n in (2, 5))
    assert narrow == wide, "Signal(..., reset_less=True), or data_register for what is at an output"


def test_every_unit_is_asked():
    assert {type(example(2)[0]) for example in EXAMPLES.values()} == set(UNITS)


class Held(wiring.Component):
    """A register of data with a reset."""

    def __init__(self, n):
        super().__init__({"o": Out(n)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.o + 1)
        return m


def test_a_reset_of_data_is_found():
    assert registers(Fragment.get(Held(2), None)) != registers(Fragment.get(Held(5), None))
