"""Level ``rtl``: the generated Verilog in a simulator."""

from __future__ import annotations

from dataclasses import replace

from bnnhw.verify.levels import hardware
from bnnhw.verify.levels.base import Answer, Level, Task
from bnnhw.verify.taps import watched


def answer(task: Task) -> Answer:
    """What the Verilog answers; its tensors are recorded on the streams between its units."""
    design = task.design
    watch = watched(design.graph, design.plan, design.network) if task.trace else []
    result = hardware.simulate(task, design.verilog, watch)
    found = hardware.answered(task, result)
    if result.record is None:
        return found
    tensors = hardware.tensors(task, result.record)
    hardware.check_complete(tensors, len(task.inputs))
    return replace(found, tensors=tensors)


def check(task: Task, found: Answer, expected: Answer) -> Level:
    """Holds it against the reference, and finds the first layer that differs."""
    level = hardware.check(task, found, expected)
    if level.mismatches:
        hardware.locate(task, level, task.design.verilog, "rtl")
    return level
