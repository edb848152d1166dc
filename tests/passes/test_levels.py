"""Integers that stand for the values of an activation."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.errors import ModelError
from bnnhw.passes.levels import Levels, spaced


def standing_for(levels: Levels) -> np.ndarray:
    return (levels.offset + levels.step * np.arange(levels.count))[:, None] * levels.scale


def test_even_levels() -> None:
    found = spaced(np.array([-0.5, 0.0, 0.5, 1.0], np.float32))
    assert (found.offset, found.step, found.count, float(found.scale)) == (-1, 1, 4, 0.5)


def test_levels_that_are_cut_off_lie_on_a_finer_grid() -> None:
    values = np.array([-1.0, -0.5, 0.0, 0.3], np.float32)
    with pytest.raises(ModelError, match="not evenly spaced"):
        spaced(values)
    found = spaced(values, grid=True)
    assert (found.offset, found.step, found.count) == (-10, 1, 14)
    assert np.isin(values, standing_for(found)[:, 0].astype(np.float32)).all()


def test_levels_without_a_grid_are_refused() -> None:
    with pytest.raises(ModelError, match="no whole multiples, up to 255"):
        spaced(np.array([-1.0, 0.0, 0.31415926], np.float32), grid=True)


def test_channels_may_have_other_integers() -> None:
    values = np.array([[-1.0, 0.0, 0.5], [1.0, 3.0, 1.0]], np.float32)
    found = spaced(values)
    assert (found.offset, found.step, found.count) == (-1, 1, 4)
    for column, held in zip(values.T, standing_for(found).T, strict=True):
        assert np.isin(column, held.astype(np.float32)).all()
