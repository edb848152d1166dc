"""Every unit against its twin: the same beats offered and taken in the same cycles, whatever stalls."""

import numpy as np
import pytest

from bnnhw.arithmetic.adder_graphs import multiply_constant_matrix, schedule
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.dataflow import twins
from bnnhw.gateware.arithmetic.add_streams import AddStreams
from bnnhw.gateware.arithmetic.constant_mvu import ConstantMatrixUnit
from bnnhw.gateware.arithmetic.mvu import MatrixVectorUnit
from bnnhw.gateware.arithmetic.threshold import ThresholdUnit
from bnnhw.gateware.arithmetic.threshold_difference import ThresholdDifference
from bnnhw.gateware.streams.concat import Concat
from bnnhw.gateware.streams.fork import Fork
from bnnhw.gateware.streams.stream_fifo import StreamFifo
from bnnhw.gateware.streams.vector_buffer import VectorBuffer
from bnnhw.gateware.streams.vector_marks import VectorJoin, VectorSplit
from bnnhw.gateware.streams.vector_scatter import VectorScatter
from bnnhw.gateware.streams.width_converter import WidthConverter
from bnnhw.gateware.windows.pool import Pool
from bnnhw.gateware.windows.sliding_window import SlidingWindow
from bnnhw.ir.geometry import Geometry
from tests.gateware.bench import run_streams, stalls

UINT4 = DataType("uint", 4)
PADDED = Geometry((3, 2), (2, 1), pads=(1, 0, 1, 1))


def matrix(sf, nf, simd=3, levels=None, registered=True, latency=1):
    unit = MatrixVectorUnit(
        pe=1,
        simd=simd,
        input_dtype=BIPOLAR,
        weight_dtype=BIPOLAR,
        weights=[k % (1 << simd) for k in range(sf * nf)],
        biases=[[0]] * nf,
        width=8,
        levels=levels,
        weight_latency=latency,
        registered=registered,
    )
    stages = latency + registered + Product(BIPOLAR, BIPOLAR).latency(simd, levels)
    return unit, twins.MatrixVectorUnit(sf, nf, stages, registered=registered)


def constant(levels):
    netlist = multiply_constant_matrix(np.arange(60).reshape(3, 20) % 3 - 1, [0] * 3, signs=True)
    unit = ConstantMatrixUnit(netlist, BIPOLAR, width=4, levels=levels, kind="registers")
    return unit, twins.ConstantMatrixUnit(schedule(netlist, levels))


def thresholds(count):
    rows = [[[0, *range(1, count)]]] * 3
    return ThresholdUnit(pe=1, width=5, thresholds=rows, codes=list(range(count + 1)), bits=4, tail=1)


def window(channels_outer):
    return SlidingWindow(1, 4, 2, 5, 4, PADDED, channels_outer=channels_outer, kind="registers")


def converter(elements, i_lanes, o_lanes):
    return WidthConverter(2, elements, i_lanes, o_lanes), twins.width_converter(elements, i_lanes, o_lanes)


