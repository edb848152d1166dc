"""Plans of networks with windows: the rate that is asked for is kept, and what brings the windows is part of it."""

import pytest

import bnnhw
from bnnhw.dataflow import make_plan, measure
from bnnhw.dataflow.layers import MatrixLayer
from bnnhw.dataflow.pipeline import pipeline
from bnnhw.errors import PlanError
from bnnhw.parts import PARTS
from bnnhw.units import SlidingWindow

ECP5 = PARTS["ecp5-85f"]


@pytest.fixture(scope="module")
def network():
    return bnnhw.compile("mnist-cnn", board="ulx3s-85f", fps=20_000).network


# A frame of 200,000 cycles takes a minute to step through.
@pytest.mark.parametrize("fps", [pytest.param(300, marks=pytest.mark.slow), 1_000, 3_000, 20_000])
def test_rate_is_kept(network, fps):
    plan = make_plan(network, ECP5, fps=fps, clock_mhz=60)
    assert measure(plan, network).interval <= 60e6 / fps


def test_a_column_of_taps_at_a_time_goes_faster(network):
    first = next(layer for layer in network.layers if isinstance(layer, MatrixLayer) and layer.window is not None)
    rows, columns = first.window.geometry.kernel
    assert rows > 1
    taps, fastest = rows * columns * first.vectors, columns * first.vectors
    plan = make_plan(network, ECP5, fps=60e6 / taps * 1.5, clock_mhz=60)
    assert next(layer for layer in plan.layers if layer.name == first.name).window_rows == rows
    assert fastest <= measure(plan, network).interval < taps


def test_rows_that_come_at_once_are_one_or_all(network):
    name = network.layers[0].name
    kept = make_plan(network, ECP5, folding={name: {"window_rows": 1}})
    assert kept.layers[0].window_rows == 1
    with pytest.raises(PlanError, match=f"layer {name}: window_rows must be 1 or [0-9]+, not 2"):
        make_plan(network, ECP5, folding={name: {"window_rows": 2}})


def test_a_line_buffer_is_deep_enough_not_to_wait_or_as_shallow_as_it_can_be(network):
    plan = make_plan(network, ECP5, fps=3_000, clock_mhz=60)
    for stage in pipeline(plan, network):
        if isinstance(stage.unit, SlidingWindow):
            depths = stage.unit.depths(ECP5)
            assert stage.unit.depth in depths
            assert depths == sorted(depths)
