"""Sums: their coefficients are contents, one for each channel where they differ."""

import numpy as np
import pytest

from bnnhw.dataflow import Network
from bnnhw.ir.nodes import Sum
from tests.integer_graphs import UINT2, Builder


@pytest.mark.parametrize(
    ("factors", "coefficients"),
    [([[1], [-2]], [1, -2]), ([[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 2, 3, 4], [5, 6, 7, 8]])],
)
def test_coefficients(factors, coefficients):
    make = Builder(1, (6,), UINT2)
    ways = [make.dense(make.last, 4), make.dense(make.last, 4)]
    layer = Network.of(make.graph(make.add(Sum, *ways, coefficients=np.array(factors)))).layers[-1]
    assert layer.contents(layer.unfolded(), "ice40")["add"].coefficients == coefficients
    ((_, unit),) = layer.units(layer.unfolded(), "ice40")
    assert unit.dtypes == layer.i_dtypes
    low, high = layer.format.min, layer.format.max
    assert unit.out_dtype.min <= low and high <= unit.out_dtype.max
