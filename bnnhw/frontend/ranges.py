"""Which values a tensor of the imported graph can take, as far as the nodes in front of it tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.frontend.context import Context
from bnnhw.ir.elementwise import apply, code_range
from bnnhw.ir.nodes import (
    Activation,
    Arithmetic,
    BipolarQuant,
    Clip,
    Concat,
    Gather,
    Lookup,
    MaxPool,
    MultiThreshold,
    Node,
    Pad,
    Quant,
    Reshape,
    Round,
    Slice,
    Sum,
    SumPool,
    Transpose,
)


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high`, which are integers if they are `whole`."""

    low: float
    high: float
    whole: bool

    @property
    def bounded(self) -> bool:
        return bool(np.isfinite([self.low, self.high]).all())


ANY = Range(-np.inf, np.inf, False)


def range_of(context: Context, tensor: str) -> Range:
    """The range of an IR tensor; `ANY` where nothing tells."""
    node = context.makers.get(tensor)
    if node is None:
        format_ = context.file.input_format
        return ANY if format_ is None else Range(format_.min, format_.max, True)
    if isinstance(node, Quant):
        return _around(
            [(code - node.zero_point) * node.scale for code in code_range(node)], node.scale, node.zero_point
        )
    if isinstance(node, BipolarQuant):
        return _around([-node.scale, node.scale], node.scale)
    if isinstance(node, Lookup):
        return Range(0, 1, True)
    if isinstance(node, MultiThreshold):
        ends = node.out_bias, node.out_bias + node.out_scale * len(node.thresholds)
        return _around([np.array(end) for end in ends], np.array(node.out_scale), np.array(node.out_bias))
    if isinstance(
        node,
        (Clip, Round, Activation, Arithmetic, Reshape, Transpose, MaxPool, Pad, SumPool, Sum, Concat, Slice, Gather),
    ):
        return _through(node, [range_of(context, name) for name in node.inputs])
    return ANY


def _through(node: Node, inputs: list[Range]) -> Range:
    """The range behind a node that keeps, moves, joins or adds values of known ranges."""
    first = inputs[0]
    if isinstance(node, (Round, Activation)):
        # A function that turns does so at 0.
        inner = [0.0] if first.low < 0 < first.high else []
        ends = [apply(node, np.array(end)) for end in (first.low, first.high, *inner)]
        return _around(ends, whole=isinstance(node, Round))
    if isinstance(node, Clip):
        return _around(
            [apply(node, np.array(end)) for end in (first.low, first.high)],
            whole=first.whole and _whole(node.low, node.high),
        )
    if isinstance(node, Arithmetic):
        if not first.bounded:
            return ANY
        whole = (
            first.whole and _whole(node.operand) and (node.operation != "div" or bool((abs(node.operand) == 1).all()))
        )
        return _around([apply(node, np.array(end)) for end in (first.low, first.high)], whole=whole)
    if isinstance(node, Pad):
        inputs = [first, Range(node.value, node.value, _whole(node.value))]
    whole = all(part.whole for part in inputs)
    if isinstance(node, Sum):
        return Range(sum(part.low for part in inputs), sum(part.high for part in inputs), whole)
    if isinstance(node, SumPool):
        return Range(first.low * node.geometry.taps, first.high * node.geometry.taps, whole)
    return Range(min(part.low for part in inputs), max(part.high for part in inputs), whole)


def _around(ends: list[NDArray[Any]], *steps: NDArray[Any], whole: bool = True) -> Range:
    """The range that holds all of `ends`, of whole numbers if its `steps` are."""
    low, high = min(float(end.min()) for end in ends), max(float(end.max()) for end in ends)
    return Range(low, high, whole and _whole(*steps))


def _whole(*numbers: Any) -> bool:
    return all(bool((np.rint(number) == number).all()) for number in numbers)
