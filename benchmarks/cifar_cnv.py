"""Trains the network of the CNV rows: FINN's CNV with binary weights and activations, on 800 images of CIFAR-10.

Its size is that of the published ones (six convolutions, two pools, three dense layers, 1.54 M weights), which is what
a benchmark of speed and area asks for; of its accuracy one can only say that there were few images to learn from. Needs
the extra ``train``; writes ``benchmarks/models/cifar-cnv.onnx.gz``.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from benchmarks.entries import CNV_1W1A
from benchmarks.pages import ROOT


def add_options(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(options: argparse.Namespace) -> int:
    sys.path.insert(0, str(ROOT / "models"))
    from datasets import source_of
    from networks import ConvRecipe
    from training import train

    recipe = ConvRecipe(
        title="cifar-cnv",
        shape=(3, 32, 32),
        stages=((64, 64), (128, 128), (256, 256)),
        sizes=(512, 512, 10),
        input_bits=8,
        input_scale=255.0,
        epochs=40,
        batch=50,
        rate=1e-2,
        shift=4,
        mirror=True,
    )
    source = source_of(recipe.title)
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, source.read(source.folder), Path(folder))
        model = signs(onnx.load(Path(folder) / "model.onnx"))
    (ROOT / CNV_1W1A).write_bytes(gzip.compress(model.SerializeToString(), mtime=0))
    return 0


def signs(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with its binary weights as they act, which compress to a twentieth of those that training left."""
    weights = {node.input[0] for node in model.graph.node if node.op_type == "BipolarQuant"}
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            values = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(np.where(values >= 0, 1, -1).astype(values.dtype), tensor.name))
    return model
