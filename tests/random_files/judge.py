"""Holds what the tool makes of a file against qonnx's executor."""

from __future__ import annotations

import re
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bnnhw
from bnnhw.errors import BnnhwError
from tests.random_files.executor import Executor
from tests.random_files.generator import File
from tests.random_files.intervals import Intervals
from tests.random_files.refusals import excused, reason

Array = NDArray[Any]

GOOD = ("equal", "tie", "refused", "refused for now")
BAD = ("refused without a reason", "wrong", "crash")
# Of the largest: what float outputs of two executors may differ by, as they add in another order.
TOLERANCE = 1e-5
# What `check` says of a model whose float32 graph decides by rounding.
NOTE = r"float32|round|integers decide"


@dataclass(frozen=True)
class Verdict:
    """What came of a file.

    Parameters
    ----------
    kind
        One of `GOOD` or `BAD`.
    detail
        Why, in a line: alike for files of the same kind.
    flat
        Whether all samples gave the same, so that the file tells little.
    """

    seed: int
    kind: str
    detail: str = ""
    flat: bool = False
    file: File | None = field(default=None, repr=False)

    @property
    def bad(self) -> bool:
        return self.kind in BAD


def judge(file: File, folder: Path) -> Verdict:
    """Loads and runs a file, which is written into `folder`, and judges the answers."""
    path = folder / "model.onnx"
    path.write_bytes(file.model.SerializeToString())
    theirs = Executor(file.model).run(file.inputs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ours = bnnhw.infer(path, file.inputs)
            checked = bnnhw.check(path)
    except BnnhwError as error:
        found = excused(str(error), file.traits)
        kind = "refused without a reason" if found is None else "refused for now" if found[1] else "refused"
        return Verdict(file.seed, kind, reason(str(error)) if found is None else found[0])
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}: {error}"
        return Verdict(file.seed, "crash", text.replace("\n", " ")[:170])
    kind, detail = compared(file, ours, theirs)
    if kind in ("equal", "tie") and not checked["maps"]:
        kind, detail = "wrong", f"check says: {reason(str(checked['problem']))}"
    if kind == "tie":
        detail += (
            ", which check notes" if any(re.search(NOTE, note) for note in checked["notes"]) else ", without a note"
        )
    scores = theirs[file.ending.scores]
    return Verdict(file.seed, kind, detail, flat=bool(np.ptp(scores, axis=0).max() == 0))


def compared(file: File, ours: dict[str, Array], theirs: dict[str, Array]) -> tuple[str, str]:
    """The verdict on answers, and why."""
    end = file.ending
    answer = theirs[end.outputs[-1]]
    outputs = np.asarray(ours["outputs"])
    if outputs.size != answer.size:
        return "wrong", f"outputs of shape {outputs.shape}, not {answer.shape}"
    outputs = outputs.reshape(answer.shape)
    scores = theirs[end.scores].reshape(len(answer), -1)
    labels = np.asarray(ours["prediction"]).reshape(-1)
    if labels.shape != (len(answer),):
        return "wrong", f"predictions of shape {labels.shape}"
    told = end.classes > 1 and scores.shape[1] == end.classes
    right = answer.reshape(-1) if end.index else scores.argmax(1)
    same_labels = (labels == right) if told or end.index else np.ones(len(answer), bool)
    difference = np.abs(outputs.astype(np.float64) - answer).reshape(len(answer), -1).max(1)
    allowed = 0.0 if end.index else TOLERANCE * max(float(np.abs(answer).max()), 1e-30)
    same_outputs = difference <= allowed
    if same_labels.all() and same_outputs.all():
        return "equal", ""
    ends = Intervals(file.model).ends(file.inputs)
    if lost := outside(ends, theirs):
        return "wrong", f"the judge: {lost} lies outside its own bounds"
    low, high = (np.asarray(side, np.float64).reshape(len(answer), -1) for side in ends[end.scores])
    best = low.max(1)
    kinds = []
    if not same_outputs.all():
        if end.index:
            excuse = _may_win(high, best, outputs.reshape(-1).astype(int))
        else:
            first, last = (np.asarray(side, np.float64).reshape(len(answer), -1) for side in ends[end.outputs[-1]])
            values = outputs.reshape(len(answer), -1)
            excuse = ((first - allowed <= values) & (values <= last + allowed)).all(1)
        if (bad := ~same_outputs & ~excuse).any():
            return "wrong", f"outputs of {bad.sum()} of {len(bad)} samples"
        kinds.append("outputs")
    if not same_labels.all():
        if (bad := ~same_labels & ~_may_win(high, best, labels)).any():
            return "wrong", f"classes of {bad.sum()} of {len(bad)} samples"
        kinds.append("classes")
    return "tie", " and ".join(kinds)


def _may_win(high: Array, best: Array, labels: Array) -> Array:
    """Whether rounding may make these classes the largest."""
    return high[np.arange(len(high)), np.clip(labels, 0, high.shape[1] - 1)] >= best


def outside(ends: dict[str, tuple[Array, Array]], theirs: dict[str, Array]) -> str:
    """The first float tensor of the executor that its bounds do not hold: then the bounds are at fault."""
    for name, (low, high) in ends.items():
        values = theirs[name]
        if values.dtype == np.float32 and values.shape == low.shape and not ((low <= values) & (values <= high)).all():
            return name
    return ""
