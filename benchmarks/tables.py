"""Builds models for boards and writes the tables of the documentation.

    python benchmarks/tables.py [--again] [--only TEXT] [--tables-only]

Each entry is compiled, simulated, compared bit by bit and routed; its numbers go to ``benchmarks/results/``, one JSON
file each,
so that an interrupted run goes on where it stopped. Then `docs/results.md` and the table in README.md are written
from all of these files. Area, clock and cycles are the same at every run with the same versions and seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bnnhw
from bnnhw.dataflow import cost
from bnnhw.errors import BnnhwError
from bnnhw.files import write_text
from bnnhw.inputs import inputs_for

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SHARED = ROOT.parent / "shared" / "data" / "models" / "qonnx_zoo_tfc"
BOARDS = ("icebreaker", "ice40-hx8k-b-evn", "ulx3s-85f")
COMPARED = 100
MARKS = "<!-- table: benchmarks/tables.py -->", "<!-- end of table -->"


def entries() -> list[tuple[str, str]]:
    """Model and board of every design; published networks only where their files lie beside the checkout."""
    published = [str(SHARED / f"{name}.onnx") for name in ("TFC_1W1A", "TFC_2W2A")]
    models = [path for path in published if Path(path).is_file()] + [model["name"] for model in bnnhw.models()]
    return [(model, board) for model in models for board in BOARDS]


def name_of(model: str) -> str:
    return Path(model).stem


def measure(model: str, board: str) -> dict[str, Any]:
    """Compiles, compares and builds one design."""
    design = bnnhw.compile(model, board=board)
    comparison = bnnhw.compare(design, samples=COMPARED)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        report = bnnhw.build(design, folder=folder)
        seconds = time.monotonic() - started
    chosen = inputs_for(design.graph, None, COMPARED)
    return {
        "model": name_of(model),
        "board": board,
        "part": design.plan.part,
        "inputs": "the model's golden file" if chosen.labels is not None else chosen.source,
        "samples": comparison["levels"]["rtl"]["samples"],
        "mismatches": comparison["mismatches"],
        "layers": [
            {
                key: getattr(p, key)
                for key in ("name", "kind", "vectors", "mw", "mh", "pe", "simd", "lanes", "weight", "input")
            }
            for p in design.plan.layers
        ],
        "features": cost.network_features(design.plan, design.network),
        "estimate": design.estimate,
        "report": report,
        "build_seconds": round(seconds, 1),
    }


def row(result: dict[str, Any], accuracy: dict[str, float]) -> list[str]:
    report, estimate = result["report"], result["estimate"]
    used = report["utilization"]
    lut = used["lut4"]
    error = estimate["utilization"]["lut4"]["used"] / lut["used"] - 1
    share = accuracy.get(result["model"])
    return [
        result["model"],
        result["board"],
        f"{lut['used']:,} ({lut['used'] / lut['available']:.0%})",
        f"{used['block_ram']['used']} of {used['block_ram']['available']}",
        f"{report['clock_mhz']:.2f}",
        f"{report['cycles_per_inference']:,}",
        f"{report['latency_cycles']:,}",
        f"{report['inferences_per_second']:,.0f}",
        f"{report['link_inferences_per_second']:,.0f}",
        "-" if share is None else f"{share:.2%}",
        f"{result['mismatches']} of {result['samples']}",
        f"{error:+.0%}",
    ]


HEADER = [
    "model", "board", "LUT4", "block RAM", "MHz", "cycles", "latency", "inferences/s", "over the link/s", "accuracy",
    "mismatches", "LUT estimate",
]  # fmt: skip
SHORT = [0, 1, 2, 3, 4, 5, 7, 9]


def table(rows: list[list[str]], columns: list[int]) -> str:
    lines = [HEADER, ["---"] * len(HEADER), *rows]
    return "\n".join("| " + " | ".join(line[k] for k in columns) + " |" for line in lines) + "\n"


def accuracies() -> dict[str, float]:
    """Measured with another executor: of the shipped models by their model.json, of published ones by their makers'
    files."""
    return {model["name"]: model["accuracy"] for model in bnnhw.models()} | {"TFC_1W1A": 0.9296, "TFC_2W2A": 0.9660}


def write_tables() -> None:
    """docs/results.md and the table of README.md, from the files in `RESULTS`."""
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    if not results:
        return
    order = {name_of(model): k for k, (model, _) in enumerate(entries())}
    results.sort(key=lambda r: (order.get(r["model"], 0), BOARDS.index(r["board"])))
    rows = [row(result, accuracies()) for result in results]
    tools = results[0]["report"]["tools"]
    text = [
        "# Results",
        "",
        "Routed designs; `benchmarks/tables.py` builds them and writes this page. LUT4 are logic cells on iCE40 and",
        "TRELLIS_COMB on ECP5, link and PLL included. Cycles are measured in simulation, back to back. Mismatches are",
        "samples whose integers or class differ between the simulated Verilog and the reference. TFC_1W1A and TFC_2W2A",
        "are the published networks of the QONNX model zoo; their accuracy is that of the whole MNIST test set in the",
        "reference.",
        "",
        table(rows, list(range(len(HEADER)))),
        "Versions: " + ", ".join(f"{name} {version}" for name, version in tools.items()) + "; seed 1.",
        "",
    ]
    write_text(ROOT / "docs" / "results.md", "\n".join(text))
    readme = ROOT / "README.md"
    content = readme.read_text()
    if all(mark in content for mark in MARKS):
        head, rest = content.split(MARKS[0], 1)
        tail = rest.split(MARKS[1], 1)[1]
        write_text(readme, f"{head}{MARKS[0]}\n{table(rows, SHORT)}{MARKS[1]}{tail}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--again", action="store_true", help="measure what is measured already, too")
    parser.add_argument("--only", default="", help="entries whose file name holds this text")
    parser.add_argument("--tables-only", action="store_true", help="measure nothing")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for model, board in [] if options.tables_only else entries():
        path = RESULTS / f"{name_of(model)}_{board}.json"
        if options.only not in path.name or (path.exists() and not options.again):
            continue
        print(f"{path.stem} ...", flush=True)
        try:
            result = measure(model, board)
        except BnnhwError as error:
            print(f"  {error}", file=sys.stderr, flush=True)
            continue
        write_text(path, json.dumps(result, indent=1) + "\n")
        cells = row(result, accuracies())
        print("  " + ", ".join(f"{HEADER[k]} {cells[k]}" for k in range(2, len(HEADER))), flush=True)
    write_tables()


if __name__ == "__main__":
    main()