# Name: unit and twin; beats of the vectors of each input; streams out.
PAIRS = {
    "vector buffer": (lambda: (VectorBuffer(4, 3, 2), twins.VectorBuffer(3, 2)), [3], 1),
    "vector buffer of one beat": (lambda: (VectorBuffer(4, 1, 3), twins.VectorBuffer(1, 3)), [1], 1),
    "vector buffer of groups": (lambda: (VectorBuffer(4, 2, 2, vectors=3, total=7), twins.VectorBuffer(2, 2, vectors=3, total=7)), [2], 1),
    "vector buffer of whole groups": (lambda: (VectorBuffer(4, 2, 1, vectors=2, total=4), twins.VectorBuffer(2, 1, vectors=2, total=4)), [2], 1),
    "scatter": (lambda: (VectorScatter(4, 2, 3, 7), twins.VectorScatter(2, 3, 7)), [2], 1),
    "scatter of whole groups": (lambda: (VectorScatter(4, 1, 2, 4), twins.VectorScatter(1, 2, 4)), [1], 1),
    "matrix": (lambda: matrix(3, 2), [3], 1),
    "matrix, late weights": (lambda: matrix(3, 2, latency=2), [3], 1),
    "matrix, a row a beat": (lambda: matrix(1, 1), [1], 1),
    "matrix, pipelined": (lambda: matrix(2, 3, 12, 1), [2], 1),
    "matrix, pipelined, a row a beat": (lambda: matrix(1, 2, 12, 2), [1], 1),
    "matrix, unregistered": (lambda: matrix(3, 2, registered=False), [3], 1),
    "matrix, unregistered, pipelined": (lambda: matrix(2, 3, 12, 1, registered=False), [2], 1),
    "matrix, unregistered, a row a beat": (lambda: matrix(1, 2, 8, 2, registered=False), [1], 1),
    "constant matrix": (lambda: constant(2), [1], 1),
    "constant matrix without registers": (lambda: constant(None), [1], 1),
    "one threshold": (lambda: (thresholds(1), twins.Wire()), [3], 1),
    "thresholds at once": (lambda: (thresholds(3), twins.Register()), [3], 1),
    "thresholds searched": (lambda: (thresholds(7), twins.Search(3)), [3], 1),
    "cut": (lambda: converter(7, 6, 2), [2], 1),
    "collect": (lambda: converter(10, 2, 6), [5], 1),
    "cut and collect": (lambda: converter(20, 6, 9), [4], 1),
    "equal lanes": (lambda: converter(8, 2, 2), [4], 1),
    "window": (lambda: (window(False), twins.SlidingWindow(2, 5, 4, PADDED, channels_outer=False)), [2], 1),
    "window of a pool": (lambda: (window(True), twins.SlidingWindow(2, 5, 4, PADDED, channels_outer=True)), [2], 1),
    "pool": (
        lambda: (Pool(UINT4, 1, 3, operation="max", minimum=[False] * 3, out_dtype=UINT4), twins.Pool(3)), [4], 1
    ),
    "pool of one tap": (
        lambda: (Pool(UINT4, 1, 1, operation="sum", minimum=[False], out_dtype=UINT4), twins.Pool(1)), [1], 1
    ),
    "fork": (lambda: (Fork(4, 3), twins.Fork(3)), [3], 3),
    "fork to one": (lambda: (Fork(4, 1), twins.Fork(1)), [3], 1),
    "add": (lambda: (AddStreams([TERNARY] * 3, [1, 2, -3], 1, DataType("int", 4)), twins.Add(3)), [3, 3, 3], 1),
    "concat": (lambda: (Concat([BIPOLAR] * 3, 2, [2, 6, 4], BIPOLAR), twins.Concat(3)), [1, 3, 2], 1),
    "concat of one": (lambda: (Concat([BIPOLAR], 2, [6], BIPOLAR), twins.Concat(1)), [3], 1),
    "join": (lambda: (VectorJoin(4, 3), twins.VectorJoin(3)), [2], 1),
    "split": (lambda: (VectorSplit(4, 3), twins.VectorSplit(3)), [12], 1),
    "offset": (lambda: (ThresholdDifference(UINT4, 1, offsets=[1, 2, 3], signs=[1, -1, 1], width=6), twins.Register()), [3], 1),
    "fifo": (lambda: (StreamFifo(4, 3), twins.StreamFifo(3)), [3], 1),
}  # fmt: skip


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (0.3, 0.3)], ids=str)
@pytest.mark.parametrize("name", PAIRS)
def test_unit_and_twin_agree(name, rates):
    make, vectors, outputs = PAIRS[name]
    unit, twin = make()
    names = [f"i{k}" for k in range(len(vectors))] if hasattr(unit, "i0") else ["i"]
    beats = {
        port: [{"last": int(k % size == size - 1)} for k in range(24 * size)]
        for port, size in zip(names, vectors, strict=True)
    }
    outs = ["o"] if hasattr(unit, "o") else [f"o{k}" for k in range(outputs)]
    ins, found = run_streams(
        unit,
        beats,
        outs,
        i_stalls={port: stalls(k, rates[0]) for k, port in enumerate(names)},
        o_stalls={port: stalls(90 + k, rates[1]) for k, port in enumerate(outs)},
        twin=twin,
    )
    assert all(port.beats for port in found.values())
    assert all(len(ins[port].beats) == len(beats[port]) for port in names)


def test_source():
    twin = twins.Source(3)
    seen = []
    for cycle in range(8):
        seen.append(twin.offers([])[0])
        assert not twin.accepts([], [True])
        twin.step([], [], [cycle % 4 != 1])
    assert [last for _, last in seen] == [False, False, False, True, False, False, False, True]
    assert all(valid for valid, _ in seen)
