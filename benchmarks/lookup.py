"""Lookup-table networks, each on the board that it was trained for.

Compiled, simulated, compared and routed as all designs are (`python -m benchmarks designs`), whose results these are
among; then the reference is held against onnxruntime on the whole test set, which goes to ``benchmarks/lookup.json``.
From both come the tables of docs/lookup-tables.md. With ``--only difflogic``, a network of random gates is routed for
its size (``benchmarks/gates.json``).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

import bnnhw
from benchmarks import gates
from benchmarks.commands import add_again, add_only
from benchmarks.designs import measure_all
from benchmarks.entries import BOARDS, LOOKUP, Entry, entries
from benchmarks.figures import Figures, load, measured, of
from benchmarks.measure import Results, test_set
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw import reference
from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow import Network
from bnnhw.dataflow.layers import LookupLayer
from bnnhw.frontend import load as load_model
from bnnhw.parts import PARTS
from bnnhw.passes import Encoder, to_integers
from bnnhw.shipped import find_model
from models.lookup.executor import LookupExecutor

PAGE = "docs/lookup-tables.md"
JUDGED = ROOT / "benchmarks" / "lookup.json"
# Pixels as the data sets have them, and what the models' files take as 1.
PIXELS = {"mnist": (DataType("uint", 8), 255), "digits": (DataType("uint", 5), 1)}
GATES = ROOT / "benchmarks" / "gates.json"


def known() -> list[Entry]:
    """Those of the networks that are shipped."""
    return [entry for entry in entries() if entry.model in LOOKUP]


def judge(entry: Entry) -> Row:
    """Its reference against onnxruntime: ``samples`` of the whole test set, ``differ`` of the class scores and of the
    classes, and the ``accuracy``."""
    design = bnnhw.compile(entry.source, board=entry.board)
    test = test_set(entry)
    executor = LookupExecutor(Path(design.file))
    expected, found = executor.outputs(test.x), reference.run(design.graph, test.x)
    classes = expected.argmax(axis=1)
    differ = np.count_nonzero(found["outputs"] != expected) + np.count_nonzero(found["prediction"] != classes)
    right = float((found["prediction"] == test.y).mean())
    return {
        "model": entry.model,
        "samples": len(test.y),
        "differ": int(differ),
        "accuracy": right,
        "judge": executor.measured_with,
        "encoder_luts": encoder_luts(entry),
    }


def encoder_luts(entry: Entry) -> int:
    """LUTs that the chip takes more, as estimated, where it makes the bits of pixels as they are in the data set."""
    dtype, one = PIXELS[entry.model.split("-")[0]]
    model = onnx.load(find_model(entry.model)[1])
    for tensor in model.graph.initializer:
        if tensor.name.startswith("thresholds"):
            cuts = numpy_helper.to_array(tensor) * np.float32(one)
            tensor.CopyFrom(numpy_helper.from_array(cuts.astype(np.float32), tensor.name))
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, path := Path(folder) / "pixels.onnx")
        source = load_model(path, input_format=dtype)
    ways: tuple[Encoder, ...] = ("chip", "host")
    layers = [Network.of(to_integers(source, encoder=where)).layers[0] for where in ways]
    chip, host = (layer.netlist.luts for layer in layers if isinstance(layer, LookupLayer))
    return chip - host


def table(rows: Iterable[Figures], judged: Mapping[str, Row]) -> str:
    """Area, clock and rate, the host link included; the accuracy is that of the whole test set."""
    header = (
        "model", "board", "accuracy", "LUT4", "of these, tables and sums", "encoder on the chip", "as estimated",
        "block RAM", "MHz", "images/s", "over the serial link/s", "latency",
        "mismatches: reference against onnxruntime", "Verilog, netlist against the reference",
    )  # fmt: skip
    lines = []
    for f in rows:
        if "refused" in f:
            continue
        said = judged.get(f["model"])
        lines.append(
            [
                f["model"],
                f["board"],
                f"{f['accuracy']:.2%}",
                f"{f['lut4']:,} ({f['lut4'] / PARTS[f['part']].lut4:.0%})",
                f"{f['lut4_of_layers']:,}",
                "-" if said is None else f"{said['encoder_luts']:+,}",
                f"{f['lut4_estimated'] / f['lut4'] - 1:+.0%}",
                f"{f['block_ram']} of {PARTS[f['part']].block_ram}",
                f"{f['clock_mhz']:.2f}",
                f"{f['inferences_per_second']:,.0f}",
                f"{f['link_inferences_per_second']:,.0f}",
                f"{1000 * f['latency_cycles'] / f['clock_mhz']:,.0f} ns",
                "-" if said is None else f"{said['differ']} of {said['samples']:,}",
                f"{f['mismatches']} of {f['samples']:,}",
            ]
        )
    return markdown(header, lines)


def gates_table(rows: Iterable[Row]) -> str:
    """Gates of two inputs on a small part."""
    header = ("network", "board", "LUT4", "as estimated", "MHz", "images/s", "mismatches: its own arithmetic, Verilog")
    lines = [
        [
            row["model"],
            row["board"],
            f"{row['lut4']:,}",
            f"{row['lut4_estimated'] / row['lut4'] - 1:+.0%}",
            f"{row['clock_mhz']:.2f}",
            f"{row['inferences_per_second']:,.0f}",
            f"{row['differ']} of {row['samples']:,}",
        ]
        for row in rows
    ]
    return markdown(header, lines)


def _task(model: str) -> str:
    return "digits, 8 x 8" if model.startswith("digits") else "MNIST" if model.startswith(("mnist", "TFC")) else ""


def choice(designs: Iterable[Figures]) -> str:
    """Tables beside weights: for each task and board all that was built, the most right first."""
    rows = [f for f in designs if "refused" not in f and f["suffix"] != "one_image" and _task(f["model"])]
    rows.sort(key=lambda f: (_task(f["model"]), BOARDS.index(f["board"]), -f["accuracy"]))
    lines = [
        [
            _task(f["model"]),
            f["board"],
            " ".join(filter(None, (f["model"], f["suffix"]))),
            "tables" if f["model"] in LOOKUP else "weights",
            f"{f['accuracy']:.2%}",
            f"{f['lut4']:,}",
            f"{f['block_ram']}",
            f"{f['inferences_per_second']:,.0f}",
            f"{f['latency_cycles'] / f['clock_mhz']:,.2f} us",
        ]
        for f in rows
    ]
    header = ("task", "board", "network", "of", "accuracy", "LUT4", "block RAM", "images/s", "latency")
    return markdown(header, lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "entries")


def written() -> dict[str, str]:
    """The tables of the page, by name, of all that is at hand."""
    rows = [
        of(result) | {"lut4_of_layers": sum(layer["lut4"] for layer in result["report"]["area"]["layers"])}
        for result in load(known()).values()
    ]
    return {
        "lookup": table(rows, {row["model"]: row for row in judgements().all}),
        "choice": choice(measured().values()),
    }


def judgements() -> Rows:
    """Each network's reference against onnxruntime."""
    return Rows(JUDGED, ["model"], [(name,) for name in LOOKUP])


def routes() -> Rows:
    """Of random gates."""
    return Rows(GATES, ["model"])


def run(options: argparse.Namespace) -> int:
    chosen = [entry for entry in known() if options.only in entry.name]
    judged, routed = judgements(), routes()
    for entry in chosen:
        if options.again or (entry.model,) not in judged:
            judged.add(judge(entry))
    failed = measure_all(chosen, 1, Results(again=options.again))
    if options.only and options.only in gates.NAME and (options.again or (gates.NAME,) not in routed):
        routed.add(gates.measure())
    tables = written()
    put(PAGE, "lookup", tables["lookup"])
    put(PAGE, "choice", tables["choice"])
    if routed.all:
        print(gates_table(routed.all))
    differ = [row["differ"] for row in (*judged.all, *routed.all)]
    mismatches = [result.get("mismatches") for result in load(known()).values()]
    return 1 if failed or any(differ) or any(mismatches) else 0
