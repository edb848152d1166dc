"""Level against level: the model's float meaning, the integer reference, golden files, and the hardware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.artifacts import COMPARISON, COMPARISON_SCHEMA, to_json
from bnnhw.design import Design
from bnnhw.errors import InputError
from bnnhw.files import write_text
from bnnhw.ir.graph import Graph
from bnnhw.verify.levels import LEVELS, Level, Task, check_levels
from bnnhw.verify.levels.base import Array

USUAL_LEVELS = ("reference", "rtl")


@dataclass
class Comparison:
    """The result of `compare`: one entry per level, in order.

    Parameters
    ----------
    tensors
        Of a traced comparison: ``<level>.<name>``.
    """

    model: str
    digest: str
    part: str
    levels: dict[str, Level]
    tensors: dict[str, Array] = field(default_factory=dict)

    @property
    def mismatches(self) -> int:
        """Differences at all levels together."""
        return sum(level.mismatches for level in self.levels.values())

    @property
    def undecided(self) -> list[str]:
        """The levels that show nothing: they differ, and float32's rounding may decide every sample."""
        return [name for name, level in self.levels.items() if level.undecided]

    def to_dict(self) -> dict[str, Any]:
        """As compare.json has it."""
        return {
            "schema": COMPARISON_SCHEMA,
            "model": self.model,
            "digest": self.digest,
            "part": self.part,
            "mismatches": self.mismatches,
            "undecided": self.undecided,
            "levels": {name: level.to_dict() for name, level in self.levels.items()},
        }


def compare(
    design: Design,
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
    *,
    levels: Sequence[str] = USUAL_LEVELS,
    samples: int | None = None,
    source: Graph | None = None,
    golden: Mapping[str, Array] | None = None,
    simulator: str = "verilator",
    folder: Path | None = None,
    trace: bool = False,
    port: str | None = None,
) -> Comparison:
    """Holds every level against the one before.

    Parameters
    ----------
    inputs, labels
        (N, ...) as the model takes them, and (N,) classes.
    levels
        ``source``: the model file in qonnx's executor against the reference; ``reference``: the packed integers against
        the plain ones, against the imported float graph `source` and against `golden`; ``rtl``: the simulated Verilog
        against the reference; ``netlist``: the same after synthesis; ``bitstream``: what the packed bits of a board
        hold; ``board``: a board over its host link.
    samples
        How many of the inputs each level gets; None for all, or fewer where the level is slow.
    source
        The imported graph, where the model file is at hand; None for the design's own.
    golden
        Arrays ``acc<i>``, ``act<i>``, ``outputs`` or ``logits``, ``prediction`` or ``pred`` of another executor, for
        the first samples of `inputs`.
    folder
        Where the waveform of a difference goes.
    trace
        Whether to keep all tensors.
    port
        Serial port of a board, for level ``board``; None for a simulated one.

    Raises
    ------
    InputError
        If a level does not exist, or the golden arrays are of another model, or a level lacks what it needs.
    ToolError
        If a simulator or a tool of a level is missing or fails.
    """
    wanted = check_levels(levels)
    design = replace(design, source=source) if source is not None else design
    task = Task(design, inputs, simulator, trace, folder, golden or {}, port)
    right = LEVELS["reference"].answer(task)
    found: dict[str, Level] = {}
    tensors: dict[str, Array] = {}
    for name in wanted:
        kind = LEVELS[name]
        count = min(len(inputs), samples or kind.samples or len(inputs))
        own = replace(task.first(count), trace=trace and kind.traces)
        answer = right if name == "reference" and count == len(inputs) else kind.answer(own)
        level = kind.check(own, answer, right.first(count))
        level.cycles, level.seconds = answer.cycles, answer.seconds
        level.accuracy = _accuracy(answer.prediction, None if labels is None else labels[:count])
        found[name] = level
        tensors |= {f"{name}.{key}": values for key, values in answer.arrays().items()} if trace else {}
    return Comparison(design.graph.name, design.plan.digest, design.plan.part, found, tensors)


def written(result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """`result`, written to `folder` as compare.json; where that cannot be, with the reason as ``not_written``."""
    try:
        write_text(folder / COMPARISON, to_json(result))
    except InputError as error:
        return {**result, "not_written": str(error)}
    return result


def _accuracy(classes: Array, labels: NDArray[np.int64] | None) -> float | None:
    return None if labels is None else float((classes.reshape(-1) == labels).mean())
