"""Level ``board``: the whole design of a board over its host link, a real board or a simulated one."""

from __future__ import annotations

from bnnhw import reference
from bnnhw.verify.board import infer_on_board
from bnnhw.verify.levels import hardware
from bnnhw.verify.levels.base import Answer, Level, Task


def answer(task: Task) -> Answer:
    """What the board at the task's port answers; without a port, a simulated board that is started for it."""
    answers = infer_on_board(task.design, task.inputs, port=task.port)
    outputs = reference.finish(task.design.graph, answers.results.integers)
    return Answer(
        outputs["outputs"],
        answers.results.labels,
        outputs["integers"],
        damaged=answers.results.errors,
        cycles=answers.cycles,
        seconds=answers.seconds,
        facts={"port": task.port or "simulated board", "retries": answers.traffic.retries},
    )


def check(task: Task, found: Answer, expected: Answer) -> Level:
    """Holds it against the reference; tells whether what differs was in the accelerator's Verilog already."""
    level = hardware.check(task, found, expected)
    first = level.first_difference
    if first is not None:
        inside, _ = hardware.first_difference(task, task.design.verilog, first["sample"])
        if inside is not None:
            level.first_difference = {**inside, "note": "the accelerator's Verilog differs as well, here first"}
        else:
            first["note"] = "the accelerator's Verilog agrees: board differs from rtl"
    return level
