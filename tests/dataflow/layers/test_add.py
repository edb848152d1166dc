"""Sums: their coefficients are contents, one for each channel where they differ."""

import numpy as np
import pytest

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow import Network
from bnnhw.ir.nodes import Sum
from bnnhw.units.add_streams import Weighing
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


def test_what_coefficients_take():
    """Shifts and additions for constants; partial products and tables where they change from beat to beat."""
    dtypes = (DataType("int", 6), DataType("uint", 4))
    assert Weighing.of([1, -2], dtypes, 3) == Weighing(additions=0)
    assert Weighing.of([5, -7], dtypes, 3) == Weighing(additions=3 * 3)  # 4 + 1 - 4 - 2 - 1
    # Coefficients of 4 and 5 bits with their sign, in beats of two channels: each lane has a table of two.
    assert Weighing.of([[1, 2, 3, 7], [9, 0, -16, 3]], dtypes, 2) == Weighing(
        products=(3 + 4) * 6 + (5 + 3) * 5, columns=3 + 4 + 5 + 3, rows=2
    )
    # All channels in one beat: each lane has constants.
    assert Weighing.of([[1, 3], [3, 3]], dtypes, 2) == Weighing(additions=1 + 2)
