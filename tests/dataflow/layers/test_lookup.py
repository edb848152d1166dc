"""Layers of tables: what becomes logic together, as what, and how it may be folded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, BIT, TERNARY, DataType
from bnnhw.dataflow import Network, make_plan
from bnnhw.dataflow.layers import LookupLayer
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import Dense, Gather, Lookup, Sum, Threshold
from bnnhw.parts import PARTS
from bnnhw.reference.kernels import evaluate
from bnnhw.units import ConstantMatrixUnit, WidthConverter
from tests.integer_graphs import Builder

pytestmark = pytest.mark.unit


def tables(make: Builder, name: str, nodes: int, k: int) -> str:
    wiring = make.rng.integers(0, make.shape(name)[0], (nodes, k))
    return make.add(Lookup, name, wiring=wiring, tables=make.rng.integers(0, 2, (nodes, 1 << k)).astype(np.bool_))


def compared(make: Builder, name: str, bits: int, cuts: list[int], negate: bool = False) -> str:
    """Some elements compared with some cuts each."""
    name = make.add(Gather, name, places=make.rng.integers(0, make.shape(name)[0], bits))
    thresholds = make.rng.choice(cuts, (bits, 1)).astype(np.int64)
    negated = make.rng.integers(0, 2, bits).astype(np.bool_) if negate else np.zeros((), np.bool_)
    return make.add(Threshold, name, thresholds=thresholds, offset=0, step=1, dtype=BIT, negate=negated)


@pytest.mark.parametrize("k", range(1, 9))
def test_logic_is_what_the_tables_say(k):
    make = Builder(k, (12,), BIT)
    graph = make.graph(make.dense(tables(make, tables(make, make.last, 20, k), 12, min(k, 4)), 4, TERNARY))
    (layer,) = Network.of(graph).layers
    assert isinstance(layer, LookupLayer)
    assert (layer.tables, layer.mw, layer.mh, layer.result) == (32, 12, 4, layer.dtype)
    x = make.rng.integers(0, 2, (300, 12))
    expected = reference.run(graph, x, packed=False)["integers"]
    assert np.array_equal(layer.netlist.evaluate(x == 1), expected)
    assert np.array_equal(reference.run(graph, x)["integers"], expected)


@pytest.mark.parametrize(
    "dtype", [BIPOLAR, TERNARY, DataType("uint", 3), DataType("uint", 7), DataType("int", 5)], ids=str
)
@pytest.mark.parametrize("negate", [False, True])
def test_comparisons_of_codes(dtype, negate):
    make = Builder(3, (5,), dtype)
    cuts = [dtype.min - 1, dtype.min, dtype.min + 1, 0, 1, dtype.max, dtype.max + 1]
    graph = make.graph(make.dense(tables(make, compared(make, make.last, 14, cuts, negate), 9, 3), 3))
    (layer,) = Network.of(graph).layers
    values = make.rng.choice(dtype.decode(np.arange(1 << dtype.bits)), (400, 5))
    planes = np.moveaxis(dtype.planes(values), 0, -1).reshape(400, -1)
    found = values
    for node in layer.chain:
        found = evaluate(node, found)
    assert np.array_equal(layer.netlist.evaluate(planes), found)


def test_bits_go_on():
    """In front of a layer that reads its weights, and at the end of a network."""
    make = Builder(2, (8,), BIT)
    bits = tables(make, make.last, 6, 2)
    network = Network.of(make.graph(make.dense(make.threshold(make.dense(bits, 5), BIPOLAR), 3)))
    assert [layer.kind for layer in network.layers] == ["lookup", "matrix", "matrix"]
    assert (network.layers[0].dtype, network.layers[0].given(final=False)) == (BIT, BIT)
    make = Builder(2, (8,), BIT)
    (layer,) = Network.of(make.graph(tables(make, make.last, 6, 2))).layers
    assert layer.result == DataType("int", 2)
    *_, (_, unit) = layer.units(layer.unfolded(), "ice40", final=True)
    assert [len(word) for word in unit.netlist.sums] == [2] * 6


def test_a_fork_ends_what_becomes_logic_together():
    make = Builder(4, (8,), BIT)
    first = tables(make, make.last, 6, 2)
    joined = make.dense(first, 3), make.dense(tables(make, first, 5, 2), 3)
    layers = Network.of(make.graph(make.add(Sum, *joined, coefficients=np.ones((2, 1), np.int64)))).layers
    assert [len(layer.chain) for layer in layers if isinstance(layer, LookupLayer)] == [1, 1]


def test_folding():
    make = Builder(1, (10,), BIT)
    (layer,) = Network.of(make.graph(make.dense(tables(make, make.last, 12, 4), 4))).layers
    whole, four = ({"simd": n} for n in (10, 4))
    assert list(layer.foldings(1, {}, 1)) == [whole]
    assert four in list(layer.foldings(3, {}, 1))
    assert list(layer.foldings(2, {"simd": 4}, 1)) == []
    plan = layer.unfolded()
    assert (plan.cycles, plan.pe) == (10, 4)
    kinds = [type(unit) for _, unit in layer.units(plan, "ecp5")]
    assert kinds == [WidthConverter, ConstantMatrixUnit]
    with pytest.raises(PlanError, match="layer lookup.*: simd must be 1 to 10, not 11"):
        type(plan)(**{**vars(plan), "simd": 11}).check("f")
    with pytest.raises(PlanError, match="popcount_levels must be null or 1 and more, not 0"):
        type(plan)(**{**vars(plan), "popcount_levels": 0}).check("f")


def pruned(make: Builder, name: str, mh: int, live: int, weight: DataType, output: DataType) -> str:
    """Neurons with `live` weights other than zero, and thresholds within their reach."""
    mw = make.shape(name)[0]
    matrix = np.zeros((mh, mw), np.int16)
    for row in matrix:
        row[make.rng.choice(mw, live, replace=False)] = make.rng.choice([-1, 1], live) * make.rng.integers(
            1, weight.max + 1, live
        )
    name = make.add(Dense, name, weight=matrix, weight_dtype=weight, flip=np.zeros(mh, np.bool_))
    cuts = np.sort(
        make.rng.integers(-live, live + 1, (mh, len(output.decode(np.arange(1 << output.bits))) - 1)), axis=1
    )
    cuts = cuts[:, :1] if output == BIPOLAR else cuts[:, :2] if output == TERNARY else cuts
    step = 2 if output == BIPOLAR else 1
    return make.add(Threshold, name, thresholds=cuts, offset=output.min, step=step, dtype=output)


@pytest.mark.parametrize("output", [BIPOLAR, TERNARY, DataType("uint", 2), DataType("int", 2)], ids=str)
@pytest.mark.parametrize("input_", [BIPOLAR, TERNARY, DataType("uint", 2), DataType("int", 3)], ids=str)
def test_neurons_that_see_few_bits_are_tables(input_, output):
    make = Builder(7, (40,), input_)
    name = pruned(make, make.last, 30, 6 // len(input_.plane_weights), DataType("int", 8), output)
    name = pruned(make, name, 50, 6 // len(output.plane_weights), DataType("int", 8), BIPOLAR)
    graph = make.graph(make.dense(name, 3))
    first, second = Network.of(graph).layers
    assert (first.kind, first.tables, first.dtype, second.kind) == ("lookup", 80, BIPOLAR, "matrix")
    values = make.rng.choice(np.unique(input_.decode(np.arange(1 << input_.bits))), (300, 40))
    planes = np.moveaxis(input_.planes(values), 0, -1).reshape(300, -1)
    found = values
    for node in first.chain:
        found = evaluate(node, found)
    assert np.array_equal(first.netlist.evaluate(planes) & 1, BIPOLAR.encode(found))


@pytest.mark.parametrize("output", [TERNARY, DataType("int", 3)], ids=str)
def test_codes_and_sums_at_the_end(output):
    """Ternary codes as they are stored, and sums of a few numbers."""
    make = Builder(3, (40,), BIPOLAR)
    name = pruned(make, make.last, 30, 4, TERNARY, output)
    network = Network.of(make.graph(make.dense(make.threshold(make.dense(name, 5), BIPOLAR), 3)))
    assert [layer.kind for layer in network.layers] == ["lookup", "matrix", "matrix"]
    layer = network.layers[0]
    x = make.rng.choice([-1, 1], (300, 40))
    found = x
    for node in layer.chain:
        found = evaluate(node, found)
    words = layer.netlist.evaluate(x == 1) & (1 << output.bits) - 1
    assert np.array_equal(words, output.encode(found))
    make = Builder(3, (40,), BIPOLAR)
    name = pruned(make, make.last, 30, 4, TERNARY, output)
    weight = np.zeros((4, 30), np.int16)
    weight[np.arange(4), [3, 7, 7, 20]] = [1, -1, 1, 1]
    name = make.add(Dense, name, weight=weight, weight_dtype=TERNARY, flip=np.zeros(4, np.bool_))
    graph = make.graph(name)
    (layer,) = Network.of(graph).layers
    assert np.array_equal(layer.netlist.evaluate(x == 1), reference.run(graph, x)["integers"])


def test_neurons_stay_a_matrix_where_tables_are_larger():
    make = Builder(2, (8,), BIPOLAR)
    name = pruned(make, make.last, 6, 6, TERNARY, BIPOLAR)
    assert [layer.kind for layer in Network.of(make.graph(make.dense(name, 3))).layers] == ["matrix", "matrix"]


def test_registers_are_further_apart_where_more_do_not_fit():
    make = Builder(5, (30,), BIT)
    name = make.last
    for _ in range(5):
        name = tables(make, name, 60, 2)
    network = Network.of(make.graph(make.dense(name, 5, TERNARY)))
    plans = [make_plan(network, replace(PARTS["ice40-hx8k"], lut4=lut4), clock_mhz=50) for lut4 in (7680, 520)]
    assert [plan.layers[0].popcount_levels for plan in plans] == [2, 4]
    assert [plan.layers[0].cycles for plan in plans] == [1, 1]
    with pytest.raises(PlanError, match="does not fit"):
        make_plan(network, replace(PARTS["ice40-hx8k"], lut4=100), clock_mhz=50)
