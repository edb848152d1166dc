"""An exploration as a page: one HTML file that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bnnhw.documents import document, table
from bnnhw.exploration.pareto import ACCURACY, LATENCY, LUTS, SPEED
from bnnhw.exploration.plots import colours_of, plot
from bnnhw.exploration.points import BUILT
from bnnhw.exploration.results import has_figures, target_of

Row = Mapping[str, Any]

PLOTS = ((LUTS, ACCURACY), (SPEED, ACCURACY), (LUTS, SPEED), (LUTS, LATENCY))
HEADER = ("model", "asked", "folding", "accuracy", "LUT4", "block RAM", "MHz", "cycles", "inferences/s", "latency, µs")
STYLE = """
body { max-width: 76em; } .plots { display: flex; flex-wrap: wrap; gap: 1em; } .plots svg { flex: 0 1 auto; }
.legend span { margin-right: 1.4em; white-space: nowrap; } .swatch { display: inline-block; width: .8em; height: .8em;
border-radius: 50%; margin-right: .4em; } details { margin-top: 1em; } summary { cursor: pointer; }
"""


def make_page(rows: Sequence[Row]) -> str:
    """The page of `rows`, which are those of `make_rows`; the same rows give the same bytes."""
    targets = list(dict.fromkeys(target_of(row) for row in rows))
    colours = colours_of(row["model"] for row in rows)
    title = f"{_count(len(colours), 'model')} on {_count(len(targets), 'target')}, {_count(len(rows), 'point')}"
    sections = [("", _legend(colours) + _words(rows))]
    sections += [(_titled(target, rows), _section(target, rows, colours)) for target in targets]
    return document(title, sections, style=STYLE)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _titled(target: str, rows: Sequence[Row]) -> str:
    part = next(row["part"] for row in rows if target_of(row) == target)
    return target if target == part else f"{target} ({part})"


def _legend(colours: Mapping[str, str]) -> str:
    spans = (
        f'<span><i class="swatch" style="background:{colour}"></i>{escape(model)}</span>'
        for model, colour in colours.items()
    )
    return f'<p class="legend">{"".join(spans)}</p>\n'


def _words(rows: Sequence[Row]) -> str:
    built = any(row["outcome"] == BUILT for row in rows)
    how = (
        "LUTs, block RAMs and clocks are those of the routed design."
        if built
        else "Cycles are exact; LUTs are estimated, and clocks are those that the parts usually reach."
    )
    return (
        "<p>A filled dot is a design that no other one beats in both figures of its plot; the line goes through these. "
        f"The tables hold the designs that no other one beats in all of accuracy, LUTs, inferences per second and "
        f"latency. {how}</p>"
    )


def _section(target: str, rows: Sequence[Row], colours: Mapping[str, str]) -> str:
    own = [row for row in rows if target_of(row) == target]
    found = [row for row in own if has_figures(row)]
    best = sorted((row for row in found if row["pareto"]), key=lambda row: (row["lut4"], row["model"]))
    rest = [row for row in found if not row["pareto"]]
    none = [row for row in own if not has_figures(row)]
    svgs = (plot(found, across, down, colours) for across, down in PLOTS)
    parts = [f'<div class="plots">\n{"".join(svgs)}</div>'] if found else ["<p>No design.</p>"]
    parts += [table(map(_cells, best), HEADER)] if best else []
    parts += [_folded(f"{len(rest)} more", table(map(_cells, rest), HEADER))] if rest else []
    if none:
        lines = ((row["model"], _asked(row), row["folding"] or "-", row["outcome"], row["reason"]) for row in none)
        parts.append(_folded(f"{len(none)} without a design", table(lines, (*HEADER[:3], "outcome", "why"))))
    return "\n".join(parts)


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>\n{content}\n</details>"


def _asked(row: Row) -> str:
    return "the fastest" if row["fps"] is None else f"{row['fps']:,g}/s"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["model"],
        _asked(row),
        row["folding"] or "-",
        "-" if row["accuracy"] is None else f"{row['accuracy']:.2%}",
        f"{row['lut4']:,} of {row['lut4_available']:,}",
        f"{row['block_ram']:,} of {row['block_ram_available']:,}",
        f"{row['clock_mhz']:.2f}",
        f"{row['cycles_per_inference']:,g}",
        f"{row['inferences_per_second']:,.0f}",
        f"{row['latency_us']:,.1f}",
    )
