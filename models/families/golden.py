"""What qonnx's executor says of a family's file: its accuracy, and golden values for the first test samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from models.datasets import Data
from models.families.family import Family

GOLDEN_SAMPLES = 32
MEASURED_WITH = "qonnx 1.0.0"


def outputs(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The file's output (N, classes) for `x`, all samples in one run."""
    batched = onnx.ModelProto()
    batched.CopyFrom(model)
    for value in (*batched.graph.input, *batched.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = len(x)
    wrapped = ModelWrapper(batched).transform(InferShapes())
    (name,) = (value.name for value in batched.graph.input)
    return execute_onnx(wrapped, {name: x})[batched.graph.output[0].name]


def write(folder: Path, model: onnx.ModelProto, family: Family, data: Data, data_set: str) -> float:
    """Writes ``model.onnx``, ``golden.npz`` and ``model.json`` into `folder`; the accuracy on the test set."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    found = outputs(model, data.test.x)
    accuracy = round(float((found.argmax(1) == data.test.y).mean()), 4)
    facts = {
        "title": family.title,
        "paper": family.paper,
        "idea": family.idea,
        "dialect": family.dialect,
        "data": data_set,
        "test_set": data.test_set,
        "samples": len(found),
        "accuracy": accuracy,
        "measured_with": MEASURED_WITH,
    }
    (folder / "model.json").write_text(json.dumps(facts, indent=1) + "\n")
    x = data.test.x[:GOLDEN_SAMPLES]
    whole = bool((x == x.astype(np.uint8)).all())
    np.savez_compressed(
        folder / "golden.npz",
        inputs=x.astype(np.uint8) if whole else x,
        labels=data.test.y[:GOLDEN_SAMPLES].astype(np.uint8),
        outputs=found[:GOLDEN_SAMPLES],
        prediction=found[:GOLDEN_SAMPLES].argmax(1).astype(np.uint8),
    )
    return accuracy
