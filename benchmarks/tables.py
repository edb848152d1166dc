"""What was measured of all designs, as tables of the documentation."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.figures import Figures, built
from benchmarks.pages import markdown, put
from bnnhw.dataflow import FILL
from bnnhw.parts import PARTS


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}"


def _label(f: Figures) -> list[str]:
    return [f["model"], f["board"], f["suffix"] or "-"]


def _rams(f: Figures) -> str:
    """Block RAMs, and single-port RAMs where there are weights in some."""
    part = PARTS[f["part"]]
    single = f" + {f['spram']} of {part.spram}" if f["spram"] else ""
    return f"{f['block_ram']} of {part.block_ram}{single}"


def results_table(designs: Mapping[str, Figures]) -> str:
    """Every figure of every design, for docs/results.md."""
    header = (
        "model", "board", "option", "LUT4", "FF", "carry", "block + single-port RAM", "MHz", "cycles", "latency",
        "inferences/s", "over the link/s", "MAC/cycle", "of the limit", "accuracy", "mismatches", "LUT estimate",
    )  # fmt: skip
    rows = [
        [
            *_label(f),
            f"{f['lut4']:,} ({_share(f['lut4'], PARTS[f['part']].lut4)})",
            f"{f['ff']:,}",
            f"{f['carry']:,}",
            _rams(f),
            f"{f['clock_mhz']:.2f}",
            f"{round(f['cycles_per_inference'], 2):,}",
            f"{f['latency_cycles']:,}",
            f"{f['inferences_per_second']:,.0f}",
            f"{f['link_inferences_per_second']:,.0f}",
            f"{f['macs_per_cycle']:,.0f}",
            f"{f['efficiency']:.0%}",
            "-" if f["accuracy"] is None else f"{f['accuracy']:.2%}",
            f"{f['mismatches']} of {f['samples']}",
            f"{f['lut4_estimated'] / f['lut4'] - 1:+.0%}",
        ]
        for f in built(designs)
    ]
    return markdown(header, rows) + _refusals(designs) + _versions(designs)


def _refusals(designs: Mapping[str, Figures]) -> str:
    refused = [
        f"* {' '.join(filter(None, _label(f)[:2]))}: {f['refused']}\n" for f in designs.values() if "refused" in f
    ]
    return "\nThere is no such design:\n\n" + "".join(refused) if refused else ""


def _versions(designs: Mapping[str, Figures]) -> str:
    seen: dict[str, set[str]] = {}
    for f in built(designs):
        for tool, version in f["tools"].items():
            seen.setdefault(tool, set()).add(version)
    tools = ", ".join(f"{tool} {' or '.join(sorted(versions))}" for tool, versions in seen.items())
    return f"\nVersions: {tools}. Seed 1, and the following ones where several were routed.\n"


def short_table(designs: Mapping[str, Figures]) -> str:
    """What matters most, for README.md."""
    header = (
        "model",
        "board",
        "option",
        "LUT4",
        "block + single-port RAM",
        "MHz",
        "cycles",
        "inferences/s",
        "accuracy",
    )
    rows = [
        [
            *_label(f),
            f"{f['lut4']:,} ({_share(f['lut4'], PARTS[f['part']].lut4)})",
            _rams(f),
            f"{f['clock_mhz']:.2f}",
            f"{round(f['cycles_per_inference'], 2):,}",
            f"{f['inferences_per_second']:,.0f}",
            "-" if f["accuracy"] is None else f"{f['accuracy']:.2%}",
        ]
        for f in built(designs)
    ]
    return markdown(header, rows)


def limits_table(designs: Mapping[str, Figures]) -> str:
    """What each part allows, for docs/speed.md."""
    rows = [
        [
            part.name,
            f"{part.lut4:,}",
            f"{part.block_ram} x {part.block_ram_width}",
            f"{part.bandwidth_macs_per_cycle:,.0f}",
            f"{part.logic_macs_per_cycle:,.0f}",
            f"{part.logic_macs_per_cycle / part.bandwidth_macs_per_cycle:.1f}",
        ]
        for part in PARTS.values()
    ]
    header = (
        "part",
        "LUT4",
        "block RAMs x bits read",
        "bandwidth, MAC/cycle",
        "logic, MAC/cycle",
        "they meet at MAC/bit",
    )
    return markdown(header, rows)


def bounds_table(designs: Mapping[str, Figures]) -> str:
    """How near each design is to its part's limits, for docs/speed.md."""
    rows = []
    for f in built(designs):
        part, bits = PARTS[f["part"]], f["weight_bits_read"]
        rows.append(
            [
                *_label(f),
                f"{f['macs_per_cycle']:,.0f}",
                f"{f['macs_per_inference'] / bits:.2f}" if bits else "no fetch",
                _share(bits / f["cycles_per_inference"], part.bandwidth_macs_per_cycle),
                _share(f["macs_per_cycle"], part.logic_macs_per_cycle),
                _share(f["block_ram"], part.block_ram),
                _share(f["lut4"], part.lut4),
                bound(f),
            ]
        )
    header = (
        "model", "board", "option", "MAC/cycle", "MAC per bit read", "of the bits", "of the lanes", "block RAMs",
        "LUT4", "bounded by",
    )  # fmt: skip
    return markdown(header, rows)


def bound(f: Figures) -> str:
    """What keeps a design from being faster, in a word."""
    part = PARTS[f["part"]]
    full = {
        "block RAMs": f["block_ram"] >= 0.93 * part.block_ram,
        "single-port RAMs": f["spram"] == part.spram > 0,
        "logic": f["lut4"] >= 0.95 * FILL[part.family] * part.lut4,
    }
    return ", ".join(name for name, is_full in full.items() if is_full) or "what was asked for"


def seeds_table(designs: Mapping[str, Figures]) -> str:
    """The spread of the clock over seeds, for docs/speed.md."""
    rows = []
    for f in built(designs):
        reached = sorted(f["fmax_mhz_by_seed"].values())
        if len(reached) > 1:
            middle = reached[len(reached) // 2]
            spread = f"{reached[-1] / reached[0] - 1:.1%}"
            rows.append(
                [*_label(f), str(len(reached)), *(f"{mhz:.2f}" for mhz in (reached[0], middle, reached[-1])), spread]
            )
    return markdown(
        ("model", "board", "option", "seeds", "slowest MHz", "median", "fastest", "fastest / slowest"), rows
    )


TABLES = {
    "results": ("docs/results.md", results_table),
    "short": ("README.md", short_table),
    "limits": ("docs/speed.md", limits_table),
    "bounds": ("docs/speed.md", bounds_table),
    "seeds": ("docs/speed.md", seeds_table),
}
"""By name: the page, and what makes the table."""


def write(designs: Mapping[str, Figures]) -> None:
    """Writes all of them."""
    for name, (page, table) in TABLES.items():
        put(page, name, table(designs))
