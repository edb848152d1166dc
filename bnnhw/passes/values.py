"""What a float tensor of the model is while the network is lowered: a function of integers, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, Integers
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import INEXACT, QUANTISERS, apply, code_range, direction, parameters, with_parameters
from bnnhw.ir.nodes import Activation, Arithmetic, BipolarQuant, Dequant, MultiThreshold, Node, Quant, Round
from bnnhw.passes.levels import spaced

# Integers of a tensor that are looked at one by one; of more, only a quantiser tells the values.
MAX_LISTED = 1 << 16
# Integers of which the extremes of a function that turns are found, and as many at once.
MAX_TRIED, BLOCK = 1 << 22, 1 << 12


@dataclass(frozen=True, eq=False, kw_only=True)
class Combined(Node):
    """The sum or the product, in float32 and from the first on, of what each of `branches` makes of one value."""

    operation: Literal["add", "mul"]
    branches: tuple[tuple[Node, ...], ...]

    @property
    def quantised(self) -> bool:
        """Whether it takes few values, since each of its branches does."""
        return all(last_quantiser(branch) is not None for branch in self.branches)


@dataclass(frozen=True, eq=False, kw_only=True)
class Listed(Dequant):
    """A Dequant of codes that stand for known floats, which `scale` gives but for their last bits: integer
    ``first + step * k`` becomes ``values[k]``, (levels, 1), or (levels, C) where they differ by channel."""

    first: int
    step: int
    values: NDArray[np.float32]

    def of(self, integers: NDArray[Any]) -> NDArray[np.float32]:
        """The floats that integers (.., C) stand for: those of other codes, which only pad, are products."""
        place, rest = np.divmod(np.asarray(integers, np.int64) - self.first, self.step)
        inside = (rest == 0) & (place >= 0) & (place < len(self.values))
        own = self.values[np.clip(place, 0, len(self.values) - 1), np.arange(self.values.shape[1])]
        return np.where(inside, own, np.asarray(integers * self.scale, np.float32))

    @classmethod
    def over(cls, plain: Dequant, codes: NDArray[np.int64], values: NDArray[np.float32]) -> Dequant:
        """`plain`, or where its products are not the `values` (n, C) or (n, 1) of `codes`, of the same shape, the list
        of these; `plain` where they are not one value a code."""
        low = codes.min()
        step = int(np.gcd.reduce((codes - low).reshape(-1))) or 1
        listed = np.asarray(np.arange(low, codes.max() + 1, step)[:, None] * plain.scale, np.float32)
        listed = np.broadcast_to(listed, (len(listed), max(listed.shape[1], codes.shape[1]))).copy()
        places, channels = (codes - low) // step, np.arange(codes.shape[1])
        products = listed[places, channels]
        listed[places, channels] = values
        if (
            (products == values).all()
            or (listed[places, channels] != values).any()
            or (np.diff(listed, axis=0) < 0).any()
        ):
            return plain
        return cls(
            name=plain.name, inputs=(), output="", source=plain.source, scale=plain.scale, noise=plain.noise,
            first=int(low), step=step, values=listed,
        )  # fmt: skip

    @property
    def plain(self) -> Dequant:
        """Without the last bits of the floats, and with the bound of these."""
        return Dequant(
            name=self.name, inputs=self.inputs, output=self.output, source=self.source, scale=self.scale,
            noise=self.noise,
        )  # fmt: skip


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
    def first(self) -> Dequant:
        """The first step."""
        first = self.steps[0]
        assert isinstance(first, Dequant)
        return first

    @property
    def noise(self) -> NDArray[np.float64]:
        """Of the first step, see `Dequant`."""
        return self.first.noise

    def then(self, node: Node) -> Value:
        """The value after one more step, of parameters that differ by channel at most."""
        return replace(self, steps=(*self.steps, node))

    @property
    def last_quantiser(self) -> int | None:
        """The place of the last quantiser among the steps; None where there is none."""
        return last_quantiser(self.steps)

    @property
    def quantised(self) -> bool:
        """Whether one of the steps is a quantiser."""
        return self.last_quantiser is not None


@dataclass(frozen=True, eq=False)
class Affine:
    """``x * scale + offset``, both float64, scalar or (C,)."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]


