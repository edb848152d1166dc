"""Layers in groups: where each weight lies in the words, which foldings there are, and what they cost."""

from dataclasses import replace

import numpy as np
import pytest

from bnnhw.arithmetic.formats import TERNARY
from bnnhw.dataflow import Network
from bnnhw.dataflow.layers import GroupedLayer
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import GroupedDense, Reshape
from bnnhw.units import MatrixVectorUnit, SlidingWindow, ThresholdUnit, VectorBuffer
from tests.integer_graphs import UINT2, Builder


def grouped(channels=6, groups=3, mh=12, kernel=(3, 2)):
    """A layer of a map of 5 x 4 pixels, with thresholds."""
    make = Builder(3, (5, 4, channels), UINT2)
    name = make.threshold(make.grouped(make.last, mh, groups, kernel, TERNARY))
    flat = make.add(Reshape, name, shape=(int(np.prod(make.shape(name))),))
    return Network.of(make.graph(make.dense(flat, 3))).layers[0]


FOLDINGS = [(1, 1), (2, 2), (4, 1), (4, 2), (12, 2)]


@pytest.mark.parametrize(("pe", "simd"), FOLDINGS)
def test_each_weight_is_in_its_lane(pe, simd):
    """Walks through the beats as the window gives them."""
    layer = grouped()
    plan = replace(layer.unfolded(), pe=pe, simd=simd)
    words = layer.contents(plan, "ecp5")["mvu"].weights
    weight = layer.node.weight.reshape(12, 3, 2, 2)  # by output, row, column, channel of the group
    assert len(words) == plan.nf * plan.sf
    word = iter(words)
    for first in range(0, 12, pe):
        for start in range(0, 2, simd):
            for row, column in np.ndindex(3, 2):
                here = next(word)
                for p, lane in np.ndindex(pe, simd):
                    code = here >> ((p * simd + lane) * 2) & 3
                    assert TERNARY.decode(code) == weight[first + p, row, column, start + lane]


def test_several_groups_at_a_time_take_all_their_channels():
    layer = grouped()
    assert layer.completed({"pe": 12}) == {"pe": 12, "simd": 2}
    assert layer.completed({"pe": 12, "simd": 1}) == {"pe": 12, "simd": 1}
    assert layer.completed({"pe": 4}) == {"pe": 4}


def test_foldings():
    layer = grouped()
    assert isinstance(layer, GroupedLayer) and isinstance(layer.node, GroupedDense)
    found = {(choice["pe"], choice["simd"]) for choice in layer.foldings(1 << 40, {}, 1)}
    assert found == {(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (12, 2)}
    for pe, simd in found:
        replace(layer.unfolded(), pe=pe, simd=simd).check("here")
    assert [*layer.foldings(1 << 40, {"pe": 2, "simd": 2}, 1)] == [{"pe": 2, "simd": 2}]


@pytest.mark.parametrize(("pe", "cycles"), [(1, 6912), (4, 1728), (12, 576)])
def test_depthwise_takes_one_lane_per_output(pe, cycles):
    """9 taps of each channel, one after the other."""
    make = Builder(1, (10, 10, 12), UINT2)
    layer = Network.of(make.graph(make.grouped(make.last, 12, 12, (3, 3)))).layers[0]
    plan = replace(layer.unfolded(), pe=pe)
    units = dict(layer.units(plan, "ecp5"))
    assert plan.cycles == cycles
    assert units["mvu"].features()["lane"] == 2 * pe  # of two planes
    assert (units["mvu"].groups, units["mvu"].simd, units["mvu"].sf) == (pe, 1, 9)
    assert layer.within(plan, cycles) and not layer.within(plan, cycles - 1)


@pytest.mark.parametrize(
    ("pe", "kinds"),
    [
        (2, [SlidingWindow, VectorBuffer, MatrixVectorUnit, ThresholdUnit]),
        (4, [SlidingWindow, MatrixVectorUnit, ThresholdUnit]),
    ],
)
def test_units(pe, kinds):
    layer = grouped()
    plan = replace(layer.unfolded(), pe=pe, simd=2)
    assert [type(unit) for _, unit in layer.units(plan, "ice40")] == kinds
    assert set(layer.contents(plan, "ice40")) <= {part for part, _ in layer.units(plan, "ice40")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pe": 13}, "pe must be 1 to 12, not 13"),
        ({"pe": 3}, "pe must divide 4, the outputs of a group, or be a multiple of it, not 3"),
        ({"pe": 8, "simd": 2}, "pe must be the 4 outputs of each of a divisor of the 3 groups, not 8"),
        ({"pe": 12}, "simd must divide 2, the channels of a group, or be all of them where pe is of several groups"),
        ({"simd": 3}, "simd must be 1 to 2, not 3"),
        ({"weight_memory": "logic"}, "weight_memory must be block or lut, not 'logic'"),
        ({"popcount_levels": 0}, "popcount_levels must be null or 1 and more, not 0"),
    ],
)
def test_refuses_other_foldings(changes, message):
    with pytest.raises(PlanError, match=f"here: layer .*: {message}"):
        replace(grouped().unfolded(), **changes).check("here")


@pytest.mark.parametrize("changes", [{"groups": 5}, {"groups": 0}, {"taps": 7}, {"taps": 0}])
def test_refuses_groups_of_another_network(changes):
    with pytest.raises(PlanError, match="36 inputs and 12 outputs do not come in groups"):
        replace(grouped().unfolded(), **changes).check("here")
