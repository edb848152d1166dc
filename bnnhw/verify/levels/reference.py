"""Level ``reference``: the integers in numpy, against plain arithmetic, the imported float graph and golden values."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from bnnhw import reference
from bnnhw.errors import InputError
from bnnhw.verify.levels.base import Answer, Array, Level, Task

# Samples for the plain kernels, which are slow; they exercise every word that the packed ones are made of.
PLAIN = 256


def answer(task: Task) -> Answer:
    """What `bnnhw.reference` computes."""
    started = time.monotonic()
    graph = task.design.graph
    found = reference.run(graph, task.inputs)
    tensors = reference.trace(graph, task.inputs) if task.trace else {}
    seconds = time.monotonic() - started
    return Answer(found["outputs"], found["prediction"], found["integers"], tensors, seconds=seconds)


def check(task: Task, found: Answer, expected: Answer) -> Level:
    """Holds the reference against all that is known of the model but the hardware."""
    design, inputs = task.design, task.inputs
    answers = found.arrays()
    against = ["plain arithmetic"]
    level = Level("", len(inputs))
    plain, packed = (reference.trace(design.graph, inputs[:PLAIN], packed=fast) for fast in (False, True))
    for name, values in plain.items():
        level.check(f"packed {name}", packed[name], values)
    level.set_aside(reference.doubtful(design.graph, inputs))
    if design.source is not None:
        against.append("the imported float graph")
        floats = reference.run(design.source, inputs)
        level.check("outputs", answers["outputs"], floats["outputs"], exact=False)
        level.check_classes(answers["prediction"], floats["prediction"])
    if task.golden:
        against.append("golden values")
        # Tables that were simplified away are in the file, and in what was imported of it.
        tables = {} if design.source is None else reference.trace_tables(design.source, inputs)
        _golden(level, tables or reference.trace(design.graph, inputs), answers, task.golden)
    level.against = ", ".join(against)
    return level


def _golden(level: Level, trace: dict[str, Array], answers: dict[str, Array], golden: Mapping[str, Array]) -> None:
    # Some files count the quantised input as act0, some do not; the shape tells.
    shift = int("act0" in golden and golden["act0"].shape[1:] != trace["act0"].shape[1:])
    # In the order of the data, so that the first difference is where it comes from.
    for name, values in sorted(golden.items(), key=lambda item: _place(item[0])):
        kind, number = name[:3], name[3:]
        if kind in ("acc", "act") and number.isdigit():
            mine = f"{kind}{int(number) + (shift if kind == 'act' else 0)}"
            if mine not in trace:
                raise InputError(f"golden {name}: the model has no {mine}; the file is of another model")
            level.check(f"golden {name}", _as_laid_out(trace[mine][: len(values)], values), values)
        elif name in ("outputs", "logits"):
            level.check(f"golden {name}", answers["outputs"][: len(values)], values, exact=False)
        elif name in ("prediction", "pred"):
            level.check_classes(answers["prediction"][: len(values)], values)


def _place(name: str) -> tuple[float, str]:
    """Where in the network a tensor of a golden file is: ``act0``, ``acc0``, ``act1``, .., then the outputs."""
    kind, number = name[:3], name[3:]
    if kind not in ("acc", "act") or not number.isdigit():
        return float("inf"), name
    return 2 * int(number) + (kind == "acc"), name


def _as_laid_out(found: Array, expected: Array) -> Array:
    """`found` with its channels in front where a golden file of maps has them there."""
    moved = np.moveaxis(found, -1, 1)
    return moved if found.shape != expected.shape == moved.shape else found
