"""Products as counts, against plain sums of products."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.overlay.encoding import Encoding
from bnnhw.overlay.products import Block, product_of
from bnnhw.overlay.store import Store
from campaigns.random_networks import random_values
from tests.overlay.networks import SMALL

INPUTS = (BIPOLAR, TERNARY, DataType("uint", 1), DataType("uint", 3), DataType("int", 2), DataType("int", 8))
WEIGHTS = (BIPOLAR, TERNARY, DataType("uint", 2), DataType("int", 3), DataType("int", 8))


def counted(product, planes):
    """Twice the sum of products, from the counts and the planes of what each of its words reads."""
    total = product.constant.astype(np.int64)
    for count in product.counts:
        bits = planes[count.block.group][count.plane]
        equal = bits[None, None] == count.signs if not count.block.own else bits[None] == count.signs
        total = total + ((equal if count.block.own else equal.sum(axis=-1)).astype(np.int64) << count.exponent)
    return total


@pytest.mark.parametrize("weight", WEIGHTS, ids=str)
@pytest.mark.parametrize("x", INPUTS, ids=str)
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("defined", [False, True])
def test_counts_are_products(x, weight, own, defined):
    rng = np.random.default_rng(1)
    lanes, passes = SMALL.lanes, 3
    store = Store(SMALL, 1, 1, 21, Encoding(x), defined=defined)
    values = random_values(rng, x, (2, lanes))
    used = np.stack([store.used(group) for group in range(2)])
    extra = rng.integers(-50, 51, (passes, lanes))
    shape = (passes, lanes) if own else (passes, lanes, lanes)
    blocks = [Block(store, 0, 0, group, random_values(rng, weight, shape)) for group in range(2)]
    planes = {}
    for group in range(2):
        planes[group] = Encoding(x).bits(values[group])
        # Lanes without a channel are zero, or, where nothing defines them, anything.
        planes[group][:, ~used[group]] = False if defined else rng.integers(0, 2, (~used[group]).sum()).astype(bool)
    right = extra.copy()
    for group, block in enumerate(blocks):
        factors = np.where(used[group] | own, values[group], 0)
        right += block.weight * factors if own else block.weight @ factors
    mask = used.all(axis=0) if own else np.ones(lanes, np.bool_)
    product = product_of(blocks, extra)
    assert (counted(product, planes) == 2 * right)[:, mask].all()
    units = (counted(product, planes) - product.constant) >> product.unit
    assert ((units >= product.low) & (units <= product.high))[:, mask].all()
    for threshold in (-40, 0, 7):
        reached = product.reached(np.full((passes, lanes), threshold))
        assert ((units >= reached) == (right >= threshold))[:, mask].all()


def test_binary_weights_take_one_sign_and_others_more():
    store = Store(SMALL, 1, 1, 16, Encoding(BIPOLAR))

    def slots(values):
        weight = np.resize(np.array(values), (1, 16, 16))
        return len(product_of([Block(store, 0, 0, 0, weight)], np.zeros((1, 16))).counts)

    assert slots([1, -1]) == 1
    assert slots([4, -4]) == 1
    assert slots([1, 0, -1]) == 2
    assert slots([1, 2, -3]) == 4


@pytest.mark.parametrize("dtype", [*INPUTS, DataType("int", 4)], ids=str)
def test_encodings_are_sums_of_their_planes(dtype):
    values = np.array([-1, 1]) if dtype == BIPOLAR else np.arange(dtype.min, dtype.max + 1)
    for encoding in filter(None, (Encoding(dtype), Encoding.comparable(dtype))):
        bits = encoding.bits(values).astype(np.int64)
        assert len(bits) == encoding.planes
        assert (np.array(encoding.weights) @ bits + encoding.offset == values).all()
        assert min(encoding.weights) > 0


def test_maxima_are_planes_in_unary():
    dtype = DataType("int", 3)
    encoding = Encoding.comparable(dtype)
    assert encoding is not None
    a, b = np.meshgrid(*[np.arange(dtype.min, dtype.max + 1)] * 2)
    assert (encoding.bits(np.maximum(a, b)) == encoding.bits(a) | encoding.bits(b)).all()
    assert Encoding.comparable(DataType("uint", 5)) is None
