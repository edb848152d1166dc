"""The memory map of a program: each map gets lines for as long as it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.errors import PlanError
from bnnhw.layer_table import EngineShape


@dataclass
class Need:
    """Lines of a map from the step that writes it first to the one that reads it last.

    Parameters
    ----------
    name
        What writes it.
    lines, first, last
        How many, and the steps.
    base
        The first line, as `place` finds it.
    """

    name: str
    lines: int
    first: int
    last: int
    base: int = 0

    def meets(self, other: Need) -> bool:
        """Whether both are needed at one time."""
        return self.first <= other.last and other.first <= self.last


def place(needs: Sequence[Need], shape: EngineShape, start: int) -> int:
    """Gives every map its place behind the program, which ends before line `start`; the lines taken in all.

    Raises
    ------
    PlanError
        If they do not fit: how much, and which layer needs most.
    """
    placed: list[Need] = []
    for need in sorted(needs, key=lambda need: (-need.lines, need.first)):
        base = start
        for other in sorted((other for other in placed if other.meets(need)), key=lambda other: other.base):
            if base + need.lines <= other.base:
                break
            base = max(base, other.base + other.lines)
        need.base = base
        placed.append(need)
    end = max((need.base + need.lines for need in placed), default=start)
    if end > shape.lines:
        bits = shape.banks * shape.lanes
        largest = max(needs, key=lambda need: sum(other.lines for other in needs if other.meets(need)))
        live = sum(other.lines for other in needs if other.meets(largest))
        raise PlanError(
            f"the engine's memory has {shape.lines * bits:,} bits, and {end * bits:,} are needed: {start * bits:,} for "
            f"weights and layer table, and up to {live * bits:,} for maps, at layer {largest.name}: take a board with "
            "more memory, or fewer bits for its input"
        )
    return end
