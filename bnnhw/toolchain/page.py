"""The report as a page with plots: one HTML file that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnnhw import charts
from bnnhw.artifacts import COMPARISON, COMPARISON_SCHEMA, ESTIMATE, PAGE, PLAN, read_of
from bnnhw.charts import Bar, Roof
from bnnhw.dataflow import ESTIMATE_SCHEMA, Plan, load_plan
from bnnhw.dataflow.traffic import weight_bits_read
from bnnhw.documents import document, table
from bnnhw.errors import InputError
from bnnhw.files import write_text
from bnnhw.toolchain.report import read_report

RESOURCES = {
    "lut4": "LUT4",
    "ff": "flip-flops",
    "carry": "carry",
    "block_ram": "block RAM",
    "spram": "single-port RAM",
    "dsp": "multipliers",
}


def write_page(folder: Path) -> Path:
    """Makes report.html in `folder` from report.json, estimate.json and plan.json, and compare.json if there is one.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    InputError
        If one of them is missing, damaged or of another design, or `folder` cannot be written.
    """
    report = read_report(folder)
    plan = load_plan(folder / PLAN)
    if plan.digest != report.get("digest"):
        raise InputError(f"{folder}: compiled again after the bitstream was built: build again")
    estimate = read_of(folder / ESTIMATE, plan.digest, schema=ESTIMATE_SCHEMA, remedy="compile again")
    comparison = None
    if (folder / COMPARISON).exists():
        remedy = f"run `bnnhw compare {folder}` again"
        comparison = read_of(folder / COMPARISON, plan.digest, schema=COMPARISON_SCHEMA, remedy=remedy)
    try:
        page = _page(report, estimate, plan, comparison)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{folder}: its .json files are damaged ({error!r}): build again") from None
    write_text(folder / PAGE, page)
    return folder / PAGE


def _page(report: Mapping[str, Any], estimate: Mapping[str, Any], plan: Plan, comparison: Any) -> str:
    title = f"{report['model']} on {report.get('board_title', report['board'])}"
    sections = [
        ("Speed", _facts(_speed(report))),
        ("What it takes of the part", _utilization(report)),
        ("Cycles of each layer", _cycles(report, estimate)),
        ("What each layer takes", _layers(report)),
        ("Against the part's limits", _roofline(report, plan)),
        *([("Clock by seed of the placer", _seeds(report))] if len(report["fmax_mhz_by_seed"]) > 1 else []),
        *([("Compared bit by bit", _comparison(comparison))] if comparison is not None else []),
        ("Time that the build took", _steps(report)),
        (
            "Made with",
            _facts({**_model(report), **report["tools"], **{f"option {k}": v for k, v in report["options"].items()}}),
        ),
    ]
    return document(title, sections)


def _facts(items: Mapping[str, object]) -> str:
    return table((name, "-" if value is None else value) for name, value in items.items())


def _speed(report: Mapping[str, Any]) -> dict[str, object]:
    microseconds = report["latency_cycles"] / report["clock_mhz"]
    path, right = report["critical_path"], report["accuracy"]
    return {
        **({"accuracy": f"{right:.2%} of {report['accuracy_samples']:,} samples"} if right is not None else {}),
        "part": report["part"],
        **({"encoder": report["encoder"].removeprefix("encoder ")} if report.get("encoder") else {}),
        "inferences per second": f"{report['inferences_per_second']:,.0f}",
        "through the host link": f"{report['link_inferences_per_second']:,.0f} at {report['link']['baud']:,} baud",
        **({"faster with": report["link"]["lift"]} if report["link"].get("lift") else {}),
        "clock": f"{report['clock_mhz']:.2f} MHz of {report['fmax_mhz']:.2f} MHz that timing allows",
        **({"limited by": f"the path {path['words']}"} if path is not None else {}),
        "cycles per inference": f"{report['cycles_per_inference']:,}",
        "latency": f"{report['latency_cycles']:,} cycles, {microseconds:,.1f} microseconds",
        "cycles are those of the": report["cycles_from"],
        "MACs per cycle": f"{report['macs_per_cycle']:,.0f}, {report['efficiency']:.1%} of the tighter limit",
        "bitstream": f"{report['bitstream']}, SHA-256 {report['sha256']}",
    }


def _model(report: Mapping[str, Any]) -> dict[str, object]:
    file = report["model_file"]
    return {} if file is None else {"model file": f"{file['name']}, SHA-256 {file['sha256']}"}


def _utilization(report: Mapping[str, Any]) -> str:
    rows = []
    for key, name in RESOURCES.items():
        used, available = (report["utilization"][key][count] for count in ("used", "available"))
        if available:
            rows.append(Bar(name, used / available, f"{used:,} of {available:,} ({used / available:.0%})"))
    return charts.bars(rows, full=1.0)


def _cycles(report: Mapping[str, Any], estimate: Mapping[str, Any]) -> str:
    interval = report["cycles_per_inference"]
    rows = [
        Bar(layer["name"], layer["cycles"], f"{layer['cycles']:,} (PE {layer['pe']}, SIMD {layer['simd']})")
        for layer in estimate["layers"]
    ]
    return charts.bars(rows, full=interval, mark=f"{interval:,} cycles between two results")


def _layers(report: Mapping[str, Any]) -> str:
    area, used = report["area"], report["utilization"]
    keys = [key for key in RESOURCES if key in area["board"] and used[key]["used"]]
    parts = [(layer["name"], layer) for layer in area["layers"]]
    parts += [("frame guard and label select", area["frames"]), ("host link, clocks, LEDs", area["board"])]
    rows = [(name, *(f"{own[key]:,}" for key in keys)) for name, own in parts]
    share = [
        Bar(name, own["lut4"], f"{own['lut4']:,} ({own['lut4'] / used['lut4']['used']:.0%})") for name, own in parts
    ]
    bars = charts.bars(share, full=max(own["lut4"] for _, own in parts))
    return f'{table(rows, ("", *(RESOURCES[key] for key in keys)))}\n<p class="sum">LUT4 of each:</p>\n{bars}'


def _roofline(report: Mapping[str, Any], plan: Plan) -> str:
    macs = charts.intensity(report["macs_per_inference"], weight_bits_read(plan))
    limit = report["limit"]
    point = (report["model"], macs, report["macs_per_cycle"])
    return charts.rooflines([Roof(report["part"], limit["memory_bandwidth"], limit["logic"], [point])])


def _seeds(report: Mapping[str, Any]) -> str:
    reached = report["fmax_mhz_by_seed"]
    rows = [
        Bar(f"seed {seed}", mhz or 0, "no route" if mhz is None else f"{mhz:.2f} MHz") for seed, mhz in reached.items()
    ]
    return charts.bars(rows, full=max(mhz for mhz in reached.values() if mhz is not None))


def _comparison(comparison: Any) -> str:
    rows = [
        (name, f"{level['samples']:,}", sum(level["mismatches"].values()), level["against"])
        for name, level in comparison["levels"].items()
    ]
    return table(rows, ("level", "samples", "mismatches", "held against"))


def _steps(report: Mapping[str, Any]) -> str:
    seconds = report["seconds"]
    rows = [Bar(step.replace("_", " "), spent, f"{spent:.1f} s") for step, spent in seconds.items()]
    return charts.bars(rows, full=max(seconds.values()))
