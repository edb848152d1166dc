"""A profile as a picture: a row for each stream, cycles to the right, in colours for what it was in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bnnhw.charts import FAINT, INK, Drawing
from bnnhw.verify.profile import BUSY, HELD, STARVED, Profile

Heights = NDArray[np.float64]
COLOURS = {
    BUSY: ("#1f6fb2", "busy: a beat is taken"),
    HELD: ("#d2691e", "held: a beat is there and not taken"),
    STARVED: ("#d9dfe6", "starved: one would be taken and none is there"),
}
LEFT, PLOT, RIGHT, MARGIN = 250, 900, 60, 20
ROW, BAR, LEGEND = 18, 13, 18
TICKS = 8


def picture(profile: Profile) -> str:
    """The profile as SVG."""
    cycles = len(profile.states[0])
    # Cycles that share a column of pixels are drawn as shares of its height.
    columns = min(cycles, PLOT)
    edges = np.linspace(0, cycles, columns + 1).round().astype(int)
    rows = list(_rows(profile))
    top = MARGIN + 20 + LEGEND * len(COLOURS) + 40
    bottom = top + ROW * len(rows)
    drawing = Drawing(LEFT + PLOT + RIGHT, bottom + 36)

    def across(cycle: float) -> float:
        return LEFT + PLOT * cycle / cycles

    title = f"{profile.model} on {profile.part}: {cycles:,} cycles, {len(profile.ends):,} frames"
    drawing.text(MARGIN, MARGIN + 8, title, bold=True)
    for k, (colour, words) in enumerate(COLOURS.values()):
        drawing.box(MARGIN, MARGIN + 20 + LEGEND * k, 12, 12, colour)
        drawing.text(MARGIN + 20, MARGIN + 30 + LEGEND * k, words)
    drawing.line([(across(profile.first), top - 8), (across(profile.last + 1), top - 8)], INK, width=2)
    drawing.text(LEFT + PLOT + 8, top - 4, "busy")
    drawing.text(LEFT, top - 16, f"counted are the cycles {profile.first:,} to {profile.last:,}, below this line")
    for k, (name, link) in enumerate(rows):
        y = top + ROW * k
        if link is None:
            drawing.text(MARGIN, y + 12, name, bold=True)
            continue
        drawing.text(LEFT - 8, y + 11, name, anchor="end")
        drawing.text(LEFT + PLOT + 8, y + 11, f"{profile.share(link, BUSY):.0%}")
        states = profile.states[link]
        base = np.zeros(columns)
        for state, (colour, _) in COLOURS.items():
            counts = np.add.reduceat(states == state, edges[:-1])
            share = base + counts / np.diff(edges)
            if counts.any():
                drawing.area(_steps(base, share, [across(edge) for edge in edges], y), colour)
            base = share
    drawing.line([(LEFT, bottom), (LEFT + PLOT, bottom)], INK)
    for tick in _ticks(cycles):
        drawing.line([(across(tick), bottom), (across(tick), bottom + 5)], INK)
        drawing.text(across(tick), bottom + 18, f"{tick:,}", anchor="middle")
    for end in profile.ends:
        drawing.line([(across(end + 1), top), (across(end + 1), bottom)], FAINT, dashes="2 3")
    drawing.text(MARGIN, bottom + 18, "cycle; dashed: a frame's result is out")
    return drawing.svg()


def _rows(profile: Profile) -> Iterator[tuple[str, int | None]]:
    """What stands on the left of each row, and its link; a row with the name alone begins each place."""
    before = None
    for k, link in enumerate(profile.links):
        place = profile.place(link.reader)
        if place != before:
            yield place, None
        before = place
        yield _name(profile, k), k


def _name(profile: Profile, link: int) -> str:
    """What a stream is called: after its reader, without the layer's name where that stands above."""
    reader, name = profile.links[link].reader, profile.links[link].name
    if reader == len(profile.stages):
        return "out"
    stage = profile.stages[reader]
    port = name.rpartition(".i")[2]
    kind = type(stage.unit).__name__
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind).strip()
    return f"into {words}{f', input {port}' if port else ''}"


def _steps(base: Heights, share: Heights, places: Sequence[float], y: float) -> list[tuple[float, float]]:
    """The outline between two heights (shares of a bar) over columns: corners only where a height changes."""

    def outline(heights: Heights) -> list[tuple[float, float]]:
        changes = np.flatnonzero(np.diff(heights)) + 1
        starts = [0, *changes.tolist(), len(heights)]
        points = []
        for start, end in zip(starts, starts[1:], strict=False):
            level = y + BAR * (1 - heights[start])
            points += [(places[start], level), (places[end], level)]
        return points

    return outline(share) + outline(base)[::-1]


def _ticks(cycles: int) -> list[int]:
    """Round numbers, at most `TICKS`."""
    step = 1
    while cycles / step > TICKS:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return list(range(0, cycles + 1, step))
