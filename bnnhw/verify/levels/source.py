"""Level ``source``: the model file in qonnx's own executor, which shares no code with bnnhw."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import numpy as np

from bnnhw import reference
from bnnhw.design import Design
from bnnhw.errors import InputError, ToolError
from bnnhw.verify.levels.base import Answer, Array, Level, Task


def answer(task: Task) -> Answer:
    """What the executor makes of the model file.

    Raises
    ------
    InputError
        If the model file is not at hand, or is none that the executor reads.
    ToolError
        If qonnx is not installed, or fails.
    """
    path = model_file(task.design)
    started = time.monotonic()
    tensors, output = _execute(path, task.inputs)
    outputs = tensors[output]
    classes = outputs.reshape(len(outputs), -1)
    prediction = classes.argmax(axis=1) if classes.shape[1] > 1 else classes[:, 0].astype(np.int64)
    return Answer(outputs, prediction, tensors=tensors, seconds=time.monotonic() - started)


def check(task: Task, found: Answer, expected: Answer) -> Level:
    """Holds it against the reference: outputs, classes, and whatever tensors the imported graph has as well."""
    level = Level("reference", len(task.inputs))
    design = task.design
    if design.source is not None:
        level.against = "reference, the imported float graph inside"
        for name, values in reference.run_all(design.source, task.inputs).items():
            if name in found.tensors and found.tensors[name].shape == values.shape:
                level.check(name, found.tensors[name], np.asarray(values), exact=False)
    level.check("outputs", found.outputs.reshape(expected.outputs.shape), expected.outputs, exact=False)
    level.check_classes(found.prediction, expected.prediction)
    return level


def model_file(design: Design) -> Path:
    """The QONNX file of a design.

    Raises
    ------
    InputError
        If it is not at hand, or the model is no QONNX file.
    """
    path = design.file
    if path is None:
        raise InputError(f"level source: the file of model {design.graph.name} is not at hand: name it instead of DIR")
    if not path.name.endswith((".onnx", ".onnx.gz")):
        raise InputError(f"level source: {path} is no QONNX file: leave this level out of --levels")
    return path


def _execute(path: Path, inputs: Array) -> tuple[dict[str, Array], str]:
    """Every tensor of the model by name, (N, ...) each, and the name of its output."""
    try:
        import onnx
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.fold_constants import FoldConstants
        from qonnx.transformation.infer_shapes import InferShapes
    except ImportError as error:
        raise ToolError(f'level source needs qonnx ({error}): pip install "bnnhw[dev]"') from None
    raw = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    try:
        model: Any = ModelWrapper(onnx.load_from_string(raw))
        # The executor wants all shapes. qonnx's own clean-up would rename the tensors.
        for step in (InferShapes(), FoldConstants(), InferShapes()):
            model = model.transform(step)
        graph = model.graph
        name, output = graph.input[0].name, graph.output[0].name
        shape = [size or 1 for size in model.get_tensor_shape(name)]
        parts: dict[str, list[Array]] = {}
        for sample in inputs:
            context = execute_onnx(model, {name: sample.reshape(shape)}, return_full_exec_context=True)
            for key in {*(node_output for node in graph.node for node_output in node.output), output}:
                value = np.asarray(context[key])
                # What does not depend on the sample, such as weights, has no axis for it.
                if value.ndim and value.shape[0] == 1:
                    parts.setdefault(key, []).append(value)
    except (ValueError, RuntimeError, KeyError, AttributeError, AssertionError) as error:
        raise ToolError(f"qonnx cannot execute {path}: {str(error).splitlines()[0][:200]}") from None
    return {key: np.concatenate(values) for key, values in parts.items()}, output
