"""Which rows of signs to make from which others: a tree of least cost."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.adder_graphs.builder import Builder, leaves_needed
from bnnhw.arithmetic.adder_graphs.netlist import Netlist

# What a number of three literals costs when it is shared, against two LUTs when it is not.
SHARED_LEAF = 1.0


def spanning_tree(rows: NDArray[np.int64], depth: int) -> list[tuple[int, int | None]]:
    """(row, parent) pairs from the root on, whose parent is None; no row is more than `depth` steps from the root.

    Prim's algorithm, with steps that cost what their adders do.
    """
    count, width = rows.shape
    costs = np.array([step_cost(width, d) for d in range(width + 1)])
    cost = costs[(width - rows @ rows.T) // 2]
    root = int(np.sort(cost, axis=1)[:, : count // 2 + 1].sum(axis=1).argmin())
    best, parent = cost[root].copy(), np.full(count, root)
    steps = np.zeros(count, np.int64)
    order: list[tuple[int, int | None]] = [(root, None)]
    best[root] = np.inf
    done = {root}
    for _ in range(count - 1):
        row = int(best.argmin())
        order.append((row, int(parent[row])))
        done.add(row)
        steps[row] = steps[parent[row]] + (cost[row, parent[row]] > 0)
        best[row] = np.inf
        if steps[row] < depth:
            nearer = cost[row] < best
            nearer[list(done)] = False
            best[nearer], parent[nearer] = cost[row][nearer], row
    return order


@cache
def step_cost(width: int, differing: int) -> float:
    """About how many LUTs make a row of `width` signs from one that has `differing` others."""
    if differing == 0:
        return 0.0
    literals = differing - (differing % 2 == 0)
    return total_cost(literals) + width.bit_length()


@cache
def total_cost(literals: int) -> float:
    """Estimated number of LUTs that add this number of literals, some of them with those of other sums."""
    builder = Builder(literals)
    builder.total([], [2 * k + 2 for k in range(literals)])
    made = Netlist(literals, tuple(builder.gates), ()).luts
    return made - (2 - SHARED_LEAF) * leaves_needed(literals, 0)
