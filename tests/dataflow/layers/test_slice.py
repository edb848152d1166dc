"""Slices: beats that are kept or dropped as a whole, and patterns that repeat."""

import numpy as np

from bnnhw.dataflow import Network
from bnnhw.ir.nodes import Reshape, Slice
from tests.integer_graphs import UINT2, Builder


def slice_layer(shape, *places):
    make = Builder(1, shape, UINT2)
    kept = np.zeros(shape, np.bool_)
    kept[np.ix_(*places)] = True
    part = make.add(Slice, make.last, kept=kept)
    flat = make.add(Reshape, part, shape=(int(kept.sum()),))
    return Network.of(make.graph(make.dense(flat, 3))).layers[0]


def test_channels():
    layer = slice_layer((12,), range(4, 10))
    ((_, unit),) = layer.units(layer.unfolded(), "ice40")
    assert unit.chunks == (False,) * 4 + (True,) * 6 + (False,) * 2 and unit.vectors == (True,)
    assert {folding["pe"] for folding in layer.foldings(100, {}, 1)} == {1, 2}
    ((_, unit),) = layer.units(layer.plan_type(**{**layer._given(), "pe": 2}), "ice40")
    assert unit.chunks == (False,) * 2 + (True,) * 3 + (False,) and unit.width == 4
    assert layer.work == 12


def test_every_other_column_repeats():
    layer = slice_layer((3, 4, 6), range(3), (1, 3), range(6))
    ((_, unit),) = layer.units(layer.unfolded(), "ice40")
    assert unit.vectors == (False, True)
    assert {folding["pe"] for folding in layer.foldings(1000, {}, 1)} == {1, 2, 3, 6}
    # It takes all beats in, whatever it gives.
    assert layer.unfolded().cycles == 72
    assert not layer.foldings(11, {}, 1) or not layer.within(layer.plan_type(**{**layer._given(), "pe": 6}), 11)
