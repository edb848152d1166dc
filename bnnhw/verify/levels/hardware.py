"""What the levels of hardware have in common: answers of an accelerator, and where they begin to differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnnhw import reference
from bnnhw.artifacts import waveform_name
from bnnhw.errors import InputError, ToolError
from bnnhw.generate.ports import Ports
from bnnhw.verify.levels.base import Answer, Array, Level, Task
from bnnhw.verify.record import Record
from bnnhw.verify.rtl import RtlResult, RtlSimulation
from bnnhw.verify.taps import taps, watched

# Cycles of a waveform before and after the cycle of a difference.
BEFORE, AFTER = 40, 10
# The accelerator's own streams.
PORTS = ("i", "o")


def simulate(task: Task, verilog: str, watch: Sequence[str] = ()) -> RtlResult:
    """Runs the module ``accelerator`` on the task's inputs."""
    design = task.design
    simulation = RtlSimulation(design.plan, design.network, verilog, simulator=task.simulator, watch=watch)
    return simulation.run(reference.encode_inputs(design.graph, task.inputs))


def answered(task: Task, result: RtlResult) -> Answer:
    """The hardware's integers as the model's outputs, and the class that it chose itself."""
    graph = task.design.graph
    outputs = reference.finish(graph, result.integers)
    facts = {
        "cycles_per_inference": result.cycles_per_inference,
        "latency_cycles": result.latency_cycles,
        "simulator": task.simulator,
    }
    return Answer(
        outputs["outputs"],
        result.labels,
        outputs["integers"],
        damaged=result.errors,
        beat_cycles=result.beat_cycles,
        cycles=result.cycles,
        seconds=result.seconds,
        facts=facts,
    )


def check(task: Task, found: Answer, expected: Answer) -> Level:
    """Holds the integers, classes and flags of hardware against those of the reference."""
    assert found.integers is not None and found.damaged is not None and expected.integers is not None
    level = Level("reference", len(task.inputs), facts=dict(found.facts))
    integers = np.asarray(expected.integers, np.int64)
    level.check("integers", np.asarray(found.integers, np.int64).reshape(integers.shape), integers)
    level.check_classes(found.prediction, expected.prediction)
    level.check("damaged frames", found.damaged, np.zeros_like(found.damaged))
    if level.first_difference is not None and found.beat_cycles is not None:
        level.first_difference["cycle"] = _output_cycle(task, found, level.first_difference)
    return level


def _output_cycle(task: Task, found: Answer, first: dict[str, Any]) -> int:
    """When the beat with the difference was taken; class and flags come with a frame's last one."""
    assert found.beat_cycles is not None
    beats = found.beat_cycles[first["sample"]]
    if first["tensor"] != "integers" or found.integers is None:
        return int(beats[-1])
    element = int(np.ravel_multi_index(first["element"], found.integers.shape[1:]))
    return int(beats[element // Ports.of(task.design.plan, task.design.network).output.lanes])


def tensors(task: Task, record: Record) -> dict[str, Array]:
    """All tensors that went by, under the names and in the shapes of `bnnhw.reference.trace`."""
    design = task.design
    graph = design.graph
    found: dict[str, Array] = {"act0": reference.encode_inputs(graph, task.inputs)}
    names = reference.traced(graph)
    for tap in taps(graph, design.plan, design.network):
        if tap.name in names:
            values = tap.read(record).values
            found[tap.name] = values.reshape(len(values), *graph.tensors[tap.node.output].shape)
    return found


def first_difference(task: Task, verilog: str, sample: int) -> tuple[dict[str, Any] | None, Record]:
    """Where the samples up to one that has gone wrong begin to differ inside.

    Parameters
    ----------
    verilog
        The module ``accelerator`` as it was generated, with its units.

    Returns
    -------
    dict or None, Record
        The place: the first layer that differs, its first sample there, the element, cycle and both values; None where
        all layers agree. And what went by.
    """
    design = task.design
    # What comes behind decides how many frames are worked on side by side.
    task = task.first(sample + 1 + 4 * design.plan.group)
    names = watched(design.graph, design.plan, design.network)
    record = simulate(task, verilog, (*PORTS, *names)).record
    assert record is not None
    graph = design.graph
    expected = reference.run_all(graph, task.inputs)
    filed = reference.trace(graph, task.inputs)
    for tap in taps(graph, design.plan, design.network):
        seen = tap.read(record)
        right = np.asarray(filed.get(tap.name, expected[tap.node.output]), np.int64).reshape(len(task.inputs), -1)
        shown = seen.values.reshape(len(seen.values), -1)
        differ = shown != right[: len(shown)]
        if differ.any():
            frame, element = (int(k) for k in np.argwhere(differ)[0])
            shape = graph.tensors[tap.node.output].shape
            place = [int(k) for k in np.unravel_index(element, shape)]
            return {
                "tensor": tap.name,
                "layer": tap.layer,
                "sample": frame,
                "element": place,
                "channel": place[-1],
                "cycle": int(seen.cycles.reshape(len(shown), -1)[frame, element]),
                "expected": int(right[frame, element]),
                "found": int(shown[frame, element]),
            }, record
    return None, record


def keep_waveform(task: Task, name: str, record: Record, first: dict[str, Any]) -> None:
    """Writes the waveform of a difference and notes in `first` where it is."""
    if task.folder is None:
        return
    path = Path(task.folder) / waveform_name(name)
    try:
        record.write_window(path, first["cycle"] - BEFORE, first["cycle"] + AFTER)
    except InputError as error:
        first["note"] = "; ".join((*([first["note"]] if "note" in first else []), f"no waveform: {error}"))
    else:
        first["waveform"] = str(path)


def locate(task: Task, level: Level, verilog: str, name: str) -> None:
    """Replaces the difference at an accelerator's output by the one inside that it comes from."""
    assert level.first_difference is not None
    inside, record = first_difference(task, verilog, level.first_difference["sample"])
    if inside is None:
        inside = {**level.first_difference, "note": "all layers agree: what differs is made at the output"}
    keep_waveform(task, name, record, inside)
    level.first_difference = inside


def check_complete(found: dict[str, Array], samples: int) -> None:
    """Refuses a trace with frames that never came out.

    Raises
    ------
    ToolError
        Naming the tensor.
    """
    for name, values in found.items():
        if len(values) != samples:
            raise ToolError(f"{name}: only {len(values)} of {samples} samples went by in the simulation")
