"""Pools: their cycles, and which channels want the smallest value."""

from dataclasses import replace

import numpy as np
import pytest

from bnnhw.dataflow import Network
from bnnhw.errors import PlanError
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import MaxPool, Reshape, SumPool
from tests.integer_graphs import UINT2, Builder


def pool(kind, **values):
    make = Builder(1, (6, 4, 4), UINT2)
    pooled = make.add(kind, make.last, geometry=Geometry((2, 2), (2, 2)), **values)
    return Network.of(make.graph(make.dense(make.add(Reshape, pooled, shape=(24,)), 3))).layers[0]


def test_channels_with_the_smallest_value():
    smallest = [True, False, False, True]
    layer = pool(MaxPool, minimum=np.array(smallest))
    assert layer.contents(layer.unfolded(), "ecp5")["pool"].minimum == smallest
    assert layer.operation == "max"


@pytest.mark.parametrize(("pe", "cycles"), [(1, 96), (2, 48), (4, 24)])
def test_cycles(pe, cycles):
    """Every pixel comes once, every tap of every window goes by once."""
    layer = pool(SumPool)
    plan = replace(layer.unfolded(), pe=pe)
    assert plan.cycles == cycles
    assert layer.within(plan, cycles) and not layer.within(plan, cycles - 1)


def test_refuses_other_foldings():
    layer = pool(SumPool)
    with pytest.raises(PlanError, match="pe must divide 4, not be 3"):
        replace(layer.unfolded(), pe=3).check("here")
    with pytest.raises(PlanError, match="a layer of kind pool has no simd; it has pe, window_depth, window_memory"):
        layer.check_folding({"simd": 2})
