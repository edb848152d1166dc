"""What quantisation after training costs a float LeNet: accuracy, weight bits, and area on ULX3S-85F.

Calibrated on MNIST's first training images, measured on its first test images, which have to lie beside the checkout
(see models/datasets.py). The area is that of the planner's estimate at one frame rate. Writes
``benchmarks/quantize.json`` after each row, and the table of docs/quantize.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import bnnhw
from benchmarks.commands import add_again, add_only
from benchmarks.lenet import MODEL
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw.executor import executor
from bnnhw.frontend.container import read, unpacked

RESULTS = ROOT / "benchmarks" / "quantize.json"
PAGE = "docs/quantize.md"
BOARD, FPS = "ulx3s-85f", 1000
CALIBRATION, TEST = 500, 2000
# Weights, activations, correction.
WAYS = (
    ("int8", "uint8", "none"),
    ("int4", "uint4", "none"),
    ("int4", "uint4", "scale"),
    ("int2", "uint4", "none"),
    ("int2", "uint4", "scale"),
    ("ternary", "uint4", "none"),
    ("ternary", "uint4", "scale"),
    ("binary", "uint4", "none"),
    ("binary", "uint4", "scale"),
)
FLOAT = ("float", "float", "none")


def measure(way: tuple[str, str, str], folder: Path) -> Row:
    """One row: `folder` holds the samples."""
    weights, activations, correction = way
    file = folder / "quantised.onnx"
    found = bnnhw.quantize(
        MODEL,
        calibrate=folder / "calibration.npz",
        output=file,
        weights=weights,
        activations=activations,
        correction=correction,
    )
    with np.load(folder / "test.npz") as arrays:
        right = bnnhw.infer(file, arrays["inputs"])["prediction"].reshape(-1) == arrays["labels"]
    design = bnnhw.compile(file, board=BOARD, fps=FPS)
    used = design.estimate["utilization"]
    return {
        **_way(way),
        "accuracy": float(right.mean()),
        "same_class": found["accuracy"]["same_class"],
        "weight_bits": sum(layer["weight_bits"] for layer in bnnhw.check(file)["layers"]),
        "lut4": used["lut4"]["used"],
        "block_ram": used["block_ram"]["used"],
        "cycles": design.estimate["cycles_per_inference"],
    }


def measure_float(folder: Path) -> Row:
    """The row of the float network, which has no hardware."""
    file = read(MODEL)
    run = executor(onnx.load_model_from_string(unpacked(MODEL)), [file.output], str(MODEL))
    with np.load(folder / "test.npz") as arrays:
        classes = np.array([run(sample)[file.output].argmax() for sample in arrays["inputs"]])
        right = float((classes == arrays["labels"]).mean())
    bits = sum(32 * array.size for array in file.constants.values() if array.ndim in (2, 4))
    return {**_way(FLOAT), "accuracy": right, "weight_bits": bits}


def _way(way: tuple[str, str, str]) -> Row:
    return dict(zip(("weights", "activations", "correction"), way, strict=True))


def results() -> Rows:
    """What is known."""
    return Rows(RESULTS, ("weights", "activations", "correction"), [FLOAT, *WAYS])


def table(rows: list[dict[str, Any]]) -> str:
    """Accuracy, weight bits and area of each way."""
    header = ["weights", "activations", "correction", "accuracy", "loss", "weight bits", "LUT4", "block RAM", "cycles"]
    known = {tuple(row[key] for key in ("weights", "activations", "correction")): row for row in rows}
    exact = known[FLOAT]["accuracy"]
    lines = []
    for row in rows:
        plain = "lut4" not in row
        cells = ["-"] * 3 if plain else [f"{row['lut4']:,}", str(row["block_ram"]), f"{row['cycles']:,}"]
        loss = "-" if plain else f"{100 * (exact - row['accuracy']):.2f}"
        lines.append(
            [
                row["weights"],
                row["activations"],
                "-" if plain else row["correction"],
                f"{row['accuracy']:.2%}",
                loss,
                f"{row['weight_bits']:,}",
                *cells,
            ]
        )
    return markdown(header, lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "rows")


def run(options: argparse.Namespace) -> int:
    sys.path.insert(0, str(ROOT / "models"))
    from datasets import source_of

    source = source_of("mnist")
    data = source.read(source.folder)
    rows = results()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        np.savez(folder / "calibration.npz", inputs=data.train.x[:CALIBRATION], labels=data.train.y[:CALIBRATION])
        np.savez(folder / "test.npz", inputs=data.test.x[:TEST], labels=data.test.y[:TEST])
        for way in (FLOAT, *WAYS):
            if (way in rows and not options.again) or options.only not in " ".join(way):
                continue
            row = measure_float(folder) if way == FLOAT else measure(way, folder)
            print(f"{' '.join(way)}: {row['accuracy']:.2%}", flush=True)
            rows.add(row)
    if rows.complete(PAGE):
        put(PAGE, "quantize", table(rows.all))
    return 0
