"""Layers' sums behind a Clip or a PRelu, as sums of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import apply_exactly
from bnnhw.ir.nodes import Activation, Arithmetic, Clip, Dequant, Node, Sum, Threshold
from bnnhw.passes.joining import summed
from bnnhw.passes.levels import MAX_GRID
from bnnhw.passes.lowered import QUANTISE, Lowered
from bnnhw.passes.rounding import EXACT
from bnnhw.passes.values import Affine, Value, uniform

# Sizes of steps in one channel, and integers that are looked at one by one.
MAX_SIZES = 4
MAX_INTEGERS = 1 << 12
# Sizes that are nearer, relative to the largest, are the same.
SAME_SIZE = 1e-9


def piecewise_linear(step: Node) -> bool:
    """Whether a step is one of those that `stepped` takes."""
    return isinstance(step, (Dequant, Arithmetic, Clip)) or (
        isinstance(step, Activation) and step.function == "leaky_relu"
    )


def stepped(made: Lowered, value: Value, name: str) -> Value:
    """`value`, a function of integers that rises in steps of few sizes, as a sum: for each size the count of steps that
    an integer has reached, times the size.

    A Clip has steps of up to three sizes: those between its ends, and the first and the last, which it cuts off.

    Raises
    ------
    ModelError
        If there are more sizes, or more steps than a Threshold counts.
    """
    low, high = made.reachable(value.tensor)
    integers = np.arange(low.min(), high.max() + 1)
    if len(integers) > MAX_INTEGERS:
        raise ModelError(f"an activation of sums of {len(integers)} values, which is not quantised; {QUANTISE}")
    floats: Any = np.clip(integers[:, None], low, high)
    for step in value.steps:
        floats = apply_exactly(step, floats)
    floats = floats + np.zeros((1, len(low)))
    places, sizes = _steps(np.diff(floats, axis=0), integers[1:], MAX_SIZES)
    counts = _counted(made, value.tensor, [np.minimum(cuts, high[:, None] + 1) for cuts in places], name, value.steps)
    noise = made.rounded(value).error
    parts = [
        made.value(tensor, value.shape, Affine(size, floats[0] * (not k)), noise * (not k), f"{name}.steps{k}")
        for k, (tensor, size) in enumerate(zip(counts, sizes, strict=True))
    ]
    return added_up(made, parts, name)


def unequal(made: Lowered, name: str, *, padded: bool) -> list[Value]:
    """The quantised tensor `name`, whose levels lie on no grid, as values to be added: for each size of step between
    its levels the count of steps, times the size.

    The lowest level is the offset of the first; where zeros pad the tensor, which have no offset, it is a count of its
    own, which is always 1.

    Raises
    ------
    ModelError
        If its levels are not known, or too many.
    """
    tensor, floats = made.numbered(name)
    shape, numbers = made.new.tensors[tensor].shape, np.arange(1, len(floats))
    places, found = _steps(np.diff(floats.astype(np.float64), axis=0), numbers, len(numbers))
    sizes, lowest = list(found), floats[0].astype(np.float64)
    if padded and lowest.any():
        places, sizes = [*places, np.zeros((shape[-1], 1), np.int64)], [*sizes, lowest]
        lowest = np.zeros(shape[-1])
    counts = _counted(made, tensor, places, name, ())
    return [
        made.value(count, shape, Affine(uniform(size), uniform(lowest * (not k))), EXACT, f"{name}.steps{k}")
        for k, (count, size) in enumerate(zip(counts, sizes, strict=True))
    ]


def added_up(made: Lowered, parts: list[Value], name: str) -> Value:
    """The sum of `parts`, as tensor `name`."""
    node = Sum(name=f"{name}.sum", inputs=(), output=name, coefficients=np.ones((len(parts), 1), np.int64))
    return summed(made, node, parts)


def _counted(
    made: Lowered, tensor: str, places: list[NDArray[np.int64]], name: str, steps: tuple[Node, ...]
) -> list[str]:
    """For each of `places` (C, n) how many of them an integer of `tensor` has reached."""
    counts = []
    for k, cuts in enumerate(places):
        counted = Threshold(
            name=f"{name}.steps{k}",
            inputs=(),
            output=f"{name}.steps{k}",
            source=tuple(dict.fromkeys(source for step in steps for source in step.source)),
            thresholds=cuts,
            offset=0,
            step=1,
            dtype=DataType.smallest(0, cuts.shape[1]),
        )
        counts.append(made.add(counted, tensor))
    return counts


def _steps(
    rises: NDArray[np.float64], integers: NDArray[np.int64], most_sizes: int
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float64]]]:
    """Of `rises` (n, C) at `integers` (n,): for each size in turn, the integers (C, most) that have one of it, then
    unreachable ones, and the sizes (C,)."""
    past, tolerance = integers[-1] + 1, SAME_SIZE * np.abs(rises).max()
    groups: list[list[tuple[float, NDArray[np.int64]]]] = []
    for column in rises.T:
        found = []
        left = np.abs(column) > tolerance
        while left.any():
            size = column[left.argmax()]
            same = left & (np.abs(column - size) <= tolerance)
            found.append((float(size), integers[same]))
            left &= ~same
        groups.append(sorted(found, key=lambda group: -len(group[1])))
    count = max(1, *(len(found) for found in groups))  # a constant has a step that no integer reaches
    most = max((len(places) for found in groups for _, places in found), default=0)
    if count > most_sizes or most > MAX_GRID:
        raise ModelError(f"an activation of {most} steps of {count} sizes, which is not quantised; {QUANTISE}")
    cuts, sizes = [], []
    for k in range(count):
        chosen = [found[k] if k < len(found) else (0.0, integers[:0]) for found in groups]
        width = max(1, *(len(places) for _, places in chosen))
        cuts.append(np.stack([np.pad(places, (0, width - len(places)), constant_values=past) for _, places in chosen]))
        sizes.append(np.array([size for size, _ in chosen]))
    return cuts, sizes
