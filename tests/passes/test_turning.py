"""Thresholds and tables of codes for chains that rise and fall, held against the chain at every integer."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.formats import DataType
from bnnhw.ir.nodes import Activation, Arithmetic, Dequant, MultiThreshold, Node, Quant
from bnnhw.passes import thresholds, turning
from bnnhw.passes.levels import Levels
from bnnhw.passes.thresholds import Cuts
from bnnhw.passes.values import Combined, evaluate, levels, one_way

NAMES = {"name": "", "inputs": (), "output": ""}


def scaled(scale: object, noise: float = 0.0) -> Node:
    return Dequant(**NAMES, scale=np.asarray(scale, np.float64), noise=np.array(noise))


def quant(scale: float, bits: int = 3) -> Node:
    return Quant(
        **NAMES, scale=np.float32(scale), zero_point=np.float32(0), bits=bits, signed=True, narrow=True,
        rounding="ROUND",
    )  # fmt: skip


def function(name: str, alpha: object = 1.0) -> Activation:
    return Activation(**NAMES, function=name, alpha=np.asarray(alpha, np.float32))  # type: ignore[arg-type]


def product(*branches: tuple[Node, ...]) -> Node:
    return Combined(**NAMES, operation="mul", branches=branches)


SILU = product((), (function("sigmoid"),))
INT3 = Levels(DataType("int", 3), -3, 1, 7, np.array(0.5))


def given(cuts: Cuts, x: np.ndarray, target: Levels) -> np.ndarray:
    """The codes of integers x (n, C), by the cuts."""
    count = (np.where(cuts.negate, -x, x)[:, :, None] >= cuts.thresholds).sum(axis=2)
    regular = target.offset + target.step * np.arange(cuts.thresholds.shape[1] + 1)[None]
    table = np.broadcast_to(cuts.codes if cuts.codes.size else regular, (x.shape[1], regular.shape[1]))
    return table[np.arange(x.shape[1]), count]


CHAINS: dict[str, tuple[tuple[Node, ...], int]] = {
    "a table for all": ((scaled([0.1, -0.07, 0.02]), SILU, quant(0.5)), 1),
    "a table for each": ((scaled(0.1), function("leaky_relu", [-1.0, 0.25, -0.3]), quant(0.5)), 3),
    "constant channels": ((scaled([0.1, 0.0001, -0.0001]), function("abs"), quant(0.5)), 1),
    "nothing but constants": ((scaled(1e-6), SILU, quant(0.5)), 1),
    "sums that go one way": ((scaled(0.1), Combined(**NAMES, operation="add", branches=((), (function("abs"),))), quant(0.5)), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("block", [7, 1 << 16])
def test_every_integer_gets_its_code(name: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "BLOCK", block)
    steps, rows = CHAINS[name]
    low, high = np.array([-40, -33, -60]), np.array([40, 61, 7])
    cuts = turning.find(steps, (low, high), INT3)
    assert len(cuts.codes) in (0, rows)
    assert (np.diff(cuts.thresholds) >= 0).all()
    x = np.clip(np.arange(-60, 62)[:, None], low, high)
    np.testing.assert_array_equal(given(cuts, x, INT3), np.rint(evaluate(steps, x) / 0.5))


def test_doubtful_integers_are_marked() -> None:
    """Noise that reaches over a cut, or to one that no exact sum meets."""
    noisy = (scaled(0.1, 0.06), function("abs"), quant(0.5))
    cuts = turning.find(noisy, (np.array([-4]), np.array([4])), INT3)
    assert cuts.thresholds.tolist() == [[-2, 3]]
    assert cuts.doubtful.tolist() == [[[-3, -1], [2, 4]]]
    near = (scaled(0.1, 0.06), function("abs"), quant(0.5))
    cuts = turning.find(near, (np.array([-1]), np.array([2])), INT3)
    marked = [(first, past) for first, past in cuts.doubtful[0].tolist() if first < past]
    assert marked == [(2, 3)]
    assert given(cuts, np.arange(-1, 3)[:, None], INT3).tolist() == [[0]] * 4


def test_levels_that_no_sum_takes_need_no_threshold() -> None:
    """Steps of 0.5, 0.5 and 1: four levels on a grid of five."""
    steps = [
        MultiThreshold(**NAMES, thresholds=np.array([cut], np.float32), out_scale=size, out_bias=0.0)
        for cut, size in ((-1.0, 0.5), (0.0, 0.5), (1.0, 1.0))
    ]
    chain = (scaled(0.1), Combined(**NAMES, operation="add", branches=tuple((step,) for step in steps)))
    assert one_way(chain) is not None
    found = levels(chain, DataType("int", 8))
    assert found is not None and found.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    target = Levels(DataType("uint", 3), 0, 1, 5, np.array(0.5))
    cuts = thresholds.find(chain, (np.array([-30]), np.array([30])), target)
    assert cuts.thresholds.tolist() == [[-10, 0, 10]]
    assert cuts.codes.tolist() == [[0, 1, 2, 4]]


def test_ways() -> None:
    rises, falls = Arithmetic(**NAMES, operation="add", operand=np.float32(1)), scaled([-1.0, 2.0])
    both = Combined(**NAMES, operation="add", branches=((falls,), (rises,)))
    assert one_way((falls, rises)).tolist() == [-1, 1]  # type: ignore[union-attr]
    assert one_way((both,)) is None and one_way((SILU,)) is None
