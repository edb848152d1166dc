"""What all levels have in common: what they are asked, what they answer, and how answers are counted against others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.design import Design
from bnnhw.errors import InputError

# Float outputs of two executors may differ in the last bits where scales are no powers of two, since they round sums
# of floats in another order. Integers and classes must agree exactly.
RELATIVE_TOLERANCE = 1e-5

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Task:
    """What a level is asked.

    Parameters
    ----------
    design
        The network and its hardware, and where it is known the model file.
    inputs
        float32 (N, ...), as the model takes them.
    simulator
        For hardware: ``verilator`` or ``icarus``.
    trace
        Whether the tensors inside are wanted as well.
    folder
        Where a waveform of a difference goes; None for none.
    golden
        Arrays of another executor, see `bnnhw.verify.comparison`.
    port
        Serial port of a board; None for a simulated one.
    """

    design: Design
    inputs: NDArray[np.float32]
    simulator: str = "verilator"
    trace: bool = False
    folder: Path | None = None
    golden: Mapping[str, Array] = field(default_factory=dict)
    port: str | None = None

    def first(self, samples: int) -> Task:
        """The same for the first samples only."""
        golden = {name: array[:samples] for name, array in self.golden.items()}
        return replace(self, inputs=self.inputs[:samples], golden=golden)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a level makes of the inputs.

    Parameters
    ----------
    outputs
        (N, ...) what the source model itself outputs.
    prediction
        (N,) classes.
    integers
        (N, ...) of the last layer; None at the level of the model file, which has no integers.
    tensors
        What is inside, if it was asked for and can be seen.
    damaged
        (N,) frames that the hardware flagged; None for software.
    beat_cycles
        (N, beats) cycle in which each beat of the hardware's output was taken; None for software.
    cycles, seconds
        Of the hardware, for all samples, and wall time.
    facts
        What else is known, for compare.json.
    """

    outputs: Array
    prediction: Array
    integers: Array | None = None
    tensors: dict[str, Array] = field(default_factory=dict)
    damaged: NDArray[np.bool_] | None = None
    beat_cycles: NDArray[np.int64] | None = None
    cycles: int = 0
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    def arrays(self) -> dict[str, Array]:
        """As `bnnhw.infer` gives them."""
        found = {"outputs": self.outputs, "prediction": self.prediction, **self.tensors}
        return found if self.integers is None else {**found, "integers": self.integers}

    def first(self, samples: int) -> Answer:
        """The same for the first samples only; of a level in software."""
        integers = None if self.integers is None else self.integers[:samples]
        return Answer(self.outputs[:samples], self.prediction[:samples], integers)


@dataclass
class Level:
    """How one level compares with the one that it is held against.

    Parameters
    ----------
    against
        What it is held against, in words.
    samples, values
        How many of each were compared.
    decided
        Of the values, those in samples that are not set aside: no others can be mismatches.
    integer_mismatches, class_mismatches
        Values, and samples whose class differs.
    rounding
        Samples that differ where float32 itself decides by its rounding, see `bnnhw.reference.doubtful`: no mismatches.
    cycles
        Of the hardware, for all samples; 0 for software.
    seconds
        Wall time.
    accuracy
        Share of right classes, where there are labels.
    first_difference
        The first value that differs: where, and both values.
    facts
        What else compare.json has.
    """

    against: str
    samples: int
    values: int = 0
    decided: int = 0
    integer_mismatches: int = 0
    class_mismatches: int = 0
    rounding: int = 0
    cycles: int = 0
    seconds: float = 0.0
    accuracy: float | None = None
    first_difference: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    _doubtful: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    _rounded: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    @property
    def mismatches(self) -> int:
        """Values and classes together."""
        return self.integer_mismatches + self.class_mismatches

    @property
    def doubtful(self) -> int:
        """How many samples are set aside, whether they differ or not."""
        return int(self._doubtful.sum())

    @property
    def undecided(self) -> bool:
        """Whether there are differences, and nothing that could have been a mismatch."""
        return self.rounding > 0 and self.decided == 0

    def set_aside(self, doubtful: NDArray[np.bool_]) -> None:
        """Differences in the samples that are `doubtful` (N,) count as rounding from now on."""
        self._doubtful = doubtful
        self._rounded = np.zeros(len(doubtful), np.bool_)

    def check(self, name: str, found: Array, expected: Array, *, exact: bool = True) -> None:
        """Compares two arrays, samples along the first axis."""
        self.values += expected.size
        if found.shape != expected.shape:
            raise InputError(
                f"{name}: shape {expected.shape} expected, {found.shape} found; the file is of another model"
            )
        differ = self._left(found != expected if exact else ~_near(found, expected))
        self.integer_mismatches += int(differ.sum())
        self._note(name, differ, found, expected)

    def check_classes(self, found: Array, expected: Array) -> None:
        """Compares the classes of all samples."""
        differ = self._left(found.reshape(-1) != expected.reshape(-1))
        self.class_mismatches += int(differ.sum())
        self._note("class", differ, found.reshape(-1), expected.reshape(-1))

    def _left(self, differ: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """What of `differ` is a mismatch; samples that are set aside are counted."""
        aside = self._doubtful[: len(differ)]
        each = differ.reshape(len(differ), -1)
        self.decided += each.shape[1] * (len(each) - int(aside.sum()))
        if not aside.any():
            return differ
        self._rounded[: len(differ)] |= each.any(axis=1) & aside
        self.rounding = int(self._rounded.sum())
        return (each & ~aside[:, None]).reshape(differ.shape)

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
            "rounding": self.rounding,
            "doubtful": self.doubtful,
            "cycles": self.cycles,
            "seconds": round(self.seconds, 3),
            "accuracy": self.accuracy,
            "first_difference": self.first_difference,
            **self.facts,
        }


def _near(found: Array, expected: Array) -> NDArray[np.bool_]:
    if found.dtype.kind in "iub" and expected.dtype.kind in "iub":
        return np.asarray(found == expected)
    largest = np.abs(expected).max(initial=0)
    return np.isclose(found, expected, rtol=RELATIVE_TOLERANCE, atol=float(largest) * RELATIVE_TOLERANCE)
