"""Level ``source``: the model file in qonnx's own executor, which shares no code with bnnhw."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np

from bnnhw import reference
from bnnhw.design import Design
from bnnhw.errors import InputError, ToolError
from bnnhw.extras import install
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
    tensors, output = _execute(path, task.inputs, _answer_name(task.design))
    outputs = tensors[output]
    scores = outputs.reshape(len(outputs), -1)
    index = outputs.dtype.kind in "iu" and scores.shape[1] == 1
    prediction = scores[:, 0].astype(np.int64) if index else scores.argmax(axis=1)
    return Answer(outputs, prediction, tensors=tensors, seconds=time.monotonic() - started)


def check(task: Task, found: Answer, expected: Answer) -> Level:
    """Holds it against the reference: outputs, classes, and whatever tensors the imported graph has as well."""
    level = Level("reference", len(task.inputs))
    design = task.design
    level.set_aside(reference.doubtful(design.graph, task.inputs))
    if design.source is not None:
        level.against = "reference, the imported float graph inside"
        for name, values in reference.run_all(design.source, task.inputs).items():
            if name in found.tensors and found.tensors[name].shape == values.shape:
                level.check(name, found.tensors[name], np.asarray(values), exact=False)
    level.check("outputs", found.outputs.reshape(expected.outputs.shape), expected.outputs, exact=False)
    level.check_classes(found.prediction, expected.prediction)
    return level


def _answer_name(design: Design) -> str:
    """The output of the file that is the model's answer."""
    return (design.source or design.graph).outputs["outputs"]


def model_file(design: Design) -> Path:
    """The QONNX file of a design.

    Raises
    ------
    InputError
        If it is not at hand, or the model is no QONNX file.
    """
    path = design.file
    if path is None:
        raise InputError(
            f"level source: the file of model {design.graph.name} is not known: give the model file instead of DIR"
        )
    if not path.name.endswith((".onnx", ".onnx.gz")):
        raise InputError(f"level source: {path} is no QONNX file: leave this level out of --levels")
    return path


def _execute(path: Path, inputs: Array, wanted: str) -> tuple[dict[str, Array], str]:
    """Every tensor of the model by name, (N, ...) each, and the name of its answer: `wanted`, if the file has that."""
    import onnx

    from bnnhw.executor import batched, qonnx_model

    raw = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    proto = onnx.load_from_string(raw)
    source = batched(proto)
    names = [value.name for value in proto.graph.output]
    output = str(wanted if wanted in names else names[-1])
    element = onnx.helper.tensor_dtype_to_np_dtype(source.type.tensor_type.elem_type)
    parts: dict[str, list[Array]] = {}
    try:
        from qonnx.core.onnx_exec import execute_onnx

        model = qonnx_model(proto)
        shape = model.get_tensor_shape(source.name)
        for sample in inputs:
            # A file of a fixed batch gets the sample for all of it, and answers for the first.
            whole = np.broadcast_to(sample.astype(element).reshape(1, *shape[1:]), shape)
            context = execute_onnx(model, {source.name: np.ascontiguousarray(whole)}, return_full_exec_context=True)
            for key in {*(made for node in model.graph.node for made in node.output if made), output}:
                value = np.asarray(context[key])
                # What does not depend on the sample, such as weights, has no axis for it.
                if value.ndim and value.shape[0] == shape[0]:
                    parts.setdefault(key, []).append(value[:1])
    except ImportError as error:
        raise ToolError(f"level source needs qonnx ({error}): {install('quantize')}") from None
    except Exception as error:  # whatever a file makes a third party's executor raise
        raise ToolError(f"qonnx cannot execute {path}: {(str(error) or repr(error)).splitlines()[0][:200]}") from None
    return {key: np.concatenate(values) for key, values in parts.items()}, output
