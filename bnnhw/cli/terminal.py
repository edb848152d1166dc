"""What the command line writes: tables, JSON, and how far counted things are."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bnnhw.progress import told

Cell = str | int | float | None


def printable(text: str, most: int) -> str:
    """`text` without control characters and not longer than `most`: names in a foreign file may be anything."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= most else f"{shown[: most - 4]} ..."


def text_of(cell: Cell) -> str:
    """A table's cell: thousands in groups, floats with two decimals, nothing as a dash."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.2f}"
    return f"{cell:,}" if isinstance(cell, int) else printable(cell, 160)


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Aligned columns under `header`: numbers to the right, text to the left."""
    rows = list(rows)
    texts = [list(header), *([text_of(cell) for cell in row] for row in rows)]
    widths = [max(len(line[k]) for line in texts) for k in range(len(header))]
    right = [bool(rows) and all(not isinstance(row[k], str) for row in rows) for k in range(len(header))]
    lines = []
    for line in texts:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def facts(items: Mapping[str, Cell]) -> str:
    """One line per item, names and values aligned."""
    width = max(len(name) for name in items)
    return "\n".join(f"{name.ljust(width)}  {text_of(value)}" for name, value in items.items())


def share(count: Mapping[str, int]) -> str:
    """``used of available (percent)``."""
    return f"{count['used']:,} of {count['available']:,} ({100 * count['used'] / count['available']:.0f} %)"


def percent(part: float | None) -> str | None:
    """A share of 1 as percent."""
    return None if part is None else f"{100 * part:.2f} %"


def shortened(labels: list[int], most: int = 20) -> str:
    """The first labels."""
    return " ".join(str(label) for label in labels[:most]) + (" ..." if len(labels) > most else "")


def write(as_json: bool, data: Any, text: str) -> None:
    """The result of a command on stdout: `data` as JSON, or `text`."""
    print(json.dumps(data, indent=2) if as_json else text)


def warn(text: str) -> None:
    """Something that does not change the result, on stderr."""
    print(f"bnnhw: warning: {printable(text, 300)}", file=sys.stderr)


def counter(things: str) -> Callable[[int, int], None]:
    """To be called with how many are done and how many there are: the step that is shown says so, and how fast."""
    started = 0.0
    first = 0

    def count(done: int, of: int) -> None:
        nonlocal started, first
        now = time.monotonic()
        if not started:
            started, first = now, done
        told(f"{done:,} of {of:,}, {(done - first) / max(now - started, 1e-9):,.0f} {things} per second")

    return count
