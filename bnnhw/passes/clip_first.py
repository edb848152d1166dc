"""Moves the limits of what is rounded in front of the rounding, which is a quantiser only with limits."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.elementwise import apply
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Arithmetic, Clip, Round
from bnnhw.passes.rewrite import Builder

Array = NDArray[np.generic]

# Whole numbers up to there are float32.
MOST = 1 << 24


def run(graph: Graph) -> Graph:
    """A Clip in front of every Round whose results are clipped behind it: it lets through all that make a difference.

    So a rounding that is followed by scalar factors and addends, then by a Clip, becomes one of bounded values. The
    Clip behind it stays; it may cut between whole numbers.
    """
    builder = Builder(graph)
    for node in graph.nodes:
        limits = _limits(graph, node) if isinstance(node, Round) else None
        if limits is None:
            builder.add(node)
            continue
        clip = Clip(
            name=builder.unique(f"{node.name}.clip"),
            inputs=node.inputs,
            output=builder.unique(f"{node.output}.clipped", graph.tensors),
            source=node.source,
            low=limits[0],
            high=limits[1],
        )
        builder.add(node, builder.add(clip))
    return builder.graph(graph.outputs)


def _limits(graph: Graph, node: Round) -> tuple[float, float] | None:
    """Whole numbers that end as all those below the first, and above the second, do; None if there are none."""
    limits = {-1: [-np.inf], 1: [np.inf]}
    steps: list[Arithmetic] = []
    for step in _followers(graph, node.output):
        if isinstance(step, Arithmetic):
            steps.append(step)
            continue
        for bound, side in ((step.low, -1), (step.high, 1)):
            towards = side * _slope(steps)
            limits[towards].append(_past(steps, bound, side, towards))
    low, high = max(limits[-1]), min(limits[1])
    return (low, high) if -np.inf < low < high < np.inf else None


def _past(steps: list[Arithmetic], bound: float, side: int, towards: int) -> float:
    """A whole number that `steps` take to `bound` or past it, on its `side`, as they do all numbers from there on
    `towards` one end; that end where none is found."""
    number = float(bound)
    for step in reversed(steps):
        operand = float(step.operand)
        number = {"add": number - operand, "mul": number / operand, "div": number * operand}[step.operation]
    for away in range(3) if abs(number) < MOST else ():  # float32 may round the first one to the other side
        found = (floor(number) if towards < 0 else ceil(number)) + away * towards
        value: Array = np.array(found, np.float32)
        for step in steps:
            value = apply(step, value)
        if side * float(value) >= side * bound:
            return float(found)
    return towards * np.inf


def _slope(steps: list[Arithmetic]) -> int:
    factors = [np.sign(float(step.operand)) for step in steps if step.operation != "add"]
    return int(np.prod(factors))


def _followers(graph: Graph, tensor: str) -> list[Arithmetic | Clip]:
    """Clips and scalar arithmetic, each the only one that reads what the one before it makes."""
    found: list[Arithmetic | Clip] = []
    while tensor not in graph.outputs.values():
        readers = graph.consumers(tensor)
        if len(readers) != 1 or not isinstance(readers[0], (Arithmetic, Clip)):
            break
        step = readers[0]
        if isinstance(step, Arithmetic) and (step.operand.ndim or (step.operation != "add" and not step.operand)):
            break
        found.append(step)
        tensor = step.output
    return found
