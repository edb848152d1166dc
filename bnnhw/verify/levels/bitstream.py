"""Level ``bitstream``: the packed bitstream of an iCE40 board, turned back into Verilog and run as a board."""

from __future__ import annotations

from bnnhw import reference
from bnnhw.errors import InputError
from bnnhw.toolchain import find_board
from bnnhw.verify.board import infer_on_board
from bnnhw.verify.levels import hardware
from bnnhw.verify.levels.base import Answer, Level, Task
from bnnhw.verify.unpacked import unpacked


def answer(task: Task) -> Answer:
    """What the bitstream in the design's folder answers over its serial line.

    Raises
    ------
    InputError
        If there is no bitstream, or it is not for iCE40, or has weights in single-port RAM.
    ToolError
        If icebox_vlog or another tool is missing or fails.
    """
    design = task.design
    if design.folder is None:
        raise InputError("level bitstream needs the folder of a build: give DIR instead of MODEL")
    if design.plan.loads:
        raise InputError(
            "level bitstream: icebox_vlog leaves out single-port RAM, where weights are (weight_memory spram): "
            "use the levels netlist and board"
        )
    verilog = unpacked(find_board(design.plan.board), design.folder)
    answers = infer_on_board(design, task.inputs, verilog=verilog)
    outputs = reference.finish(design.graph, answers.results.integers)
    return Answer(
        outputs["outputs"],
        answers.results.labels,
        outputs["integers"],
        damaged=answers.results.errors,
        cycles=answers.cycles,
        seconds=answers.seconds,
        facts={"retries": answers.traffic.retries},
    )


def check(task: Task, found: Answer, expected: Answer) -> Level:
    """Holds it against the reference."""
    return hardware.check(task, found, expected)
