"""Integers that go on without thresholds, and tensors that are read in another shape: graphs that no random network
has, through their Verilog, against the reference and the cycle model."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType, Float32
from bnnhw.dataflow import Network
from bnnhw.dataflow.layers import AddLayer, ConcatLayer, MatrixLayer, PoolLayer, ThresholdLayer
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import (
    ArgMax,
    BipolarQuant,
    Concat,
    Dense,
    Dequant,
    Encode,
    MaxPool,
    Quant,
    Reshape,
    Sum,
    SumPool,
    Threshold,
    Window,
)
from bnnhw.ir.shapes import infer
from bnnhw.ir.spec import verify
from tests.generate.test_convolutional import check

pytestmark = pytest.mark.sim

UINT2, UINT8, INT8 = DataType("uint", 2), DataType("uint", 8), DataType("int", 8)


class Builder:
    """An integer-stage graph, node by node; tensors are called by the nodes that make them."""

    def __init__(self, seed, shape, dtype):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.tensors = [], {"x": TensorType(shape)}
        levels = 2 if dtype == BIPOLAR else dtype.max - dtype.min + 1
        offset, step = dtype.min, 2 if dtype == BIPOLAR else 1
        quantised = self.add(BipolarQuant, "x", scale=np.float32(1)) if dtype == BIPOLAR else self._quant(dtype)
        self.last = self.add(
            Encode, quantised, dtype=dtype, scale=np.array(1.0), offset=offset, step=step, levels=levels
        )

    def _quant(self, dtype):
        signed = dtype.kind == "int"
        numbers = {"scale": np.float32(1), "zero_point": np.float32(0), "bits": dtype.bits, "signed": signed}
        return self.add(Quant, "x", **numbers, narrow=False, rounding="ROUND")

    def add(self, kind, *inputs, **values):
        name = f"{kind.__name__.lower()}{len(self.nodes)}"
        node = kind(name=name, inputs=inputs, output=name, **values)
        self.nodes.append(node)
        self.tensors[name] = infer(node, *(self.tensors[i] for i in inputs))
        return name

    def shape(self, name):
        return self.tensors[name].shape

    def dense(self, name, mh, dtype=BIPOLAR):
        codes = self.rng.integers(0, 1 << dtype.bits, (mh, self.shape(name)[-1]))
        weight = dtype.decode(np.where(codes == 1, 0, codes) if dtype == TERNARY else codes).astype(np.int16)
        return self.add(Dense, name, weight=weight, weight_dtype=dtype, flip=np.zeros(mh, np.bool_))

    def conv(self, name, mh, kernel=(2, 2)):
        return self.dense(self.add(Window, name, geometry=Geometry(kernel), fill=0), mh)

    def threshold(self, name, dtype=UINT2):
        """Thresholds within what the tensor can be, which differ from channel to channel."""
        format_ = self.tensors[name].format
        assert not isinstance(format_, Float32)
        count = 1 if dtype == BIPOLAR else dtype.max - dtype.min
        middle, width = (format_.min + format_.max) / 2, max(2, (format_.max - format_.min) / 6)
        cuts = np.sort(np.rint(self.rng.normal(middle, width, (self.shape(name)[-1], count))).astype(np.int64), axis=1)
        offset, step = dtype.min, 2 if dtype == BIPOLAR else 1
        return self.add(Threshold, name, thresholds=cuts, offset=offset, step=step, dtype=dtype)

    def graph(self, name):
        """The graph that ends with the integers `name`, one for each class."""
        classes = self.shape(name)[-1]
        one, zero = np.ones(classes, np.int64), np.zeros(classes, np.int64)
        outputs = self.add(Dequant, name, scale=np.array(1.0))
        label = self.add(ArgMax, name, scale=one, bias=zero)
        roles = {"outputs": outputs, "integers": name, "prediction": label}
        return verify(Graph("wide", "x", tuple(self.nodes), self.tensors, roles), "integer")


def several_thresholds_of_one_layer(seed):
    make = Builder(seed, (9,), UINT2)
    sums = make.dense(make.last, 6)
    ways = [make.threshold(sums, dtype) for dtype in (BIPOLAR, TERNARY, UINT2)]
    return make.graph(make.dense(make.add(Concat, *ways), 3)), {MatrixLayer, ThresholdLayer, ConcatLayer}


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
