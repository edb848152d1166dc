"""One layer of hardware, vector buffer to thresholds, over the grid of formats, foldings and stalls."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.arithmetic.formats import BIPOLAR, DataType
from bnnhw.arithmetic.popcount_tree import popcount_latency
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.generate.circuits import circuit
from campaigns.random_networks import (
    ACTIVATIONS,
    INPUTS,
    WEIGHTS,
    grouped_layer,
    layer_plan,
    random_layer,
    random_values,
)
from tests.gateware.bench import run_stream, stalls


class LayerUnits(wiring.Component):
    """The units of one layer as one component; sums come as plain bits."""

    def __init__(self, layer, plan):
        held = layer.contents(plan, "ecp5")
        self._units = [circuit(unit, held.get(part)) for part, unit in layer.units(plan, "ecp5")]
        width = plan.pe * layer.dtype.bits
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(plan.i_lanes * layer.input.bits))),
                "o": Out(stream.Signature(frame_layout(width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        source = wiring.flipped(self.i)
        for unit in self._units:
            m.submodules += unit
            wiring.connect(m, source, unit.i)
            source = unit.o
        wiring.connect(m, source, wiring.flipped(self.o))
        return m


def beats(plan, dtype, vectors):
    codes = np.zeros((len(vectors), plan.sf * plan.simd), np.int64)
    codes[:, : plan.mw] = dtype.encode(vectors)
    for row in codes.reshape(len(vectors), plan.sf, plan.simd):
        for k, beat in enumerate(row):
            yield {
                "data": sum(int(code) << (lane * dtype.bits) for lane, code in enumerate(beat)),
                "last": int(k == plan.sf - 1),
            }


def unpack(plan, bits, seen):
    rows = np.array([[(beat["data"] >> (bits * p)) & ((1 << bits) - 1) for p in range(plan.pe)] for beat in seen])
    return rows.reshape(-1, plan.nf * plan.pe)


def check(rng, weight, x, activation, mw, mh, pe, simd, levels, *, stall=0.3, vectors=5):
    layer = random_layer(rng, "fc", mw, mh, weight, x, activation)
    plan = layer_plan(layer, pe, simd, levels)
    dut = LayerUnits(layer, plan)
    values = random_values(rng, x, (vectors, mw))
    seen = run_stream(
        dut,
        beats(plan, x, values),
        i_stall=stalls(1, stall),
        o_stall=stalls(2, stall),
        count=vectors * plan.nf,
    )
    assert [beat["last"] for beat in seen.beats] == ([0] * (plan.nf - 1) + [1]) * vectors
    sums = values @ layer.node.weight.T.astype(np.int64)
    node = layer.threshold
    bits = layer.dtype.bits
    found = unpack(plan, bits, seen.beats)
    if node is None:
        signed = found[:, :mh] - ((found[:, :mh] >> (bits - 1)) << bits)
        assert (signed == sums).all()
    else:
        expected = node.offset + node.step * (sums[:, :, None] >= node.thresholds[None]).sum(axis=-1)
        assert (node.dtype.decode(found[:, :mh]) == expected).all()
        assert not found[:, mh:].any(), "rows past the matrix must be zero"
    return plan, seen


@pytest.mark.parametrize("x", INPUTS, ids=str)
@pytest.mark.parametrize("weight", WEIGHTS, ids=str)
def test_grid_of_formats(weight, x):
    rng = np.random.default_rng([WEIGHTS.index(weight), INPUTS.index(x)])
    activation = [None, *ACTIVATIONS][int(rng.integers(len(ACTIVATIONS) + 1))]
    mw, mh = int(rng.integers(2, 15)), int(rng.integers(1, 8))
    pe, simd = int(rng.integers(1, mh + 1)), int(rng.integers(1, mw + 1))
    check(rng, weight, x, activation, mw, mh, pe, simd, [None, 1, 2][int(rng.integers(3))])


@pytest.mark.parametrize("simd", [1, 2, 5, 7, 12])
@pytest.mark.parametrize("pe", [1, 2, 3, 5])
def test_grid_of_foldings(pe, simd):
    check(np.random.default_rng(pe * 20 + simd), BIPOLAR, BIPOLAR, BIPOLAR, 12, 5, pe, simd, None)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_every_kind_of_threshold(activation):
    check(np.random.default_rng(7), BIPOLAR, BIPOLAR, activation, 9, 5, 2, 4, None)


def test_eight_bit_activations_are_searched():
    check(np.random.default_rng(8), BIPOLAR, DataType("uint", 8), DataType("uint", 8), 6, 3, 2, 3, None, vectors=3)


@pytest.mark.parametrize(("pe", "simd", "levels"), [(4, 3, None), (2, 3, None), (2, 4, 1), (4, 12, 2)])
def test_timing(pe, simd, levels):
    """Back to back, a vector takes nf * sf cycles, and sums follow the last beat of a pass by the documented
    latency."""
    plan, seen = check(
        np.random.default_rng(3), BIPOLAR, BIPOLAR, BIPOLAR, 12, 4, pe, simd, levels, stall=0.0, vectors=8
    )
    steady = np.diff(seen.emit_cycles[plan.nf * 4 :])
    assert (steady == plan.sf).all()
    if plan.nf == 1:
        assert seen.emit_cycles[0] - seen.accept_cycles[plan.sf - 1] == 3 + popcount_latency(simd - (simd == 4), levels)


# Groups, and channels and outputs of each; PE and SIMD.
GROUPS = [
    ((4, 1, 1), (1, 1)),
    ((4, 1, 1), (4, 1)),
    ((6, 1, 2), (1, 1)),
    ((6, 1, 2), (6, 1)),
    ((3, 4, 6), (2, 2)),
    ((3, 4, 6), (6, 4)),
    ((4, 3, 2), (4, 3)),
]


@pytest.mark.parametrize("x", INPUTS, ids=str)
@pytest.mark.parametrize("weight", WEIGHTS, ids=str)
def test_groups(weight, x):
    """Each group's own matrix on its own channels, over the grid of formats."""
    case = WEIGHTS.index(weight) * len(INPUTS) + INPUTS.index(x)
    rng = np.random.default_rng(case)
    (groups, channels, outputs), (pe, simd) = GROUPS[case % len(GROUPS)]
    activation = [None, *ACTIVATIONS][int(rng.integers(len(ACTIVATIONS) + 1))]
    layer = grouped_layer(rng, weight, x, activation, groups, channels, outputs)
    plan = replace(layer.unfolded(), pe=pe, simd=simd, popcount_levels=[None, 1][case % 2])
    plan.check("here")
    values = random_values(rng, x, (5, groups * channels))
    codes = x.encode(values).reshape(-1, plan.i_lanes)
    given = [{"data": sum(int(code) << (lane * x.bits) for lane, code in enumerate(beat))} for beat in codes]
    seen = run_stream(LayerUnits(layer, plan), given, i_stall=stalls(1, 0.3), o_stall=stalls(2, 0.3), count=5 * plan.nf)
    assert [beat["last"] for beat in seen.beats] == ([0] * (plan.nf - 1) + [1]) * 5
    matrices = layer.node.weight.reshape(groups, outputs, channels).astype(np.int64)
    parts = values.reshape(5, groups, channels)
    sums = np.concatenate([parts[:, g] @ matrices[g].T for g in range(groups)], axis=1)
    found, node = unpack(plan, layer.dtype.bits, seen.beats), layer.threshold
    if node is None:
        bits = layer.dtype.bits
        assert (found - ((found >> (bits - 1)) << bits) == sums).all()
    else:
        expected = node.offset + node.step * (sums[:, :, None] >= node.thresholds[None]).sum(axis=-1)
        assert (node.dtype.decode(found) == expected).all()


def test_timing_of_groups():
    """As that of a matrix: a beat per cycle, and two rows' sums each after the taps of their channels."""
    layer = grouped_layer(np.random.default_rng(1), BIPOLAR, BIPOLAR, BIPOLAR, 4, 6, 1)
    plan = replace(layer.unfolded(), pe=2, simd=6, popcount_levels=None)
    seen = run_stream(LayerUnits(layer, plan), [{"data": 0}] * 20, count=20)
    assert seen.emit_cycles[0] - seen.accept_cycles[0] == 3
    assert (np.diff(seen.emit_cycles) == 1).all()
