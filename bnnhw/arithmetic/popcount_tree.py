"""How a popcount's adders are arranged: each adds the counts of two halves and one more lane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

# LUTs of one, two and three lanes that are counted at once, and of one that joins higher up.
LOWEST_LUTS = {"ice40": ((1, 2, 3), 1), "ecp5": ((0, 2, 2), 0)}


def tree_height(lanes: int) -> int:
    """Levels of adders that count `lanes` bits, where each adds two counts and one more bit."""
    return lanes.bit_length() - 1


def counted_lanes(lanes: int) -> int:
    """The lanes that a popcount takes if it may leave one to a carry-in of what follows: it does where that makes the
    tree lower."""
    return lanes - 1 if lanes > 1 and tree_height(lanes - 1) < tree_height(lanes) else lanes


def popcount_latency(lanes: int, levels: int | None) -> int:
    """Registers in a popcount of `lanes` bits with one after every `levels` levels of its tree."""
    return 0 if levels is None else -(-tree_height(lanes) // levels)


@dataclass(frozen=True)
class Subtree:
    """Counts `count` lanes from lane `start` on: all at once, or one of them and two subtrees."""

    family: str
    start: int
    count: int

    @property
    def height(self) -> int:
        return tree_height(self.count)

    @property
    def halves(self) -> tuple[Subtree, ...]:
        """Two subtrees for all lanes but the first, or none where so few lanes need none."""
        if self.count <= 3:
            return ()
        _, low = _smallest(self.family, self.count)
        high = self.count - 1 - low
        return Subtree(self.family, self.start + 1, low), Subtree(self.family, self.start + 1 + low, high)

    def all(self) -> Iterator[Subtree]:
        """This one and all below it."""
        yield self
        for half in self.halves:
            yield from half.all()


def popcount_tree(lanes: int, family: str) -> Subtree:
    """The tree that counts `lanes` lanes with the fewest LUTs of a part of `family`."""
    return Subtree(family, 0, lanes)


@cache
def _smallest(family: str, count: int) -> tuple[int, int]:
    """LUTs of the smallest tree over `count` lanes that are matches, and the lanes of its lower half.

    Trees of 3, 7, 15, .. lanes need the shortest adders for what they count, so even halves are not always best. No
    half is so large that the tree gets higher.
    """
    lowest, lane = LOWEST_LUTS[family]
    if count <= 3:
        return lowest[count - 1], 0
    height = tree_height(count)
    found = []
    for low in range(max(1, count - (1 << height)), (count - 1) // 2 + 1):
        luts = lane
        for half in (low, count - 1 - low):
            # Where a half is much lower than the other one, its count waits for it in registers.
            waits = (height - 1) // 2 - tree_height(half) // 2
            luts += _smallest(family, half)[0] + waits * half.bit_length()
        found.append((luts + (count - 1 - low).bit_length() + 1, low))
    return min(found)
