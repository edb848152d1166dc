"""Every unit's circuit against its cycle model: the same beats offered and taken in the same cycles, whatever stalls."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from bnnhw import units
from bnnhw.arithmetic.adder_graphs import multiply_constant_matrix
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.generate.circuits import circuit
from bnnhw.ir.geometry import Geometry
from bnnhw.units.add_streams import SumContents, Weighing
from bnnhw.units.code_table import TableContents
from bnnhw.units.label_select import ScoreContents
from bnnhw.units.matrix_vector import MatrixContents
from bnnhw.units.pool import PoolContents
from bnnhw.units.scale import ScaleContents
from bnnhw.units.threshold import ThresholdContents
from bnnhw.units.threshold_difference import DifferenceContents
from tests.gateware.bench import run_streams, stalls

UINT4, INT4 = DataType("uint", 4), DataType("int", 4)
PADDED = Geometry((3, 2), (2, 1), pads=(1, 0, 1, 1))


def matrix(sf, nf, simd=3, levels=None, registered=True, latency=1, groups=1):
    unit = units.MatrixVectorUnit(
        groups, simd, sf, nf, BIPOLAR, BIPOLAR, 8, 1, levels, 1, groups, "block", latency, "lut", registered, "ice40", 8
    )
    return unit, MatrixContents([k % (1 << simd) for k in range(sf * nf)], [[0] * groups] * nf)


def constant(levels, registered=True):
    netlist = multiply_constant_matrix(np.arange(60).reshape(3, 20) % 3 - 1, [0] * 3, signs=True)
    unit = units.ConstantMatrixUnit(
        netlist, BIPOLAR, 4, tuple(range(20)), 20, levels, registered, "registers", "ecp5", signs=True
    )  # fmt: skip
    return unit, None


def thresholds(count):
    rows = [[[0, *range(1, count)]]] * 3
    return units.ThresholdUnit(1, 3, 1, 5, count, 4, 1, "lut"), ThresholdContents(rows, list(range(count + 1)))


def table():
    return units.CodeTable(1, 3, 4, 3, 1, "lut"), TableContents([[[7, 6, 5, 6, 7]]] * 3)


def scale(pieces):
    unit = units.ScaleUnit(UINT4, 1, 3, 1, 1, pieces, None, 4, 10, 2, False, 0, 4, "block", "lut")
    return unit, ScaleContents([[1, 2, 3]] * pieces, [[0] * 3] * pieces, [[2] * 3] * (pieces - 1), [0], [9], 0, 1)


def difference():
    return units.ThresholdDifference(UINT4, 1, 3, 6), DifferenceContents([1, 2, 3], [1, -1, 1])


def window(channels_outer, tall=False):
    fill = None if channels_outer else 0
    return units.SlidingWindow(1, 4, 2, 5, 4, PADDED, fill, channels_outer, tall, 0, "registers"), None


def pool(chunks, operation):
    return units.Pool(UINT4, 1, chunks, operation, UINT4), PoolContents([False] * chunks)


def added(dtypes, coefficients):
    return units.AddStreams(dtypes, 1, INT4, Weighing.of(coefficients, dtypes, 1)), SumContents(coefficients)


def labels(classes, lanes, affine):
    contents = ScoreContents([1 + affine] * classes, [0] * classes)
    return units.LabelSelect(4, classes, lanes, affine, 2 * affine), contents


# Name: unit and contents; beats of the vectors of each input.
CASES = {
    "vector buffer": ((units.VectorBuffer(4, 3, 2, 1, 1, "block"), None), [3]),
    "vector buffer of one beat": ((units.VectorBuffer(4, 1, 3, 1, 1, "block"), None), [1]),
    "vector buffer of groups": ((units.VectorBuffer(4, 2, 2, 3, 7, "block"), None), [2]),
    "vector buffer of whole groups": ((units.VectorBuffer(4, 2, 1, 2, 4, "block"), None), [2]),
    "scatter": ((units.VectorScatter(4, 2, 3, 7, "block"), None), [2]),
    "scatter of whole groups": ((units.VectorScatter(4, 1, 2, 4, "block"), None), [1]),
    "gather": ((units.FrameGather(4, 3, 2, 3, "block"), None), [3]),
    "matrix": (matrix(3, 2), [3]),
    "matrix, late weights": (matrix(3, 2, latency=2), [3]),
    "matrix, a row a beat": (matrix(1, 1), [1]),
    "matrix, pipelined": (matrix(2, 3, 12, 1), [2]),
    "matrix, pipelined, a row a beat": (matrix(1, 2, 12, 2), [1]),
    "matrix, unregistered": (matrix(3, 2, registered=False), [3]),
    "matrix, unregistered, pipelined": (matrix(2, 3, 12, 1, registered=False), [2]),
    "matrix, unregistered, a row a beat": (matrix(1, 2, 8, 2, registered=False), [1]),
    "matrix of groups": (matrix(4, 3, 1, groups=2), [4]),
    "constant matrix": (constant(2), [1]),
    "constant matrix without registers": (constant(None), [1]),
    "constant matrix behind registers": (constant(2, registered=False), [1]),
    "constant matrix of one stage behind registers": (constant(None, registered=False), [1]),
    "one threshold": (thresholds(1), [3]),
    "thresholds at once": (thresholds(3), [3]),
    "thresholds searched": (thresholds(7), [3]),
    "code table": (table(), [3]),
    "scale": (scale(1), [3]),
    "scale of two pieces": (scale(2), [3]),
    "threshold difference": (difference(), [3]),
    "cut": ((units.WidthConverter(2, 7, 6, 2), None), [2]),
    "shift": ((units.WidthConverter(2, 40, 1, 20), None), [40]),
    "collect": ((units.WidthConverter(2, 10, 2, 6), None), [5]),
    "cut and collect": ((units.WidthConverter(2, 20, 6, 9), None), [4]),
    "equal lanes": ((units.WidthConverter(2, 8, 2, 2), None), [4]),
    "window": (window(False), [2]),
    "window, columns": (window(False, tall=True), [2]),
    "window of a pool": (window(True), [2]),
    "pool": (pool(3, "max"), [4]),
    "pool of one tap": (pool(1, "sum"), [1]),
    "fork": ((units.Fork(4, 3), None), [3]),
    "fork to one": ((units.Fork(4, 1), None), [3]),
    "add": (added((TERNARY,) * 3, [1, 2, -3]), [3, 3, 3]),
    "add, a coefficient a channel": (added((BIPOLAR,) * 2, [1, [1, 2, -3]]), [3, 3]),
    "concat": ((units.Concat((BIPOLAR,) * 3, 2, (2, 6, 4), BIPOLAR), None), [1, 3, 2]),
    "concat of one": ((units.Concat((BIPOLAR,), 2, (6,), TERNARY), None), [3]),
    "slice": ((units.Slice(2, (True, False, True, True), (True, True, False)), None), [4]),
    "slice of vectors": ((units.Slice(2, (True,), (False, False, True)), None), [1]),
    "slice of beats": ((units.Slice(2, (False, True, True, False), (True,)), None), [4]),
    "join": ((units.VectorJoin(4, 3), None), [2]),
    "split": ((units.VectorSplit(4, 3), None), [12]),
    "fifo": ((units.StreamFifo(4, 3, "block"), None), [3]),
    "frame guard": ((units.FrameGuard(4, 3, 2), None), [3]),
    "frame status": ((units.FrameStatus(3), None), [1]),
    "label select": (labels(5, 1, False), [5]),
    "label select of lanes": (labels(7, 3, False), [3]),
    "label select of scores": (labels(4, 2, True), [2]),
}


class Apart(wiring.Component):
    """A unit the status of which never stalls it."""

    def __init__(self, unit):
        self._unit = unit
        status = unit.signature.members["status"]
        self._gives = status.flow == wiring.Out
        super().__init__({name: m for name, m in unit.signature.members.items() if name != "status"})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = self._unit
        wiring.connect(m, wiring.flipped(self.i), unit.i)
        wiring.connect(m, unit.o, wiring.flipped(self.o))
        m.d.comb += unit.status.ready.eq(1) if self._gives else unit.status.valid.eq(1)
        return m


def built(name):
    (unit, contents), sizes = CASES[name]
    dut = circuit(unit, contents)
    if hasattr(dut, "status"):
        dut = Apart(dut)
    ins, outs = ([n for n, m in dut.signature.members.items() if m.flow == flow] for flow in (wiring.In, wiring.Out))
    return dut, unit, dict(zip(ins, sizes, strict=True)), outs


def given(unit, size, vectors):
    if isinstance(unit, units.FrameStatus):
        return [0] * vectors
    return [{"last": int(k % size == size - 1)} for k in range(vectors * size)]


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (0.3, 0.3)], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_circuit_and_cycle_model_agree(name, rates):
    dut, unit, ins, outs = built(name)
    beats = {port: given(unit, size, 24) for port, size in ins.items()}
    taken, found = run_streams(
        dut,
        beats,
        outs,
        i_stalls={port: stalls(k, rates[0]) for k, port in enumerate(ins)},
        o_stalls={port: stalls(90 + k, rates[1]) for k, port in enumerate(outs)},
        model=unit.cycle_model(),
    )
    assert all(port.beats for port in found.values())
    assert all(len(taken[port].beats) == len(beats[port]) for port in ins)


@pytest.mark.parametrize("name", CASES)
def test_latency(name):
    """Beats that come one by one, far apart: what comes out next does so that many cycles after one, or later where a
    beat is cut first."""
    dut, unit, ins, outs = built(name)
    _, found = run_streams(
        dut,
        {port: given(unit, size, min(12, 120 // size)) for port, size in ins.items()},
        outs,
        i_stalls=dict.fromkeys(ins, [False] + [True] * 79),
        idle=100,
    )
    assert min(cycle % 80 for cycle in found[outs[0]].cycles) == unit.latency
    assert getattr(dut, "latency", unit.latency) == unit.latency