def combined(node: Node, operation: Literal["add", "mul"], parts: Sequence[Value]) -> Value | None:
    """The sum or the product `node` of `parts` as a function of what all of them are functions of, if there is that."""
    first = parts[0]
    shared = 0
    while all(
        part.tensor == first.tensor
        and shared < len(part.steps)
        and shared < len(first.steps)
        and part.steps[shared] is first.steps[shared]
        for part in parts
    ):
        shared += 1
    if not shared:
        return None
    branches = tuple(part.steps[shared:] for part in parts)
    step = Combined(
        name=node.name, inputs=(), output="", operation=operation, branches=branches,
        source=tuple(dict.fromkeys(name for part in (*(s for b in branches for s in b), node) for name in part.source)),
    )  # fmt: skip
    return replace(first, steps=(*first.steps[:shared], step))


def positional(node: Node) -> bool:
    """Whether parameters differ by position: shapes decide, channels are the last axis."""
    return any(array.ndim > 1 for array in parameters(node))


def flattened(node: Node, shape: tuple[int, ...]) -> Node:
    """`node` for the flat vector of a tensor of `shape`."""
    if isinstance(node, Combined):
        return replace(node, branches=tuple(tuple(flattened(step, shape) for step in b) for b in node.branches))
    if isinstance(node, Listed):
        return of_channels(node, np.broadcast_to(np.arange(shape[-1]), shape).reshape(-1))
    return with_parameters(
        node, lambda array: array if array.ndim == 0 else np.broadcast_to(array, shape).reshape(-1).copy()
    )


def of_channels(node: Node, channels: NDArray[np.intp]) -> Node:
    """`node`, whose parameters differ by channel at most, for a tensor with these `channels`."""
    if isinstance(node, Listed):
        values = node.values if node.values.shape[1] == 1 else node.values[:, channels]
        scale, noise = (array[channels] if array.ndim else array for array in (node.scale, node.noise))
        return replace(node, values=values, scale=scale, noise=noise)
    return with_parameters(node, lambda array: array[channels] if array.ndim and array.shape[-1] > 1 else array)


def evaluate(steps: tuple[Node, ...], values: NDArray[Any], off: float = 0.0) -> NDArray[Any]:
    """What `steps` make of integers (.., C); functions that executors compute inexactly are `off` by that share."""
    for step in steps:
        if isinstance(step, Combined):
            parts = [evaluate(branch, values, off) for branch in step.branches]
            values = reduce(np.add if step.operation == "add" else np.multiply, parts)
            continue
        if isinstance(step, Listed):
            values = step.of(values)
            continue
        values = apply(step, values)
        if off and isinstance(step, Activation) and step.function in INEXACT:
            values = values * np.float32(1 + off)
    return values


def inexact(steps: tuple[Node, ...]) -> bool:
    """Whether executors compute one of `steps` inexactly."""
    return any(
        any(inexact(branch) for branch in step.branches)
        if isinstance(step, Combined)
        else isinstance(step, Activation) and step.function in INEXACT
        for step in steps
    )


def directions(steps: tuple[Node, ...]) -> NDArray[np.int8]:
    """+1, -1 or 0, scalar or for each channel: how the end of `steps` goes with their start.

    Raises
    ------
    TypeError
        If it does not go one way.
    """
    product = np.ones((), np.int8)
    for step in steps:
        if isinstance(step, Combined):
            if step.operation != "add":
                raise TypeError("a product does not go one way")
            signs = np.stack(np.broadcast_arrays(*(directions(branch) for branch in step.branches)))
            if (signs.min(axis=0) * signs.max(axis=0) < 0).any():
                raise TypeError("its branches go different ways")
            product = product * np.sign(signs.sum(axis=0, dtype=np.int64)).astype(np.int8)
        else:
            product = product * direction(step)
    return product


