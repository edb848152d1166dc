"""The figures of each design, and what changed since the last commit."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import bnnhw
from benchmarks.entries import Entry, entries
from benchmarks.measure import RESULTS, Result
from benchmarks.pages import ROOT
from bnnhw.files import write_text

MACHINES = "benchmarks/results.json"
SCHEMA = 1

# Of published networks, on the whole test set by their makers' files; of shipped ones their model.json tells.
PUBLISHED = {"TFC_1W1A": 0.9296, "TFC_2W2A": 0.9660, "SFC_1W1A": 0.9777}

Figures = dict[str, Any]


def load(wanted: Iterable[Entry], folder: Path = RESULTS) -> dict[str, Result]:
    """The results at hand, by name, in the order of `wanted`."""
    paths = {entry.name: folder / f"{entry.name}.json" for entry in wanted}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.is_file()}


def measured() -> dict[str, Figures]:
    """The figures of all entries at hand, by name, in their order."""
    return {name: of(result) for name, result in load(entries()).items()}


def of(result: Result) -> Figures:
    """The figures of one result, flat: what tables show and changes are looked for in."""
    known = {key: result[key] for key in ("model", "board", "suffix", "options")}
    if "refused" in result:
        return known | {"refused": result["refused"]}
    report = result["report"]
    used = {key: report["utilization"][key]["used"] for key in ("lut4", "ff", "carry", "block_ram", "spram")}
    accuracy = PUBLISHED | {model["name"]: model["accuracy"] for model in bnnhw.models()}
    return known | {
        "part": result["part"],
        **used,
        "clock_mhz": report["clock_mhz"],
        "fmax_mhz": report["fmax_mhz"],
        "fmax_mhz_by_seed": report["fmax_mhz_by_seed"],
        "cycles_per_inference": report["cycles_per_inference"],
        "latency_cycles": report["latency_cycles"],
        "inferences_per_second": report["inferences_per_second"],
        "link_inferences_per_second": report["link_inferences_per_second"],
        "macs_per_inference": report["macs_per_inference"],
        "macs_per_cycle": report["macs_per_cycle"],
        "limit": report["limit"],
        "efficiency": report["efficiency"],
        "weight_bits_read": result["weight_bits_read"],
        "accuracy": accuracy.get(result["model"]),
        "samples": result["samples"],
        "mismatches": result["mismatches"],
        "lut4_estimated": result["estimate"]["utilization"]["lut4"]["used"],
        "tools": report["tools"],
    }


def committed() -> dict[str, Figures]:
    """The figures that the last commit holds; none where there is no git or no such file."""
    show = ["git", "show", f"HEAD:{MACHINES}"]
    try:
        done = subprocess.run(show, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return json.loads(done.stdout)["designs"]


COMPARED = (
    "refused", "lut4", "ff", "carry", "block_ram", "spram", "clock_mhz", "fmax_mhz", "cycles_per_inference",
    "latency_cycles", "inferences_per_second", "mismatches",
)  # fmt: skip


def changes(before: Mapping[str, Figures], after: Mapping[str, Figures]) -> list[tuple[str, str, str, str]]:
    """What differs: entry, figure, before, after."""
    found = []
    for name in [*after, *(name for name in before if name not in after)]:
        if name not in before or name not in after:
            found.append((name, "entry", *(("-", "new") if name in after else ("there", "gone"))))
            continue
        for key in COMPARED:
            old, new = before[name].get(key), after[name].get(key)
            if old != new:
                share = f" ({new / old - 1:+.1%})" if isinstance(old, (int, float)) and new is not None and old else ""
                found.append((name, key, _plain(old), _plain(new) + share))
    return found


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def built(designs: Mapping[str, Figures]) -> list[Figures]:
    """Those that exist."""
    return [f for f in designs.values() if "refused" not in f]


def save(designs: Mapping[str, Figures], root: Path = ROOT) -> None:
    """Writes all figures for machines."""
    write_text(root / MACHINES, json.dumps({"schema": SCHEMA, "designs": designs}, indent=1) + "\n")
