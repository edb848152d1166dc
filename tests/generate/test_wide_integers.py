"""Integers that go on without thresholds, and tensors that are read in another shape: graphs that no random network
has, through their Verilog, against the reference and the cycle model."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.dataflow import Network
from bnnhw.dataflow.layers import AddLayer, ConcatLayer, MatrixLayer, PoolLayer, ThresholdLayer
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import (
    Concat,
    MaxPool,
    Reshape,
    Sum,
    SumPool,
)
from tests.generate.test_convolutional import check
from tests.integer_graphs import UINT2, Builder

pytestmark = pytest.mark.sim

UINT8, INT8 = DataType("uint", 8), DataType("int", 8)


def several_thresholds_of_one_layer(seed):
    make = Builder(seed, (9,), UINT2)
    sums = make.dense(make.last, 6)
    ways = [make.threshold(sums, dtype) for dtype in (BIPOLAR, TERNARY, UINT2)]
    return make.graph(make.dense(make.add(Concat, *ways), 3)), {MatrixLayer, ThresholdLayer, ConcatLayer}


def thresholds_of_negated_sums(seed):
    make = Builder(seed, (9,), UINT2)
    sums = make.threshold(make.dense(make.last, 6), negate=True)
    return make.graph(make.dense(sums, 3)), {MatrixLayer, ThresholdLayer}


def sums_pooled(seed):
    make = Builder(seed, (5, 4, 2), UINT2)
    sums = make.conv(make.last, 3)
    most = make.add(MaxPool, sums, geometry=Geometry((2, 2)), minimum=np.array([False, True, False]))
    total = make.add(SumPool, sums, geometry=Geometry((2, 2)))
    flat = [make.add(Reshape, make.threshold(way), shape=(18,)) for way in (most, total)]
    both = make.add(Sum, *flat, coefficients=np.array([[1], [2]]))
    return make.graph(make.dense(make.threshold(both, TERNARY), 3)), {MatrixLayer, PoolLayer, AddLayer, ThresholdLayer}


def sums_added_and_joined(seed):
    make = Builder(seed, (7,), UINT8)
    first, second = make.dense(make.last, 4, INT8), make.dense(make.last, 4)
    factors = np.array([[1, -2, 300, 0], [5, 5, 5, 5]])
    added = make.add(Sum, first, second, coefficients=factors)
    joined = make.add(Concat, added, first, make.threshold(second))
    return make.graph(make.dense(make.threshold(joined), 3)), {MatrixLayer, AddLayer, ConcatLayer, ThresholdLayer}


def thirty_bits(seed):
    make = Builder(seed, (6,), UINT8)
    sums = make.dense(make.last, 4, INT8)
    wide = make.add(Sum, sums, make.dense(make.last, 4), coefficients=np.array([[9000], [-3]]))
    assert make.tensors[wide].format.bits > 28
    return make.graph(make.dense(make.threshold(wide), 3)), {MatrixLayer, AddLayer, ThresholdLayer}


def thirty_bits_at_the_end(seed):
    make = Builder(seed, (6,), UINT8)
    sums, others = make.dense(make.last, 4, INT8), make.dense(make.last, 4)
    return make.graph(make.add(Sum, sums, others, coefficients=np.array([[9000], [-3]]))), {MatrixLayer, AddLayer}


def thresholds_of_each_position(seed):
    """A map that is read as a vector, each element of which has its thresholds, and as a map again."""
    make = Builder(seed, (4, 3, 3), UINT2)
    sums = make.conv(make.last, 4)
    flat = make.threshold(make.add(Reshape, sums, shape=(24,)), BIPOLAR)
    back = make.add(Reshape, flat, shape=(3, 2, 4))
    return make.graph(make.dense(make.add(Reshape, make.conv(back, 3), shape=(6,)), 3)), {MatrixLayer, ThresholdLayer}


def thresholds_of_each_position_of_the_input(seed):
    make = Builder(seed, (3, 4, 2), INT8)
    flat = make.threshold(make.add(Reshape, make.last, shape=(24,)))
    back = make.add(Reshape, flat, shape=(3, 4, 2))
    return make.graph(make.dense(make.add(Reshape, make.conv(back, 2), shape=(12,)), 3)), {MatrixLayer, ThresholdLayer}


def a_vector_becomes_a_map(seed):
    make = Builder(seed, (5,), UINT2)
    flat = make.threshold(make.dense(make.last, 24), BIPOLAR)
    back = make.add(Reshape, flat, shape=(4, 3, 2))
    return make.graph(make.dense(make.add(Reshape, make.conv(back, 3), shape=(18,)), 3)), {MatrixLayer}


def a_map_becomes_another(seed):
    make = Builder(seed, (4, 3, 2), BIPOLAR)
    codes = make.threshold(make.conv(make.last, 4), BIPOLAR)
    back = make.add(Reshape, codes, shape=(4, 2, 3))
    return make.graph(make.dense(make.add(Reshape, make.conv(back, 2), shape=(6,)), 3)), {MatrixLayer}


GRAPHS = (
    several_thresholds_of_one_layer,
    thresholds_of_negated_sums,
    sums_pooled,
    sums_added_and_joined,
    thirty_bits,
    thirty_bits_at_the_end,
    thresholds_of_each_position,
    thresholds_of_each_position_of_the_input,
    a_vector_becomes_a_map,
    a_map_becomes_another,
)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
@pytest.mark.parametrize("made", GRAPHS, ids=lambda made: made.__name__)
def test_verilog_computes_them(made, seed):
    graph, kinds = made(seed)
    assert {type(layer) for layer in Network.of(graph).layers} == kinds
    check(graph, seed, frames=8, damaged=(2, 5))
