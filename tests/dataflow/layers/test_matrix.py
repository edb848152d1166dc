"""Layers with weights: where each weight lies in the words, what sums start from, and foldings that are none."""

from dataclasses import replace

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY
from bnnhw.dataflow import Network
from bnnhw.dataflow.layers import LOGIC, MatrixLayer
from bnnhw.dataflow.layers.matrix_contents import element_order
from bnnhw.errors import PlanError
from bnnhw.ir.geometry import Geometry
from bnnhw.units import (
    ConstantMatrixUnit,
    FrameGather,
    FrameScatter,
    MatrixVectorUnit,
    StreamFifo,
    ThresholdUnit,
    VectorBuffer,
)
from tests.integer_graphs import UINT2, Builder


def dense(mw=7, mh=5, x=UINT2):
    make = Builder(3, (mw,), x)
    return Network.of(make.graph(make.dense(make.threshold(make.dense(make.last, mh, TERNARY)), 3))).layers[0]


def convolution():
    make = Builder(4, (4, 3, 2), UINT2)
    return Network.of(make.graph(make.threshold(make.conv(make.last, 3)))).layers[0]


def test_each_weight_is_in_its_lane():
    layer = dense()
    plan = replace(layer.unfolded(), pe=2, simd=3)
    words = layer.contents(plan, "ecp5")["mvu"].weights
    assert len(words) == plan.nf * plan.sf == 9
    for n in range(6):
        for m in range(9):
            word = words[n // 2 * plan.sf + m // 3]
            code = word >> (((n % 2) * 3 + m % 3) * 2) & 3
            weight = layer.node.weight[n, m] if n < layer.mh and m < layer.mw else 0
            assert TERNARY.decode(code) == weight


def test_sums_start_so_that_the_first_threshold_is_a_sign():
    """What a PE counts, from the bias on, is the accumulator less the first threshold, divided."""
    layer = dense(x=BIPOLAR)
    plan = replace(layer.unfolded(), pe=layer.mh, simd=layer.mw)
    held = layer.contents(plan, "ecp5")
    (biases,) = held["mvu"].biases
    product, weight = layer.product, layer.node.weight.astype(np.int64)
    x = np.random.default_rng(1).integers(0, 2, (50, layer.mw)) * 2 - 1
    sums = x @ weight.T
    totals = (sums - product.constant(weight, padding=0)) // layer.divisor + biases
    cuts = np.array(held["thresholds"].thresholds)[0]
    assert not cuts[:, 0].any()
    reached = (totals[:, :, None] >= cuts).sum(axis=-1)
    assert (reached == (sums[:, :, None] >= layer.threshold.thresholds).sum(axis=-1)).all()


def test_columns_come_in_the_order_of_their_rows():
    layer = convolution()
    plan = replace(layer.unfolded(), lanes=1, window_rows=2)
    order = element_order(layer.mw, layer.window.geometry, plan)
    # Of a 2 x 2 window of two channels: column by column, in one channel by channel, its rows together.
    assert order.tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert element_order(layer.mw, layer.window.geometry, layer.unfolded()).tolist() == list(range(8))


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"pe": 5}, [MatrixVectorUnit, ThresholdUnit]),
        ({"pe": 2}, [VectorBuffer, MatrixVectorUnit, ThresholdUnit]),
        ({"pe": 2, "batch": 3}, [FrameGather, MatrixVectorUnit, ThresholdUnit, FrameScatter, StreamFifo]),
        ({"pe": 5, "simd": 7, "weight_memory": LOGIC}, [ConstantMatrixUnit, ThresholdUnit]),
    ],
    ids=str,
)
def test_units(changes, kinds):
    layer = dense()
    plan = replace(layer.unfolded(), **changes)
    assert [type(unit) for _, unit in layer.units(plan, "ice40")] == kinds
    parts = {part for part, _ in layer.units(plan, "ice40")}
    assert set(layer.contents(plan, "ice40")) <= parts


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_units_are_equal_where_their_parameters_are(family):
    layer, plan = dense(), replace(dense().unfolded(), pe=2)
    twice = [[unit for _, unit in layer.units(plan, family)] for _ in range(2)]
    assert twice[0] == twice[1]
    assert [*map(hash, twice[0])] == [*map(hash, twice[1])]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pe": 6}, "pe must be 1 to 5, not 6"),
        ({"batch": 9}, "batch must be 1 to 8, not 9"),
        ({"weight_memory": LOGIC}, "weight_memory logic is for a whole matrix"),
        ({"weight_latency": 3}, "weight_latency must be 1 to 2, not 3"),
        ({"threshold_memory": LOGIC}, "threshold_memory must be block, lut, multiplier or adders, not 'logic'"),
    ],
)
def test_refuses_other_foldings(changes, message):
    with pytest.raises(PlanError, match=f"here: layer .*: {message}"):
        replace(dense().unfolded(), **changes).check("here")


def test_a_window_must_fit():
    layer = convolution()
    assert isinstance(layer, MatrixLayer)
    assert layer.window.geometry == Geometry((2, 2))
    fits = {rows: layer.fits(replace(layer.unfolded(), window_rows=rows)) for rows in (1, 2, 3)}
    assert fits == {1: True, 2: True, 3: False}
    assert not layer.fits(replace(layer.unfolded(), lanes=0))
    with pytest.raises(PlanError, match="window_rows must be 1 or 2, not 3"):
        layer.check_folding({"window_rows": 3})
