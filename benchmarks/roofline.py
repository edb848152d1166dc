"""Every design against its part's limits, as one plot."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.figures import Figures, built
from benchmarks.pages import ROOT
from bnnhw.charts import Roof, intensity, rooflines
from bnnhw.parts import PARTS

PLOT = ROOT / "docs" / "roofline.svg"


def plot(designs: Mapping[str, Figures]) -> str:
    """The plot as SVG, a panel for each part that has designs."""
    roofs = []
    for part in PARTS.values():
        points = [
            (
                " ".join(filter(None, (f["model"], f["suffix"]))),
                intensity(f["macs_per_inference"], f["weight_bits_read"]),
                f["macs_per_cycle"],
            )
            for f in built(designs)
            if f["part"] == part.name
        ]
        if points:
            roofs.append(Roof(part.name, part.bandwidth_macs_per_cycle, part.logic_macs_per_cycle, points))
    return rooflines(roofs)
