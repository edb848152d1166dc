"""What a float tensor of the model is while the network is lowered: a function of integers, element by element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, Integers
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import INEXACT, QUANTISERS, apply, code_range, parameters, with_parameters
from bnnhw.ir.nodes import Activation, Arithmetic, BipolarQuant, Dequant, MultiThreshold, Node, Quant, Round
from bnnhw.passes.levels import spaced

# Integers of a tensor that are looked at one by one; of more, only a quantiser tells the values.
MAX_LISTED = 1 << 16


@dataclass(frozen=True, eq=False)
class Value:
    """A float tensor of the model, of `shape`: what `steps` make of the integers of `tensor`, one of the new graph.

    The first step is a `Dequant`; the others are the model's own, in its order. Their parameters differ by channel at
    most; where the model's differ by position, `tensor` is flat, and has a channel for each element.
    """

    tensor: str
    shape: tuple[int, ...]
    steps: tuple[Node, ...]

    @property
    def noise(self) -> NDArray[np.float64]:
        """Of the first step, see `Dequant`."""
        first = self.steps[0]
        assert isinstance(first, Dequant)
        return first.noise

    def then(self, node: Node) -> Value:
        """The value after one more step, of parameters that differ by channel at most."""
        return replace(self, steps=(*self.steps, node))

    @property
    def last_quantiser(self) -> int | None:
        """The place of the last quantiser among the steps; None where there is none."""
        return max((k for k, step in enumerate(self.steps) if isinstance(step, QUANTISERS)), default=None)

    @property
    def quantised(self) -> bool:
        """Whether one of the steps is a quantiser."""
        return self.last_quantiser is not None


@dataclass(frozen=True, eq=False)
class Affine:
    """``x * scale + offset``, both float64, scalar or (C,)."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]


def positional(node: Node) -> bool:
    """Whether parameters differ by position: shapes decide, channels are the last axis."""
    return any(array.ndim > 1 for array in parameters(node))


def flattened(node: Node, shape: tuple[int, ...]) -> Node:
    """`node` for the flat vector of a tensor of `shape`."""
    return with_parameters(
        node, lambda array: array if array.ndim == 0 else np.broadcast_to(array, shape).reshape(-1).copy()
    )


def evaluate(steps: tuple[Node, ...], values: NDArray[Any], off: float = 0.0) -> NDArray[Any]:
    """What `steps` make of integers (.., C); functions that executors compute inexactly are `off` by that share."""
    for step in steps:
        values = apply(step, values)
        if off and isinstance(step, Activation) and step.function in INEXACT:
            values = values * np.float32(1 + off)
    return values


def affine(steps: tuple[Node, ...]) -> Affine | None:
    """`steps` as a factor and an addend, if they are no more than that."""
    scale, offset = np.array(1.0), np.array(0.0)
    for step in steps:
        if isinstance(step, Dequant):
            scale, offset = scale * step.scale, offset * step.scale
        elif isinstance(step, Arithmetic):
            operand = step.operand.astype(np.float64)
            if step.operation == "add":
                offset = offset + operand
            else:
                factor = operand if step.operation == "mul" else 1 / operand
                scale, offset = scale * factor, offset * factor
        else:
            return None
    return Affine(uniform(scale), uniform(offset))


def all_codes(format_: Integers) -> NDArray[np.int64]:
    """The integers of a format, ascending."""
    return np.arange(format_.min, format_.max + 1, 2 if format_ == BIPOLAR else 1)


def levels(steps: tuple[Node, ...], format_: Integers) -> NDArray[np.float32] | None:
    """The values that `steps` give: (levels,), or (levels, C) where they differ by channel. None where nothing tells.

    All levels of the last quantiser count, put through what follows it, or all integers of `format_` where there is no
    quantiser and these are few; of several quantisers, only what the levels of the ones before become, if that is
    evenly spaced as well.
    """
    places = [k for k, step in enumerate(steps) if isinstance(step, QUANTISERS)]
    last = places[-1] if places else -1
    if last >= 0 and isinstance(steps[last], Round):
        ends = np.array([[format_.min], [format_.max]])
        found: NDArray[Any] | None = whole_numbers(evaluate(steps[: last + 1], ends))
    elif last >= 0:
        found = quantiser_levels(steps[last])
    else:
        found = all_codes(format_)[:, None] if format_.max - format_.min < MAX_LISTED else None
    if found is None:
        return None
    whole = collapsed(np.asarray(evaluate(steps[last + 1 :], found), np.float32))
    before = levels(steps[:last], format_) if len(places) > 1 else None
    return whole if before is None else reached(steps[last:], before, whole)


def reached(steps: tuple[Node, ...], before: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float32]:
    """What levels `before` become by `steps`, if integers stand for that, else the `whole` of a quantiser's levels."""
    found = collapsed(np.asarray(evaluate(steps, before if before.ndim > 1 else before[:, None]), np.float32))
    try:
        single = spaced(found).count == 1  # which tells no scale
    except ModelError:
        return whole
    return whole if single else found


def collapsed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Levels (levels, C) as (levels,) where all channels have the same."""
    return values[:, 0] if (values == values[:, :1]).all() else values


def whole_numbers(ends: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """What lies between the lowest and the highest of rounded `ends`, (levels, 1); None where that is too much."""
    low, high = ends.min(), ends.max()
    if not np.isfinite([low, high]).all() or high - low >= MAX_LISTED:
        return None
    return np.arange(low, high + 1, dtype=np.float32)[:, None]


def quantiser_levels(node: Node) -> NDArray[np.float32]:
    """The levels of a quantiser that has its own, (levels, 1), or (levels, C)."""
    if isinstance(node, Quant):
        low, high = code_range(node)
        found = (np.arange(low, high + 1, dtype=np.float32)[:, None] - node.zero_point) * node.scale
    elif isinstance(node, BipolarQuant):
        found = np.array([[-1], [1]], np.float32) * np.abs(node.scale)
    else:
        assert isinstance(node, MultiThreshold)
        counts = np.arange(len(node.thresholds) + 1, dtype=np.float32)[:, None]
        found = counts * np.float32(node.out_scale) + np.float32(node.out_bias)
    return np.asarray(found, np.float32)


def uniform(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """A scalar where all channels have the same."""
    return array.reshape(-1)[0] + np.zeros(()) if array.ndim and np.ptp(array) == 0 else np.asarray(array)
