from __future__ import annotations

import pytest

from bnnhw.arithmetic.popcount_tree import counted_lanes, popcount_latency, popcount_tree, tree_height


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 7, 8, 11, 64, 100])
def test_every_lane_is_counted_once(lanes: int, family: str) -> None:
    counted = []
    for subtree in popcount_tree(lanes, family).all():
        counted += [subtree.start] if subtree.halves else range(subtree.start, subtree.start + subtree.count)
    assert sorted(counted) == list(range(lanes))


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_halves_are_no_higher_than_the_tree_allows(family: str) -> None:
    for lanes in range(4, 200):
        for half in popcount_tree(lanes, family).halves:
            assert half.height < tree_height(lanes)


def test_the_spare_lane_is_left_where_the_tree_gets_lower() -> None:
    assert [counted_lanes(lanes) for lanes in (1, 2, 3, 4, 7, 8, 9, 64)] == [1, 1, 3, 3, 7, 7, 9, 63]


def test_latency() -> None:
    assert [popcount_latency(63, levels) for levels in (None, 1, 2, 3, 9)] == [0, 5, 3, 2, 1]
