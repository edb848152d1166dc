"""Charts as SVG: horizontal bars, rooflines, and points over two axes.

The same figures give the same bytes, and nothing is loaded from anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, inf, log10

INK, FAINT, PAPER = "#222222", "#d0d0d0", "#ffffff"
COLOURS = ("#1f6fb2", "#d2691e", "#2e8b57", "#8b3a8b", "#b22222", "#708090")
FONT = 'font-family="sans-serif" font-size="12"'


@dataclass
class Drawing:
    """Shapes on a sheet of `width` x `height` pixels, y downwards."""

    width: int
    height: int
    shapes: list[str] = field(default_factory=list)

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, width: float = 1, dashes: str = "") -> None:
        """A line through `points`."""
        where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.shapes.append(f'<polyline points="{where}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def box(self, x: float, y: float, width: float, height: float, colour: str, *, edge: str = "") -> None:
        """A filled rectangle, maybe with an edge of another colour; `x` and `y` are its upper left corner."""
        size = f'width="{max(width, 0):.1f}" height="{height:.1f}"'
        stroke = f' stroke="{edge}"' if edge else ""
        self.shapes.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"{stroke}/>')

    def dot(self, x: float, y: float, colour: str, *, hollow: bool = False, hint: str = "") -> None:
        """A point of a plot; a browser shows `hint` where the mouse is on it."""
        look = f'fill="{PAPER}" stroke="{colour}" stroke-width="1.5"' if hollow else f'fill="{colour}"'
        inside = f"><title>{escape(hint)}</title></circle>" if hint else "/>"
        self.shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {look}{inside}')

    def text(
        self, x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, bold: bool = False
    ) -> None:
        """`text` on one line; `anchor` is ``start``, ``middle`` or ``end``."""
        place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"' + (' font-weight="bold"' if bold else "")
        self.shapes.append(f'<text {place} fill="{colour}" {FONT}>{escape(text)}</text>')

    def svg(self) -> str:
        """The sheet with its shapes."""
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        sheet = f'<rect width="{self.width}" height="{self.height}" fill="{PAPER}"/>'
        return "\n".join((f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', sheet, *self.shapes, "</svg>\n"))


@dataclass(frozen=True)
class Bar:
    """One bar: its name, its length, and what is written behind it."""

    name: str
    value: float
    text: str


def bars(rows: Sequence[Bar], *, full: float, mark: str = "", width: int = 760) -> str:
    """Horizontal bars under each other.

    Parameters
    ----------
    full
        The value at the right end, where a line is drawn if there is a `mark` to call it by; a longer bar ends there
        too.
    """
    left, right, pitch = 190, 190, 22
    drawing = Drawing(width, pitch * len(rows) + (44 if mark else 20))
    length = width - left - right
    for k, row in enumerate(rows):
        y = 10 + k * pitch
        drawing.box(left, y, length, pitch - 7, "#f0f0f0")
        drawing.box(left, y, length * min(1.0, row.value / full if full else 0.0), pitch - 7, COLOURS[0])
        drawing.text(left - 8, y + 12, row.name, anchor="end")
        drawing.text(left + length + 8, y + 12, row.text)
    if mark:
        bottom = 10 + pitch * len(rows)
        drawing.line([(left + length, 4), (left + length, bottom)], COLOURS[1], dashes="4 3")
        drawing.text(left + length, bottom + 16, mark, anchor="end", colour=COLOURS[1])
    return drawing.svg()


@dataclass(frozen=True)
class Roof:
    """One part with its designs.

    Parameters
    ----------
    title
        The part's name.
    bandwidth
        Bits that its block RAMs give per cycle.
    logic
        MACs per cycle that its LUTs have room for.
    points
        Name, MACs per weight bit read (infinite where no weight is fetched) and MACs per cycle of each design.
    """

    title: str
    bandwidth: float
    logic: float
    points: Sequence[tuple[str, float, float]]


# Where weights are never fetched, a design stands at the right end.
MIN_INTENSITY, MAX_INTENSITY = 0.1, 100.0
PANEL, LABELS, LINE = 470, 270, 14


def rooflines(roofs: Sequence[Roof]) -> str:
    """One panel for each part: MACs per cycle over MACs per weight bit read, both logarithmic, below its two limits."""
    heights = [90 + max(220, LINE * len(roof.points)) for roof in roofs]
    drawing = Drawing(70 + PANEL + LABELS, sum(heights))
    for k, roof in enumerate(roofs):
        _panel(drawing, roof, sum(heights[:k]), heights[k])
    return drawing.svg()


def _panel(drawing: Drawing, roof: Roof, top: int, height: int) -> None:
    left, right, upper, lower = 60, 60 + PANEL, top + 40, top + height - 50
    lowest = min((y for _, _, y in roof.points), default=1.0)
    first, last = floor(log10(min(lowest, MIN_INTENSITY * roof.bandwidth))), ceil(log10(roof.logic * 1.2))

    def across(intensity: float) -> float:
        share = log10(min(max(intensity, MIN_INTENSITY), MAX_INTENSITY) / MIN_INTENSITY)
        return left + PANEL * share / log10(MAX_INTENSITY / MIN_INTENSITY)

    def down(macs: float) -> float:
        return lower - (lower - upper) * (log10(macs) - first) / (last - first)

    drawing.text(left, top + 24, f"{roof.title}: MAC per cycle over MAC per weight bit read from block RAM")
    for power in range(first, last + 1):
        drawing.line([(left, down(10.0**power)), (right, down(10.0**power))], FAINT)
        drawing.text(left - 8, down(10.0**power) + 4, f"{10.0**power:,g}", anchor="end")
    for intensity in (0.1, 1.0, 10.0, 100.0):
        drawing.line([(across(intensity), upper), (across(intensity), lower)], FAINT)
        name = f"{intensity:g}" if intensity < MAX_INTENSITY else "no fetch"
        drawing.text(across(intensity), lower + 18, name, anchor="middle")
    ridge = roof.logic / roof.bandwidth
    slope = [(MIN_INTENSITY, MIN_INTENSITY * roof.bandwidth), (ridge, roof.logic), (MAX_INTENSITY, roof.logic)]
    drawing.line([(across(x), down(y)) for x, y in slope], COLOURS[1], width=2)
    drawing.text(right - 4, down(roof.logic) - 6, f"logic {roof.logic:,.0f}", anchor="end", colour=COLOURS[1])
    bandwidth = f"bandwidth {roof.bandwidth:,.0f} bits/cycle"
    drawing.text(across(0.12), down(0.12 * roof.bandwidth) - 12, bandwidth, colour=COLOURS[1])
    _points(drawing, [(name, across(x), down(y)) for name, x, y in roof.points], right + 20, lower)


def _points(drawing: Drawing, points: Sequence[tuple[str, float, float]], column: float, lower: float) -> None:
    """Dots with their names in a column beside the plot, from top to bottom as the dots lie."""
    ordered = sorted(points, key=lambda point: (point[2], -point[1], point[0]))
    heights: list[float] = []
    for _, _, y in ordered:
        heights.append(max(y, heights[-1] + LINE) if heights else y)
    # Pushed back up where they would run out at the bottom.
    floor_y = lower
    for k in reversed(range(len(heights))):
        heights[k] = min(heights[k], floor_y)
        floor_y = heights[k] - LINE
    for k, ((name, x, y), height) in enumerate(zip(ordered, heights, strict=True)):
        colour = COLOURS[k % len(COLOURS)]
        drawing.line([(x, y), (column - 14, height), (column - 4, height)], colour, width=0.5)
        drawing.dot(x, y, colour)
        drawing.text(column, height + 4, name, colour=colour)


STEPS = (1.0, 2.0, 5.0)


def scatter(points: Sequence[tuple[str, float, float]], *, across: str, down: str) -> str:
    """Named points over a logarithmic axis and a linear one, with a line through those that no other one beats.

    Parameters
    ----------
    points
        Name, x above 0 (less is better) and y (more is better) of each.
    across, down
        What the axes are.
    """
    left, right, upper = 60, 60 + PANEL, 40
    lower = upper + max(320, LINE * len(points))
    drawing = Drawing(right + LABELS, lower + 50)
    first, last = ends([x for _, x, _ in points])
    lowest, highest = floor(min(y for _, _, y in points)), ceil(max(y for _, _, y in points))
    highest += lowest == highest

    def x_of(x: float) -> float:
        return left + PANEL * log10(x / first) / log10(last / first)

    def y_of(y: float) -> float:
        return lower - (lower - upper) * (y - lowest) / (highest - lowest)

    for y in range(lowest, highest + 1, max(1, (highest - lowest) // 10)):
        drawing.line([(left, y_of(y)), (right, y_of(y))], FAINT)
        drawing.text(left - 8, y_of(y) + 4, f"{y:g}", anchor="end")
    for x in marks(first, last):
        drawing.line([(x_of(x), upper), (x_of(x), lower)], FAINT)
        drawing.text(x_of(x), lower + 18, f"{x:,g}", anchor="middle")
    drawing.text(left, upper - 16, down)
    drawing.text((left + right) / 2, lower + 38, across, anchor="middle")
    drawing.line([(x_of(x), y_of(y)) for x, y in front(points)], COLOURS[1], width=2)
    _points(drawing, [(name, x_of(x), y_of(y)) for name, x, y in points], right + 20, lower)
    return drawing.svg()


def front(points: Sequence[tuple[str, float, float]]) -> list[tuple[float, float]]:
    """The x and y of the points for which no other has less x and as much y, by x."""
    found: list[tuple[float, float]] = []
    for x, y in sorted(((x, y) for _, x, y in points), key=lambda point: (point[0], -point[1])):
        if not found or y > found[-1][1]:
            found.append((x, y))
    return found


def marks(first: float, last: float) -> list[float]:
    """Of a logarithmic axis: 1, 2 and 5 times powers of ten from `first` to `last`."""
    powers = range(floor(log10(first)), ceil(log10(last)) + 1)
    return [step * 10.0**power for power in powers for step in STEPS if first <= step * 10.0**power <= last]


def ends(values: Sequence[float]) -> tuple[float, float]:
    """The marks around all values."""
    around = marks(min(values) / 10, max(values) * 10)
    return max(mark for mark in around if mark <= min(values)), min(mark for mark in around if mark > max(values))


def intensity(macs: float, bits: float) -> float:
    """MACs per weight bit read; infinite where none is."""
    return macs / bits if bits else inf
