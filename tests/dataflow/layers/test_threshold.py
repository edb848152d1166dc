"""Thresholds of integers: the first one is taken off, the others are relative to it."""

import numpy as np

from bnnhw.arithmetic.formats import TERNARY
from bnnhw.dataflow import Network
from bnnhw.dataflow.layers import ThresholdLayer
from bnnhw.ir.nodes import Sum
from tests.integer_graphs import UINT2, Builder


def test_contents():
    make = Builder(1, (6,), UINT2)
    ways = [make.dense(make.last, 4), make.dense(make.last, 4)]
    total = make.add(Sum, *ways, coefficients=np.array([[3], [1]]))
    layer = Network.of(make.graph(make.dense(make.threshold(total, TERNARY), 3))).layers[3]
    assert isinstance(layer, ThresholdLayer)
    held = layer.contents(layer.unfolded(), "ice40")
    cuts = layer.node.thresholds
    assert held["difference"].offsets == cuts[:, 0].tolist()
    assert held["difference"].signs == [1] * 4
    assert (np.array(held["thresholds"].thresholds)[:, 0] == cuts - cuts[:, :1]).all()
    assert held["thresholds"].codes == TERNARY.encode([-1, 0, 1]).tolist()
