"""The clock that plans reckon with."""

from dataclasses import replace

import pytest

from benchmarks.clocks import rounded, table
from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow import make_plan, measure
from bnnhw.dataflow.clocks import clocks, reckoned_mhz, usual_mhz
from bnnhw.dataflow.layers import LAYERS, LOGIC
from bnnhw.dataflow.layers.bounds import BOUNDS, CONSTANT, MANY_PLANES, MANY_THRESHOLDS, USUAL
from bnnhw.parts import PARTS
from tests.dataflow.test_search import network

UP5K, ECP5 = PARTS["ice40-up5k"], PARTS["ecp5-85f"]
INT8 = DataType("int", 8)


def test_every_part_has_a_clock_of_every_kind():
    assert set(clocks()) == {part.speed for part in PARTS.values()}
    assert all(set(known) == set(BOUNDS) and min(known.values()) > 0 for known in clocks().values())


def test_the_table_is_that_of_the_routed_designs():
    """`python -m benchmarks clocks` makes it again, after `designs` or `units`."""
    assert rounded(table()) == clocks()


def test_a_design_is_as_slow_as_its_slowest_kind():
    plain = make_plan(network(64, 32, 10), ECP5, fps=1_000)
    assert plain.layers[0].bounds == {USUAL}
    assert plain.clock_mhz == usual_mhz(ECP5)
    wide = make_plan(network(64, 32, 10, weight=INT8, x=INT8, activation=INT8), ECP5, fps=1_000)
    assert wide.layers[0].bounds >= {USUAL, MANY_PLANES}
    assert wide.clock_mhz == min(clocks()[ECP5.speed][kind] for layer in wide.layers for kind in layer.bounds)
    assert wide.clock_mhz < plain.clock_mhz


def test_what_the_plan_chooses_counts():
    (layer, *_) = make_plan(network(64, 32, 10), ECP5, fps=1_000).layers
    constant = replace(layer, weight_memory=LOGIC)
    assert constant.bounds == {CONSTANT}
    assert reckoned_mhz(ECP5, [layer, constant]) == min(clocks()["ecp5"][kind] for kind in (USUAL, CONSTANT))
    assert replace(layer, output="uint8").bounds == {USUAL, MANY_THRESHOLDS}
    assert MANY_THRESHOLDS not in replace(layer, output="uint8", threshold_memory="adders").bounds


@pytest.mark.parametrize("part", [UP5K, ECP5], ids=lambda part: part.name)
def test_a_rate_is_reckoned_with_that_clock(part):
    net = network(64, 32, 10)
    plan = make_plan(net, part, fps=50_000)
    assert plan.clock_mhz == reckoned_mhz(part, plan.layers)
    assert measure(plan, net).interval <= plan.clock_mhz * 1e6 / 50_000


def test_every_kind_of_layer_says_what_bounds_it():
    assert all(isinstance(layer.plan_type.bounds, property) for layer in LAYERS)
