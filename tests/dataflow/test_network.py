"""From a graph to layers: what belongs to which, and what no hardware gives."""

import numpy as np
import pytest

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow import Network
from bnnhw.dataflow.layers import INPUT, MatrixLayer, ThresholdLayer
from bnnhw.ir.nodes import Reshape, Sum
from tests.integer_graphs import UINT2, Builder


def test_a_single_threshold_belongs_to_its_layer():
    make = Builder(1, (6,), UINT2)
    network = Network.of(make.graph(make.dense(make.threshold(make.dense(make.last, 4)), 3)))
    assert [type(layer) for layer in network.layers] == [MatrixLayer, MatrixLayer]
    assert [layer.inputs for layer in network.layers] == [(INPUT,), (0,)]
    assert network.layers[0].dtype == UINT2
    assert network.layers[1].dtype == network.result == DataType("int", network.layers[1].width)


@pytest.mark.parametrize("between", ["reader", "reshape", "negated"])
def test_other_thresholds_are_layers(between):
    make = Builder(1, (6,), UINT2)
    sums = make.dense(make.last, 4)
    if between == "reshape":
        sums = make.add(Reshape, make.add(Reshape, sums, shape=(2, 1, 2)), shape=(4,))
    codes = make.threshold(sums, negate=between == "negated")
    last = make.dense(codes, 4)
    if between == "reader":
        last = make.add(Sum, last, sums, coefficients=np.ones((2, 1), np.int64))
    layers = Network.of(make.graph(last)).layers
    assert [type(layer) for layer in layers[:2]] == [MatrixLayer, ThresholdLayer]
    assert layers[0].threshold is None
    # What reads sums takes them as the circuit gives them.
    assert layers[1].input == layers[0].dtype == DataType("int", layers[0].width)
