"""Which three literals of several sums to add first, so that many sums share what they make."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence

import numpy as np

from bnnhw.arithmetic.adder_graphs.builder import Builder, Number, leaves_needed
from bnnhw.arithmetic.adder_graphs.netlist import Literal

# How many of the most frequent pairs of literals are examined; the one with the best third is taken.
PAIRS_TRIED = 12
# Literals of a sum that are looked at together; more take longer, and are hardly shared any better.
CHUNK = 64


def share_leaves(
    builder: Builder, sets: Sequence[Sequence[Literal]], spare: Sequence[int]
) -> tuple[list[list[Number]], list[list[Literal]]]:
    """For each sum of literals, numbers of three of them that other sums have as well, and the literals left.

    `spare` tells how many literals of each sum have a place outside.
    """
    numbers: list[list[Number]] = [[] for _ in sets]
    rest: list[list[Literal]] = [[] for _ in sets]
    columns = sorted({literal >> 1 for literals in sets for literal in literals})
    chunks = -(-max([1, *map(len, sets)]) // CHUNK)
    for part in np.array_split(np.array(columns, np.int64), chunks):
        inside = set(part.tolist())
        inner = [{literal for literal in literals if literal >> 1 in inside} for literals in sets]
        search = _Search(inner, [leaves_needed(len(some) - n, 0) for some, n in zip(inner, spare, strict=True)])
        for triple, rows in search.triples():
            number = builder.leaf(triple)
            for row in rows:
                numbers[row].append(number)
        for row, left in enumerate(search.left):
            rest[row] += sorted(left)
    return numbers, rest


class _Search:
    """Takes the three literals that most sums have, again and again; no sum gets more of them than it can use.

    Sums only lose literals, so that what a pair was worth before is the most that it is worth now.
    """

    def __init__(self, sets: list[set[Literal]], quota: list[int]) -> None:
        self.left = [set(literals) for literals in sets]
        self._quota = quota
        self._rows: dict[Literal, set[int]] = {}
        for row, literals in enumerate(sets):
            for literal in literals if self._quota[row] else ():
                self._rows.setdefault(literal, set()).add(row)
        self._pairs = self._all_pairs()

    def _all_pairs(self) -> list[tuple[int, Literal, Literal]]:
        """A heap of the pairs that two sums or more have, those of the most sums first."""
        names = sorted(self._rows)
        member = np.zeros((len(names), len(self.left)), np.float32)
        for k, name in enumerate(names):
            member[k, list(self._rows[name])] = 1
        together = np.triu(member @ member.T, 1)
        first, second = np.nonzero(together > 1)
        counts = together[first, second].astype(int)
        heap = [(-c, names[i], names[j]) for c, i, j in zip(counts.tolist(), first, second, strict=True)]
        heapq.heapify(heap)
        return heap

    def triples(self) -> list[tuple[list[Literal], list[int]]]:
        """Literals to be added, and the sums that they are in."""
        found = []
        while (best := self._best()) is not None:
            rows = sorted(self._rows[best[0]] & self._rows[best[1]] & self._rows[best[2]])
            for row in rows:
                self._take(row, best)
            found.append((list(best), rows))
        return found

    def _best(self) -> tuple[Literal, Literal, Literal] | None:
        most, best = 1, None
        again: list[tuple[int, Literal, Literal]] = []
        while self._pairs and len(again) < PAIRS_TRIED:
            worth, i, j = heapq.heappop(self._pairs)
            if -worth <= most:
                again.append((worth, i, j))
                break
            rows = self._rows[i] & self._rows[j]
            if len(rows) < -worth:
                if len(rows) > 1:
                    heapq.heappush(self._pairs, (-len(rows), i, j))
                continue
            thirds = Counter(literal for row in rows for literal in self.left[row])
            thirds[i] = thirds[j] = 0
            third, count = min(thirds.items(), key=lambda item: (-item[1], item[0]))
            if count > 1:
                again.append((worth, i, j))
            if count > most:
                most, best = count, (i, j, third)
        for entry in again:
            heapq.heappush(self._pairs, entry)
        return best

    def _take(self, row: int, literals: Sequence[Literal]) -> None:
        self._quota[row] -= 1
        self.left[row] -= set(literals)
        gone = literals if self._quota[row] else [*literals, *self.left[row]]
        for literal in gone:
            self._rows[literal].discard(row)
