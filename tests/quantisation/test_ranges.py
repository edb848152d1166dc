"""Scales of activations against closed forms, and against the least error found by trying many."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.quantisation.calibration import calibrate, merged
from bnnhw.quantisation.ranges import MAX_KEPT, Codes, Seen, clipped, codes_for, error, scale_for
from bnnhw.quantisation.settings import Choice

UINT4, INT4 = Codes(4, False), Codes(4, True)


def seen(values: np.ndarray) -> Seen:
    made = Seen(len(values))
    for sample in values:
        made.add(sample)
    return made


def test_codes_have_a_sign_where_values_do() -> None:
    positive, both = seen(np.array([[0.0, 2.0]])), seen(np.array([[-0.1, 2.0]]))
    assert codes_for([positive], 4, False) == UINT4
    assert codes_for([positive], 4, True) == INT4
    assert codes_for([positive, both], 4, False) == INT4
    assert str(codes_for([both], 1, False)) == "int2"


def test_minmax_clips_nothing() -> None:
    values = np.random.default_rng(0).normal(0, 1, (5, 200))
    scale = scale_for([seen(values)], INT4, "minmax", 99)
    assert scale == pytest.approx(max(values.max() / 7, values.min() / -8), rel=1e-6)
    assert clipped(values, scale, INT4) == 0


def test_percentiles_are_those_of_all_values() -> None:
    values = np.random.default_rng(0).gamma(2, 1, (5, 200))
    scale = scale_for([seen(values)], UINT4, "percentile", 98)
    assert scale == pytest.approx(np.percentile(values.astype(np.float32), 98) / 15, rel=1e-6)
    assert clipped(values, scale, UINT4) == pytest.approx((values > 15.5 * scale).mean())


@pytest.mark.parametrize("codes", [Codes(2, False), UINT4, INT4, Codes(8, True)], ids=str)
def test_mse_has_the_least_error(codes: Codes) -> None:
    values = np.random.default_rng(0).normal(0, 1, (5, 400))
    values = values if codes.signed else np.maximum(values, 0)
    found = error(values, scale_for([seen(values)], codes, "mse", 99), codes)
    tried = np.abs(values).max() / codes.max * np.linspace(0.1, 1.2, 1101)
    assert found <= 1.03 * min(error(values, scale, codes) for scale in tried)


def test_a_tensor_of_zeros_has_a_scale() -> None:
    for method in ("minmax", "percentile", "mse"):
        assert scale_for([seen(np.zeros((3, 4)))], UINT4, method, 99) == 1


def test_extremes_are_those_of_all_values_and_few_are_kept() -> None:
    values = np.random.default_rng(0).normal(0, 1, (100, 4000))
    found = seen(values)
    assert (found.low, found.high) == (np.float32(values.min()), np.float32(values.max()))
    assert len(found.values) == 100 * (MAX_KEPT // 100)
    assert (seen(values).values == found.values).all()


def test_groups_with_a_common_member_are_one() -> None:
    assert sorted(map(sorted, merged([{"a"}, {"b", "c"}, {"d"}, {"c", "a"}, set()]))) == [["a", "b", "c"], ["d"]]


def test_scales_of_what_is_joined_and_of_what_is_added_up() -> None:
    rng = np.random.default_rng(0)
    tensors = {name: seen(rng.normal(0, size, (4, 100))) for name, size in zip("abcd", (1, 3, 1.3, 9), strict=True)}
    choice = Choice("int4", "int4", "mse", 99, "none")
    choices = {name: ((f"to_{name}",), choice) for name in tensors}
    made = {
        a.tensor: a
        for a in calibrate(tensors, choices, shared=[frozenset("ab")], summed=[frozenset("bcf")], fixed={"f": 0.3})
    }
    assert made["a"].scale == made["b"].scale
    for name in "abc":
        assert np.log2(made[name].scale / np.float32(0.3)) % 1 == pytest.approx(0, abs=1e-6)
    assert made["d"].scale == scale_for([tensors["d"]], INT4, "mse", 99)
    assert made["d"].users == ("to_d",)
