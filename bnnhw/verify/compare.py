"""Level against level: the model's float meaning, the integer reference, golden files, and the hardware."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw import reference
from bnnhw.design import Design
from bnnhw.errors import InputError
from bnnhw.ir.graph import Graph
from bnnhw.verify.rtl import RtlSimulation

LEVELS = ("reference", "rtl")
SCHEMA = 1

# Float outputs of two executors may differ in the last bits where scales are no powers of two, since they round sums
# of floats in another order. Integers and classes must agree exactly.
RELATIVE_TOLERANCE = 1e-5

Array = NDArray[np.generic]


@dataclass
class Level:
    """How one level compares with the one that it is held against.

    Parameters
    ----------
    against
        What it is held against, in words.
    samples, values
        How many of each were compared.
    integer_mismatches, class_mismatches
        Values, and samples whose class differs.
    cycles
        Of the hardware, for all samples; 0 for software.
    seconds
        Wall time.
    accuracy
        Share of right classes, where there are labels.
    first_difference
        The first value that differs: where, and both values.
    """

    against: str
    samples: int
    values: int = 0
    integer_mismatches: int = 0
    class_mismatches: int = 0
    cycles: int = 0
    seconds: float = 0.0
    accuracy: float | None = None
    first_difference: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def check(self, name: str, found: Array, expected: Array, *, exact: bool = True) -> None:
        """Compares two arrays, samples along the first axis."""
        self.values += expected.size
        if found.shape != expected.shape:
            raise InputError(
                f"{name}: shape {expected.shape} expected, {found.shape} found; the file is of another model"
            )
        differ = found != expected if exact else ~_near(found, expected)
        self.integer_mismatches += int(differ.sum())
        self._note(name, differ, found, expected)

    def check_classes(self, found: Array, expected: Array) -> None:
        """Compares the classes of all samples."""
        differ = found.reshape(-1) != expected.reshape(-1)
        self.class_mismatches += int(differ.sum())
        self._note("class", differ, found.reshape(-1), expected.reshape(-1))

    def _note(self, name: str, differ: NDArray[np.bool_], found: Array, expected: Array) -> None:
        if self.first_difference is None and differ.any():
            place = tuple(int(k) for k in np.argwhere(differ)[0])
            self.first_difference = {
                "tensor": name,
                "sample": place[0],
                "element": list(place[1:]),
                "expected": expected[place].item(),
                "found": found[place].item(),
            }

    def to_dict(self) -> dict[str, Any]:
        """As compare.json has it."""
        return {
            "against": self.against,
            "samples": self.samples,
            "values": self.values,
            "mismatches": {"logits": self.integer_mismatches, "class": self.class_mismatches},
            "cycles": self.cycles,
            "seconds": round(self.seconds, 3),
            "accuracy": self.accuracy,
            "first_difference": self.first_difference,
            **self.facts,
        }


@dataclass
class Comparison:
    """The result of `compare`: one entry per level, in order."""

    model: str
    part: str
    levels: dict[str, Level]

    @property
    def mismatches(self) -> int:
        """Differences at all levels together."""
        return sum(level.integer_mismatches + level.class_mismatches for level in self.levels.values())

    def to_dict(self) -> dict[str, Any]:
        """As compare.json has it."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "part": self.part,
            "mismatches": self.mismatches,
            "levels": {name: level.to_dict() for name, level in self.levels.items()},
        }


def check_levels(levels: Sequence[str]) -> tuple[str, ...]:
    """`levels`, each once, in the order of the data.

    Raises
    ------
    InputError
        If one of them does not exist.
    """
    for level in levels:
        if level not in LEVELS:
            raise InputError(f"--levels {level}: this version has {', '.join(LEVELS)}")
    return tuple(level for level in LEVELS if level in levels)


def compare(
    design: Design,
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
    *,
    levels: Sequence[str] = LEVELS,
    source: Graph | None = None,
    golden: Mapping[str, Array] | None = None,
    simulator: str = "verilator",
    waves: Path | None = None,
) -> Comparison:
    """Holds every level against the one before.

    Parameters
    ----------
    inputs, labels
        (N, ...) as the model takes them, and (N,) classes.
    levels
        ``reference``: the packed integers against the plain ones, against the imported float graph `source` and against
        `golden`; ``rtl``: the simulated hardware against the reference.
    source
        The imported graph, where the model file is at hand.
    golden
        Arrays ``acc<i>``, ``act<i>``, ``outputs`` or ``logits``, ``prediction`` or ``pred`` of another executor, for
        the first
        samples of `inputs`.

    Raises
    ------
    InputError
        If a level does not exist, or the golden arrays are of another model.
    """
    wanted = check_levels(levels)
    found: dict[str, Level] = {}
    started = time.monotonic()
    answers = reference.run(design.graph, inputs)
    if "reference" in wanted:
        found["reference"] = _reference(design, inputs, answers, source, golden or {})
        found["reference"].seconds = time.monotonic() - started
        found["reference"].accuracy = _accuracy(answers["prediction"], labels)
    if "rtl" in wanted:
        found["rtl"] = _rtl(design, inputs, answers, simulator, waves)
        found["rtl"].accuracy = _accuracy(found["rtl"].facts.pop("classes"), labels)
    return Comparison(design.graph.name, design.plan.part, found)


def _reference(
    design: Design,
    inputs: NDArray[np.float32],
    answers: dict[str, Array],
    source: Graph | None,
    golden: Mapping[str, Array],
) -> Level:
    against = ["plain arithmetic"]
    level = Level("", len(inputs))
    # The plain kernels are slow; the first samples exercise every word that the packed ones are made of.
    few = inputs[:256]
    plain, packed = (reference.trace(design.graph, few, packed=fast) for fast in (False, True))
    for name, values in plain.items():
        level.check(f"packed {name}", packed[name], values)
    if source is not None:
        against.append("the imported float graph")
        floats = reference.run(source, inputs)
        level.check("outputs", answers["outputs"], floats["outputs"], exact=False)
        level.check_classes(answers["prediction"], floats["prediction"])
    if golden:
        against.append("golden values")
        _golden(level, reference.trace(design.graph, inputs), answers, golden)
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


def _rtl(
    design: Design, inputs: NDArray[np.float32], answers: dict[str, Array], simulator: str, waves: Path | None
) -> Level:
    simulation = RtlSimulation(
        design.plan, design.network, design.verilog, simulator=simulator, waves=waves is not None
    )
    result = simulation.run(reference.encode_inputs(design.graph, inputs), waves=waves)
    level = Level("reference", len(inputs), cycles=result.cycles, seconds=result.seconds)
    expected = np.asarray(answers["integers"], np.int64)
    level.check("integers", result.integers.reshape(expected.shape), expected)
    level.check_classes(result.labels, answers["prediction"])
    level.check("damaged frames", result.errors, np.zeros_like(result.errors))
    level.facts = {
        "classes": result.labels,
        "cycles_per_inference": result.cycles_per_inference,
        "latency_cycles": result.latency_cycles,
        "simulator": simulator,
    }
    return level


def _near(found: Array, expected: Array) -> NDArray[np.bool_]:
    if found.dtype.kind in "iub" and expected.dtype.kind in "iub":
        return np.asarray(found == expected)
    largest = np.abs(expected).max(initial=0)
    return np.isclose(found, expected, rtol=RELATIVE_TOLERANCE, atol=float(largest) * RELATIVE_TOLERANCE)


def _accuracy(classes: Array, labels: NDArray[np.int64] | None) -> float | None:
    return None if labels is None else float((classes.reshape(-1) == labels).mean())
