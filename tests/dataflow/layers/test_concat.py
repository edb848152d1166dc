"""Concatenations: beats that no input has to share, and one format for all."""

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY
from bnnhw.dataflow import Network
from bnnhw.ir.nodes import Concat
from tests.integer_graphs import UINT2, Builder


def test_formats_and_folding():
    make = Builder(1, (6,), UINT2)
    ways = [make.threshold(make.dense(make.last, size), dtype) for size, dtype in ((4, BIPOLAR), (6, TERNARY))]
    layer = Network.of(make.graph(make.dense(make.add(Concat, *ways), 3))).layers[2]
    ((_, unit),) = layer.units(layer.unfolded(), "ice40")
    assert (unit.dtypes, unit.out_dtype, unit.channels) == ((BIPOLAR, TERNARY), TERNARY, (4, 6))
    assert {folding["pe"] for folding in layer.foldings(100, {}, 1)} == {1, 2}
    assert not layer.contents(layer.unfolded(), "ice40")
