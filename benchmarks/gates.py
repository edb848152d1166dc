"""A network of two-input gates as large as difflogic's, drawn at random: whether such a one fits a small part."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bnnhw
from benchmarks.rows import Row
from bnnhw import reference

NAME, BOARD = "difflogic-4x2000", "ice40-hx8k-b-evn"
INPUTS, LAYERS, NODES, CLASSES = 784, 4, 2000, 10
SAMPLES = 1000

Arrays = Mapping[str, NDArray[Any]]


def arrays() -> Arrays:
    """Layers in difflogic's layout: each reads every bit before it equally often, its gates are any of the sixteen."""
    rng, before = np.random.default_rng(1), INPUTS
    found: dict[str, NDArray[Any]] = {"inputs": np.array(INPUTS), "classes": np.array(CLASSES), "tau": np.array(10.0)}
    for n in range(LAYERS):
        pairs = [rng.permutation(max(before, NODES))[:NODES] % before for _ in range(2)]
        found[f"{n}.indices"] = np.stack(pairs)
        found[f"{n}.weights"] = rng.normal(size=(NODES, 16)).astype(np.float32)
        before = NODES
    return found


def counts(network: Arrays, bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """What difflogic computes of `bits` (N, INPUTS): ones of each class, (N, CLASSES)."""
    for n in range(LAYERS):
        a, b = (bits[:, places] for places in network[f"{n}.indices"])
        gate = network[f"{n}.weights"].argmax(axis=1)
        bits = gate >> (3 - 2 * a - b) & 1
    return bits.reshape(len(bits), CLASSES, -1).sum(axis=2)


def measure() -> Row:
    """Compiles and routes it, and counts where its integers differ from difflogic's arithmetic."""
    network = arrays()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{NAME}.npz"
        np.savez(path, **network)  # type: ignore[arg-type]
        design = bnnhw.compile(path, board=BOARD)
        x = np.random.default_rng(2).integers(0, 2, (SAMPLES, INPUTS))
        differ = int(np.count_nonzero(reference.run(design.graph, x)["integers"] != counts(network, x)))
        comparison = bnnhw.compare(design, inputs=x, samples=SAMPLES)
        report = bnnhw.build(design, folder=Path(folder) / "build")
    return {
        "model": NAME,
        "board": BOARD,
        "differ": differ + comparison["mismatches"],
        "samples": SAMPLES,
        "lut4": report["utilization"]["lut4"]["used"],
        "lut4_estimated": design.estimate["utilization"]["lut4"]["used"],
        "clock_mhz": report["clock_mhz"],
        "inferences_per_second": report["inferences_per_second"],
    }
