"""Samples through the network with its quantised weights: what they show of each tensor, and the scales from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log2

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.executor import executor
from bnnhw.quantisation.ranges import Codes, Seen, clipped, codes_for, error, scale_for
from bnnhw.quantisation.settings import Choice

Count = Callable[[int, int], None]

# Between the scales of two branches of a sum: more is no common unit for the hardware, see `bnnhw.passes.common_unit`.
MAX_SHIFT = 7


@dataclass(frozen=True)
class Activation:
    """The codes of one tensor.

    Parameters
    ----------
    tensor
        Its name in the file.
    users
        The nodes that take it.
    codes, scale
        What it becomes: a whole number of `scale`.
    low, high
        The extremes that were seen.
    clipped
        The share of values beyond the codes.
    error
        Root of the mean squared error, in units of the values' root mean square.
    """

    tensor: str
    users: tuple[str, ...]
    codes: Codes
    scale: float
    low: float
    high: float
    clipped: float
    error: float


def observe(
    model: onnx.ModelProto, tensors: Sequence[str], inputs: NDArray[np.float32], where: str, count: Count | None
) -> dict[str, Seen]:
    """What `tensors` of `model` hold while `inputs` (N, ...) go through it."""
    run = executor(model, tensors, where)
    seen = {name: Seen(len(inputs)) for name in tensors}
    for k, sample in enumerate(inputs, 1):
        for name, value in run(sample).items():
            seen[name].add(value)
        if count is not None:
            count(k, len(inputs))
    return seen


def calibrate(
    seen: Mapping[str, Seen],
    choices: Mapping[str, tuple[tuple[str, ...], Choice]],
    *,
    shared: Iterable[frozenset[str]],
    summed: Iterable[frozenset[str]],
    fixed: Mapping[str, float],
) -> list[Activation]:
    """The codes of every tensor that `choices` names, with its users.

    Parameters
    ----------
    shared
        Groups of tensors that have one scale, so that they can be joined.
    summed
        Groups of tensors whose scales are powers of two of each other, so that they can be added up.
    fixed
        The scales of the file's own quantisers.
    """
    groups = merged([*({name} for name in choices), *(group & choices.keys() for group in shared)])
    codes: dict[str, Codes] = {}
    scales: dict[str, float] = {}
    for group in groups:
        members = [name for name in choices if name in group]
        parts, choice = [seen[name] for name in members], choices[members[0]][1]
        made = codes_for(parts, choice.bits, choice.signed)
        scale = scale_for(parts, made, choice.method, choice.percentile)
        codes.update(dict.fromkeys(members, made))
        scales.update(dict.fromkeys(members, scale))
    for group in merged([*summed, *groups]):
        _share_unit(group, groups, seen, codes, scales, fixed)
    return [
        Activation(
            name,
            users,
            codes[name],
            scales[name],
            seen[name].low,
            seen[name].high,
            clipped(seen[name].values, scales[name], codes[name]),
            _relative(seen[name], scales[name], codes[name]),
        )
        for name, (users, _) in choices.items()
    ]


def merged(groups: Iterable[Iterable[str]]) -> list[set[str]]:
    """The groups, those with a common member taken together."""
    found: list[set[str]] = []
    for group in groups:
        joined, apart = set(group), []
        for other in found:
            if other & joined:
                joined |= other
            else:
                apart.append(other)
        found = [*apart, joined] if joined else found
    return found


def _share_unit(
    group: set[str],
    groups: Sequence[set[str]],
    seen: Mapping[str, Seen],
    codes: Mapping[str, Codes],
    scales: dict[str, float],
    fixed: Mapping[str, float],
) -> None:
    """Moves the scales of a group that is added up to powers of two of the file's own one, or of the largest."""
    parts = [part for part in groups if part <= group]
    known = [fixed[name] for name in sorted(group) if name in fixed]
    if len(parts) + len(known) < 2:
        return
    unit = known[0] if known else max(scales[min(part)] for part in parts)
    for part in parts:
        found = log2(scales[min(part)] / unit)
        shifts = {min(MAX_SHIFT, max(-MAX_SHIFT, shift)) for shift in (floor(found), ceil(found))}
        options = [float(np.float32(unit * 2.0**shift)) for shift in sorted(shifts)]
        best = min(options, key=lambda scale: sum(error(seen[name].values, scale, codes[name]) for name in part))
        scales.update(dict.fromkeys(part, best))


def _relative(seen: Seen, scale: float, codes: Codes) -> float:
    power = float(np.square(seen.values).mean())
    return float(np.sqrt(error(seen.values, scale, codes) / power)) if power else 0.0
