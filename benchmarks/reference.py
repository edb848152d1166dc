"""How fast the packed reference runs the published CNV, beside plain float products in the same process.

Prints images per second of both, and their ratio. The float side multiplies the windows of every layer by its weights
as float32 matrices (numpy's BLAS, all cores), windows and thresholds included: the same network, computed the usual
way.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.entries import CNV_1W2A, DATA
from bnnhw import reference
from bnnhw.compiler import load_model
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense
from bnnhw.passes import to_integers
from bnnhw.reference.kernels import evaluate

MODEL = DATA / CNV_1W2A
IMAGES = DATA / "cifar10" / "cifar10_train_lossless_0000_0999.npz"
STEP = 50


def plain_float(graph: Graph, images: NDArray[np.float32]) -> NDArray[Any]:
    """The classes, with every product a float32 matrix product."""
    found = []
    for start in range(0, len(images), STEP):
        tensors: dict[str, NDArray[Any]] = {graph.input: images[start : start + STEP]}
        for node in graph.nodes:
            values = [tensors[name] for name in node.inputs]
            if isinstance(node, Dense):
                tensors[node.output] = (values[0].astype(np.float32) @ node.weight.T.astype(np.float32)).astype(
                    np.int32
                )
            else:
                tensors[node.output] = evaluate(node, *values)
        found.append(tensors[graph.outputs["prediction"]])
    return np.concatenate(found)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=400, metavar="N", help="images (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    graph = to_integers(load_model(MODEL, None))
    images = np.load(IMAGES)["images"][: options.samples].astype(np.float32).transpose(0, 3, 1, 2) / np.float32(255)
    rates = {}
    classes = []
    for name, work in (("packed", lambda x: reference.run(graph, x)["prediction"]), ("float", None)):
        classify = work or (lambda x: plain_float(graph, x))
        classify(images[:10])
        started = time.perf_counter()
        classes.append(classify(images))
        rates[name] = len(images) / (time.perf_counter() - started)
        print(f"{name:8}{rates[name]:8.0f} images/s")
    assert (classes[0] == classes[1]).all()
    print(f"packed / float: {rates['packed'] / rates['float']:.2f}")
    return 0
