"""A multiplication in place of thresholds: the same code for every integer, or none."""

import numpy as np
import pytest

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow import Network
from bnnhw.dataflow.layers.scaled import stand_in
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import Threshold
from bnnhw.reference.kernels import scale, threshold
from tests.integer_graphs import UINT2, Builder

LOW, HIGH, CHANNELS = -700, 500, 3
IRRATIONAL = np.sqrt([0.0123, 0.1371, 0.0087])  # no number lies on a half
X = np.repeat(np.arange(LOW, HIGH + 1)[:, None], CHANNELS, axis=1)


def quantised(slope, offset, *, low=-128, high=127, negate=False, rounding=np.rint, step=1):
    """Thresholds of codes that a rounded line gives, (C,) slopes."""
    x = -X[::-1] if negate else X
    codes = np.clip(rounding(x * slope + offset), low, high)
    cuts = [[x[np.searchsorted(codes[:, c], k), c] if k <= codes[-1, c] else x[-1, c] + 1 for k in range(low + 1, high + 1)]
            for c in range(CHANNELS)]  # fmt: skip
    return Threshold(
        name="t", inputs=("x",), output="y", thresholds=np.array(cuts), offset=low * step, step=step,
        dtype=DataType("int", 10), negate=np.full(CHANNELS, negate),
    )  # fmt: skip


@pytest.mark.parametrize(
    "node",
    [
        quantised(IRRATIONAL, np.array([3.3, -7.1, 0.02])),
        quantised(np.array([0.25, 0.5, 0.125]), 0.0),  # halves, which are rounded to even
        quantised(np.array([0.25, 0.375, 0.125]), 1.0, low=0),  # as behind a Relu
        quantised(IRRATIONAL, np.array([3.3, -7.1, 0.02]), negate=True),
        quantised(IRRATIONAL, np.array([0.1, 0.2, 0.7]), rounding=np.floor, step=2),
    ],
    ids=["any", "halves", "relu", "negated", "floor, in steps of two"],
)
def test_the_same_codes(node):
    signs = np.where(node.negate, -1, 1)
    found = stand_in(node, node.thresholds, np.full(CHANNELS, LOW), np.full(CHANNELS, HIGH), signs)
    assert found is not None
    assert (scale(found, X) == threshold(node, X)).all()


def test_none_where_codes_would_differ_or_thresholds_are_few():
    ends = np.full(CHANNELS, LOW), np.full(CHANNELS, HIGH)
    signs = np.ones(CHANNELS, np.int64)
    bent = quantised(0.05, 0.0)
    cuts = np.where(bent.thresholds > 0, bent.thresholds // 2, bent.thresholds)
    assert stand_in(bent, np.sort(cuts, axis=1), *ends, signs) is None
    few = quantised(0.05, 0.0, low=0, high=7)
    assert stand_in(few, few.thresholds, *ends, signs) is None


def test_a_folding_asks_in_vain():
    make = Builder(1, (6,), UINT2)
    layer = Network.of(make.graph(make.dense(make.threshold(make.dense(make.last, 4)), 3))).layers[0]
    with pytest.raises(PlanError, match="no multiplication gives the codes"):
        layer.check_folding({"threshold_memory": "adders"})
