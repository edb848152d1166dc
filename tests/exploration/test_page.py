"""The page: its plots and tables, and that a browser shows it without loading anything."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bnnhw.exploration.page import make_page
from bnnhw.exploration.pareto import ACCURACY, LUTS, SPEED
from bnnhw.exploration.plots import MAX_MARKS, axis, colours_of, plot
from bnnhw.exploration.results import COLUMNS

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SVG = "{http://www.w3.org/2000/svg}"


def row(model: str, accuracy: float | None, lut4: int, speed: float, **more: Any) -> dict[str, Any]:
    found = {
        "model": model, "board": "icebreaker", "part": "ice40-up5k", "outcome": "planned", "pareto": True,
        "accuracy": accuracy, "lut4": lut4, "lut4_available": 5280, "block_ram": 3, "block_ram_available": 30,
        "clock_mhz": 20.0, "cycles_per_inference": 20e6 / speed, "latency_us": 2e6 / speed,
        "inferences_per_second": speed,
    }  # fmt: skip
    return dict.fromkeys(COLUMNS) | found | more


ROWS = [
    row("a <b>", 0.9, 1000, 1e3, fps=1000.0),
    row("c", 0.95, 2000, 1e6),
    row("c", 0.95, 2500, 2e3, pareto=False, folding="my & folding.json"),
    row("unknown", None, 1500, 5e3, board=None),
    dict.fromkeys(COLUMNS)
    | {"model": "c", "board": "icebreaker", "part": "ice40-up5k", "outcome": "refused", "reason": "<too> large"},
]


@pytest.mark.unit
def test_dots_and_the_line_through_the_front() -> None:
    colours = colours_of(row["model"] for row in ROWS)
    known = [row for row in ROWS if row["lut4"] is not None]
    tree = ElementTree.fromstring(plot(known, LUTS, ACCURACY, colours))
    dots = tree.findall(f"{SVG}circle")
    assert len(dots) == 3, "that without an accuracy has no place here"
    filled = {dot.findtext(f"{SVG}title").split(":")[0] for dot in dots if dot.get("stroke") is None}  # type: ignore[union-attr]
    assert filled == {"a <b>, icebreaker, asked for 1,000 per second", "c, icebreaker"}
    assert tree.findall(f"{SVG}polyline")[-1].get("points").count(",") == 2  # type: ignore[union-attr]
    assert len(ElementTree.fromstring(plot(known, LUTS, SPEED, colours)).findall(f"{SVG}circle")) == 4
    assert plot([ROWS[3]], LUTS, ACCURACY, colours) == ""


@pytest.mark.unit
@pytest.mark.parametrize("values", [[1.0], [0.02, 3e7], [900, 1100], [123456.0]])
def test_a_logarithmic_axis(values: list[float]) -> None:
    found = axis(values, 0, 100, percent=False)
    assert all(0 <= found.place(value) <= 100 for value in values)
    assert 1 <= len(found.named) <= MAX_MARKS and all("e" not in text for _, text in found.named)


@pytest.mark.unit
@pytest.mark.parametrize("values", [[0.5], [0.0, 1.0], [0.981, 0.982]])
def test_an_axis_of_shares(values: list[float]) -> None:
    found = axis(values, 100, 0, percent=True)
    assert all(0 <= found.place(value) <= 100 for value in values)
    assert 2 <= len(found.named) <= MAX_MARKS + 1 and all(text.endswith(" %") for _, text in found.named)


@pytest.mark.unit
def test_colours_are_apart() -> None:
    assert len(set(colours_of(str(k) for k in range(40)).values())) == 40


@pytest.mark.unit
def test_what_the_page_says() -> None:
    page = make_page(ROWS)
    assert page == make_page([dict(row) for row in ROWS])
    assert "3 models on 2 targets, 5 points" in page and "LUTs are estimated" in page
    assert "a &lt;b&gt;" in page and "my &amp; folding.json" in page and "&lt;too&gt; large" in page
    assert page.count("<svg ") == 4 + 2, "an accuracy that is not known has no plots"
    assert "1 more" in page and "1 without a design" in page
    built = make_page([row("a", 0.9, 1, 1e3, outcome="built")])
    assert "LUTs are estimated" not in built and "of the routed design" in built
    nothing = make_page(ROWS[-1:])
    assert "No design." in nothing and "<svg" not in nothing
    assert not re.search(r"(src|href)=|url\(|@import|<script|<link", page)


@pytest.mark.end2end
@pytest.mark.skipif(BROWSER is None, reason="no Chromium (Debian's package chromium)")
def test_in_a_browser(tmp_path: Path) -> None:
    """It shows every dot and every row of every table, with a width and a height."""
    page = make_page(ROWS)
    measure = """<script>
      const seen = [...document.querySelectorAll("circle, svg, tr")].map(each => each.getBoundingClientRect());
      document.querySelectorAll("details").forEach(each => each.open = true);
      const all = [...document.querySelectorAll("circle, svg, td, h1, h2")].map(each => each.getBoundingClientRect());
      document.title = [all.length, all.filter(box => box.width > 0 && box.height > 0).length,
        Math.max(...all.map(box => box.right)) <= innerWidth, performance.getEntriesByType("resource").length].join(" ");
    </script></body>"""
    path = tmp_path / "page.html"
    path.write_text(page.replace("</body>", measure))
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [BROWSER, *options, "--window-size=1280,1000", "--dump-dom", path.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    (title,) = re.findall(r"<title>(\d+ \d+ \w+ \d+)</title>", shown)
    every, visible, fits, loaded = title.split()
    assert every == visible and int(every) > 60 and fits == "true" and loaded == "0"
