"""Scales: their numbers are contents, one factor for all is part of the circuit, and multipliers are counted."""

import numpy as np
import pytest

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow import Network, make_plan
from bnnhw.dataflow.area import multipliers
from bnnhw.dataflow.layers import ScaleLayer
from bnnhw.dataflow.pipeline import pipeline
from bnnhw.ir.nodes import Scale
from bnnhw.parts import PARTS
from tests.integer_graphs import UINT2, Builder

INT10 = DataType("int", 10)


def network(factors, **options):
    """A layer, its sums scaled, and another layer."""
    factors = np.array(factors)
    channels = factors.shape[1]
    make = Builder(1, (6,), UINT2)
    fields = {
        "biases": np.zeros(factors.shape, np.int64), "pivots": np.zeros((len(factors) - 1, channels), np.int64),
        "shift": 2, "even": False, "low": np.array(-512), "high": np.array(511), "offset": 0, "step": 1, **options,
    }  # fmt: skip
    scaled = make.add(Scale, make.dense(make.last, channels), factors=factors, dtype=INT10, **fields)
    return Network.of(make.graph(make.dense(scaled, 3)))


def units_of(layer, plan, part):
    return [unit for _, unit in layer.units(plan, PARTS[part].family)]


def test_contents():
    layer = network([[31, 2, -5, 9], [1, 2, 3, 4]], low=np.array([-1, -2, -3, -4])).layers[1]
    assert isinstance(layer, ScaleLayer)
    held = layer.contents(layer.unfolded(), "ice40")["scale"]
    assert held.factors == [[31, 2, -5, 9], [1, 2, 3, 4]]
    assert (held.lows, held.highs) == ([-1, -2, -3, -4], [511] * 4)
    (unit,) = units_of(layer, layer.unfolded(), "ice40-hx8k")
    assert (unit.pieces, unit.factor, unit.factor_bits, unit.limit_bits) == (2, None, 6, 10)


def test_one_factor_takes_no_table_and_no_multiplier():
    layer = network([[3, 3, 3, 3]]).layers[1]
    assert layer.contents(layer.unfolded(), "ice40")["scale"].factors == []
    for kind in ("hard", "lut"):
        plan = ScaleLayer.plan_type(**{**vars(layer.unfolded()), "multiplier": kind})
        (unit,) = units_of(layer, plan, "ecp5-25f")
        assert unit.factor == 3 and unit.multipliers(PARTS["ecp5-25f"]) == 0


@pytest.mark.parametrize(("part", "kind"), [("ice40-hx8k", "lut"), ("ice40-up5k", "hard"), ("ecp5-25f", "hard")])
def test_a_plan_takes_the_multipliers_that_a_part_has(part, kind):
    made = network([[31, 2, -5, 9, 7, 1, 12, 13]])
    plan = make_plan(made, PARTS[part])
    units = [stage.unit for stage in pipeline(plan, made)]
    assert plan.layers[1].multiplier == kind
    assert multipliers(PARTS[part], units) <= PARTS[part].dsp
