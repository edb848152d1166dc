"""A random file under construction: what is known of its tensors, and the choices that its seed makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto

from tests.onnx_models import Net

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Grid:
    """The values of a quantised tensor: from `low` to `high` in steps of `step`."""

    step: float
    low: float
    high: float

    @property
    def largest(self) -> int:
        """Magnitude of the largest integer that stands for one of them."""
        return round(max(abs(self.low), abs(self.high)) / self.step * (1 if self._is_whole(1) else 2))

    @property
    def bits(self) -> int:
        """Of the integers that stand for the values."""
        parts = 1 if self._is_whole(1) else 2
        low, high = round(self.low / self.step * parts), round(self.high / self.step * parts)
        return max(high, -low - 1).bit_length() + (low < 0)

    @property
    def holds_zero(self) -> bool:
        """Whether an integer can stand for 0, among them or beside them."""
        return self._is_whole(2)

    def _is_whole(self, parts: int) -> bool:
        ratio = parts * self.low / self.step
        return abs(ratio - round(ratio)) < 1e-3


@dataclass(frozen=True)
class Value:
    """A tensor of the file.

    Parameters
    ----------
    name, shape
        Its name, and the shape of one sample.
    axis
        Where the channels are, among the axes of a sample.
    mean, spread
        Roughly what its elements are.
    grid
        Its values, if it is quantised.
    unit
        What one integer of a layer's bare sums stands for; None where it differs by channel, or of other tensors.
    bare
        Whether it is a layer's sums, or a pool of them, with no arithmetic behind.
    flattened
        Whether it is a map flattened behind a layer, so that its channels are positions.
    reach
        Largest magnitude of those integers.
    line
        Factor and addend that made it from the network's input (of the first channel); None behind a quantiser.
    """

    name: str
    shape: tuple[int, ...]
    axis: int
    mean: float = 0.0
    spread: float = 1.0
    grid: Grid | None = None
    unit: float | None = None
    bare: bool = False
    flattened: bool = False
    reach: int = 0
    line: tuple[float, float] | None = None

    @property
    def channels(self) -> int:
        return self.shape[self.axis]

    @property
    def spatial(self) -> tuple[int, ...]:
        """The axes besides the channels."""
        return tuple(size for axis, size in enumerate(self.shape) if axis != self.axis)

    @property
    def is_map(self) -> bool:
        return len(self.shape) > 1

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def power(self) -> float:
        """Root of the mean square."""
        return float(np.hypot(self.mean, self.spread)) or 1.0

    def resized(self, *spatial: int) -> tuple[int, ...]:
        """The shape with other sizes besides the channels."""
        sizes = list(spatial)
        sizes.insert(self.axis, self.channels)
        return tuple(sizes)


@dataclass
class Builder:
    """The state of one file.

    Parameters
    ----------
    net
        The nodes so far.
    rng
        All choices come from it.
    batch
        The batch axis as the file has it.
    traits
        What is in the file that the tool may refuse: keys of `refusals`.
    story
        What was put in, in order, for those who study a file.
    cuts
        Values of the network's input at which its first quantisers change.
    annotation
        FINN's name for the format of the input, or nothing.
    """

    net: Net
    rng: np.random.Generator
    batch: int | str | None
    traits: set[str] = field(default_factory=set)
    story: list[str] = field(default_factory=list)
    cuts: list[float] = field(default_factory=list)
    annotation: str = ""

    # ---- choices -------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, *options: Choice) -> Choice:
        return options[int(self.rng.integers(len(options)))]

    def weighted(self, **weights: float) -> str:
        """One of the names, each as probable as its weight says."""
        total = np.array(list(weights.values()))
        return list(weights)[int(self.rng.choice(len(total), p=total / total.sum()))]

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return int(self.rng.integers(low, high + 1))

    def normal(self, shape: Sequence[int] = (), spread: float = 1.0) -> NDArray[np.float32]:
        return np.asarray(self.rng.normal(0, spread, shape), np.float32)

    # ---- nodes ---------------------------------------------------------------------------------

    @property
    def opset(self) -> int:
        return self.net.opset

    def constant(self, value: ArrayLike) -> str:
        return self.net.constant(np.asarray(value, np.float32))

    def whole(self, *values: int) -> str:
        """A list of whole numbers."""
        return self.net.constant(np.array(values, np.int64))

    def put(self, op: str, x: Value, *inputs: str, **options: Any) -> Value:
        """A node on `x` and constants that keeps what is known of it, but for the fields of `Value` among `options`."""
        known = {key: options.pop(key) for key in list(options) if key in Value.__dataclass_fields__}
        made = replace(x, name=self.net.node(op, x.name, *inputs, **options), **known)
        return self.told(made)

    def told(self, x: Value) -> Value:
        """Declares the shape of what a custom operator makes: the executor asks for it."""
        if self.net.nodes[-1].domain:
            self.net.shapes.append(
                _information(x.name, (self.batch, *x.shape)),
            )
        return x

    def maker(self, x: Value) -> str:
        """The operator that made a tensor; nothing for the network's input."""
        return next((str(node.op_type) for node in self.net.nodes if x.name in node.output), "")

    def tell(self, text: str) -> None:
        self.story.append(text)


def _information(name: str, shape: tuple[int | str | None, ...]) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
