"""Boxes of random graphs: none on another, edges downwards and past the boxes."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from bnnhw.dag_layout import BETWEEN, GAP, lay_out


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs(seed: int) -> None:
    rng = random.Random(seed)
    names = [f"n{k}" for k in range(rng.randrange(1, 30))]
    sizes = {name: (rng.uniform(20, 200), rng.uniform(20, 60)) for name in names}
    edges = [
        (other, name)
        for k, name in enumerate(names[1:], 1)
        for other in rng.sample(names[:k], min(k, rng.choice((0, 1, 1, 2, 3))))
    ]
    layout = lay_out(sizes, edges)
    rectangles = {name: (x, y, x + sizes[name][0], y + sizes[name][1]) for name, (x, y) in layout.boxes.items()}
    for left, top, right, bottom in rectangles.values():
        assert left >= -1e-6 and right <= layout.width + 1e-6
        assert top >= -1e-6 and bottom <= layout.height + 1e-6
    for k, a in enumerate(names):
        for b in names[:k]:
            (l0, t0, r0, b0), (l1, t1, r1, b1) = rectangles[a], rectangles[b]
            assert t0 >= b1 or t1 >= b0 or l0 >= r1 + GAP - 1e-6 or l1 >= r0 + GAP - 1e-6
    for (first, last), line in zip(edges, layout.edges, strict=True):
        assert line[0][1] == pytest.approx(rectangles[first][3]) and line[-1][1] == pytest.approx(rectangles[last][1])
        assert all(y1 >= y0 for (_, y0), (_, y1) in pairwise(line))
        # What passes a layer passes it straight, beside its boxes.
        for (x0, y0), (x1, y1) in pairwise(line):
            for left, top, right, bottom in rectangles.values():
                if x0 == x1 and max(y0, top) < min(y1, bottom) - 1e-6:
                    assert not left < x0 < right


def test_a_chain_is_straight() -> None:
    layout = lay_out({"a": (10, 20), "b": (100, 20), "c": (30, 20)}, [("a", "b"), ("b", "c")])
    assert [x for line in layout.edges for x, _ in line] == pytest.approx([50.0] * 4)
    assert (layout.width, layout.height) == (100, 3 * 20 + 2 * BETWEEN)