def one_way(steps: tuple[Node, ...]) -> NDArray[np.int8] | None:
    """The `directions` of steps, or None where they do not go one way."""
    try:
        return directions(steps)
    except TypeError:
        return None


def last_quantiser(steps: tuple[Node, ...]) -> int | None:
    """The place of the last step that makes few values of any; None where there is none."""
    few = (k for k, s in enumerate(steps) if isinstance(s, QUANTISERS) or (isinstance(s, Combined) and s.quantised))
    return max(few, default=None)


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
    place = last_quantiser(steps)
    last = -1 if place is None else place
    found: NDArray[Any] | None
    if last >= 0 and isinstance(steps[last], Round):
        ends = _extremes(steps[: last + 1], format_)
        found = None if ends is None else whole_numbers(ends)
    elif last >= 0:
        step = steps[last]
        if not isinstance(step, Combined):
            found = quantiser_levels(step)
        else:
            either = [_tried_levels(steps[: last + 1], format_), _combined_levels(step)]
            known = [own for own in either if own is not None]
            found = next((own for own in known if _evenly_spaced(own)), known[0] if known else None)
    else:
        found = all_codes(format_)[:, None] if format_.max - format_.min < MAX_LISTED else None
    if found is None:
        return None
    whole = collapsed(np.asarray(evaluate(steps[last + 1 :], found), np.float32))
    before = levels(steps[:last], format_) if last >= 0 and last_quantiser(steps[:last]) is not None else None
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


def _extremes(steps: tuple[Node, ...], format_: Integers) -> NDArray[np.float32] | None:
    """The lowest and the highest value that `steps` give for the integers of a format; None where too many integers
    have to be tried."""
    if one_way(steps) is not None:
        return np.asarray(evaluate(steps, np.array([[format_.min], [format_.max]])), np.float32)
    if format_.max - format_.min >= MAX_TRIED:
        return None
    codes = all_codes(format_)
    blocks = [evaluate(steps, codes[k : k + BLOCK, None]) for k in range(0, len(codes), BLOCK)]
    return np.array([min(block.min() for block in blocks), max(block.max() for block in blocks)], np.float32)


def _evenly_spaced(values: NDArray[np.float32]) -> bool:
    try:
        spaced(collapsed(values))
    except ModelError:
        return False
    return True


def _tried_levels(steps: tuple[Node, ...], format_: Integers) -> NDArray[np.float32] | None:
    """The values that `steps` give for the integers of a format, (levels, 1), where these are few and all channels have
    the same ones: branches that depend on each other take fewer together than each may take alone."""
    if format_.max - format_.min >= MAX_LISTED:
        return None
    made = np.asarray(evaluate(steps, all_codes(format_)[:, None]), np.float32)
    first = np.unique(made[:, 0])
    same = all(np.array_equal(np.unique(column), first) for column in made.T[1:])
    return first[:, None] if same else None


def _combined_levels(node: Combined) -> NDArray[np.float32] | None:
    """Every sum or product of values that the branches take, (levels, 1), or (levels, C); None where these are many."""
    found: list[NDArray[np.float32]] = []
    for branch in node.branches:
        last = last_quantiser(branch)
        assert last is not None
        step = branch[last]
        if isinstance(step, Round):
            return None
        own = _combined_levels(step) if isinstance(step, Combined) else quantiser_levels(step)
        if own is None:
            return None
        found.append(np.asarray(evaluate(branch[last + 1 :], own), np.float32))
    operation = np.add if node.operation == "add" else np.multiply
    total = found[0]
    for part in found[1:]:
        if len(total) * len(part) > MAX_LISTED:
            return None
        total = operation(total[:, None], part[None]).reshape(len(total) * len(part), -1)
        if total.shape[1] == 1:
            total = np.unique(total)[:, None]
    return total


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
