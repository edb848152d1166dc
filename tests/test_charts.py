"""Charts: well-formed SVG that needs nothing else, with every shape on the sheet and where its figures say."""

from __future__ import annotations

from math import inf, log10
from xml.etree import ElementTree

import pytest

from bnnhw.charts import Bar, Roof, bars, front, intensity, rooflines, scatter

SVG = "{http://www.w3.org/2000/svg}"
POINTS = [("one <b>", 1.0, 400.0), ("two", 1.0, 398.0), ("far", inf, 1300.0), ("low", 0.5, 3.0)]
ROOF = Roof("ice40-up5k", 480.0, 1402.5, POINTS)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_values() -> None:
    svg = bars([Bar("a", 1.0, "half & half"), Bar("b", 3.0, "more than full")], full=2.0, mark="two")
    boxes = list(ElementTree.fromstring(svg).iter(f"{SVG}rect"))[1:]
    frame, half, _, full = (float(box.attrib["width"]) for box in boxes)
    assert (half, full) == (pytest.approx(frame / 2, abs=0.1), frame)
    assert texts(svg) == ["a", "half & half", "b", "more than full", "two"]


def test_bars_without_a_scale() -> None:
    assert "nothing" in bars([Bar("nothing", 0.0, "")], full=0.0)


def test_points_lie_below_the_roof_where_they_should() -> None:
    root = ElementTree.fromstring(rooflines([ROOF]))
    dots = {(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in root.iter(f"{SVG}circle")}
    assert len(dots) == len(POINTS)
    roof = next(line for line in root.iter(f"{SVG}polyline") if line.attrib["stroke-width"] == "2")
    (left, _), (ridge, top), (right, flat) = (
        tuple(float(number) for number in corner.split(",")) for corner in roof.attrib["points"].split()
    )
    assert top == flat and left < ridge < right
    assert all(top < y for _, y in dots)
    assert max(x for x, _ in dots) == right  # what never fetches
    ones = sorted(x for x, _ in dots)[1:3]
    assert ones[0] == ones[1] == pytest.approx(left + (right - left) / 3, abs=0.1)  # 1 of 0.1 to 100


def test_names_do_not_cover_each_other_or_leave_the_sheet() -> None:
    crowd = Roof("crowd", 480.0, 1402.5, [(f"design {k}", 1.0, 400.0 - k) for k in range(25)])
    root = ElementTree.fromstring(rooflines([ROOF, crowd]))
    places = [element for element in root.iter(f"{SVG}text") if (element.text or "").startswith("design")]
    heights = sorted(float(place.attrib["y"]) for place in places)
    assert len(heights) == 25
    assert min(b - a for a, b in zip(heights, heights[1:], strict=False)) >= 13.9
    assert heights[0] > 0 and heights[-1] < float(root.attrib["height"])


def test_the_same_figures_give_the_same_bytes_in_any_order() -> None:
    assert rooflines([ROOF]) == rooflines([Roof(ROOF.title, ROOF.bandwidth, ROOF.logic, POINTS[::-1])])


def test_intensity() -> None:
    assert intensity(10, 4) == 2.5
    assert intensity(10, 0) == inf


POINTS_OF_TWO_AXES = [("small", 1_500.0, 92.0), ("better", 2_500.0, 97.5), ("worse & larger", 3_000.0, 95.0)]


def test_points_lie_where_the_axes_say() -> None:
    root = ElementTree.fromstring(scatter(POINTS_OF_TWO_AXES, across="LUT4", down="accuracy"))
    dots = sorted((float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in root.iter(f"{SVG}circle"))
    (a, low), (b, high), (c, middle) = dots
    assert (b - a) / (c - b) == pytest.approx(log10(2_500 / 1_500) / log10(3_000 / 2_500), rel=0.01)
    assert (low - high) / (low - middle) == pytest.approx(5.5 / 3, rel=0.01)
    written = [text.text for text in root.iter(f"{SVG}text")]
    assert {"small", "better", "worse & larger", "LUT4", "accuracy", "1,000", "2,000", "5,000", "92", "98"} <= set(
        written
    )


def test_the_front_is_of_points_that_none_beats() -> None:
    assert front(POINTS_OF_TWO_AXES) == [(1_500.0, 92.0), (2_500.0, 97.5)]
    assert front([("a", 1.0, 2.0), ("b", 1.0, 3.0), ("c", 2.0, 3.0)]) == [(1.0, 3.0)]
