"""Level ``netlist``: the accelerator after synthesis, in cells of its part, in a simulator."""

from __future__ import annotations

from bnnhw.verify.levels import hardware
from bnnhw.verify.levels.base import Answer, Level, Task
from bnnhw.verify.netlist import netlist


def answer(task: Task) -> Answer:
    """What the cells answer. Synthesis leaves no streams on which tensors inside could be seen."""
    return hardware.answered(task, hardware.simulate(task, netlist(task.design.plan, task.design.network)))


def check(task: Task, found: Answer, expected: Answer) -> Level:
    """Holds it against the reference; tells whether what differs was made by synthesis or was there before."""
    level = hardware.check(task, found, expected)
    first = level.first_difference
    if first is None:
        return level
    inside, record = hardware.first_difference(task, task.design.verilog, first["sample"])
    if inside is not None:
        level.first_difference = {**inside, "note": "the Verilog before synthesis differs as well, here first"}
    else:
        first["note"] = "the Verilog before synthesis agrees: netlist differs from rtl"
        cells = netlist(task.design.plan, task.design.network)
        record = hardware.simulate(task.first(first["sample"] + 1), cells, hardware.PORTS).record or record
    hardware.keep_waveform(task, "netlist", record, level.first_difference or first)
    return level
