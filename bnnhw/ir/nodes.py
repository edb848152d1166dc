"""The operations of the Graph. Their numeric meaning is in `bnnhw.reference`, kernel by kernel.

Shapes never include the batch: every tensor is one sample's. Arrays inside a node are made read-only.
Float operations are float32, in the order in which the imported graph performs them; the integer
operations carry exact integers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnhw.dtypes import DataType


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One operation: `inputs` and `output` name tensors of the graph.

    Parameters
    ----------
    name
        Unique in the graph; errors and reports use it.
    source
        Names of the nodes of the model file that this one stands for.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    source: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                frozen = np.array(value)
                frozen.flags.writeable = False
                object.__setattr__(self, field.name, frozen)

    @property
    def op(self) -> str:
        return type(self).__name__


# ---- float operations, elementwise -------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Arithmetic(Node):
    """``x + c``, ``x * c`` or ``x / c`` in float32; `operand` broadcasts against one sample."""

    operation: Literal["add", "mul", "div"]
    operand: NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Clip(Node):
    """``min(max(x, low), high)``; a Relu is ``low=0, high=inf``."""

    low: float
    high: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Quant(Node):
    """QONNX Quant: ``(clip(round(x / scale + zero_point)) - zero_point) * scale``.

    `scale` and `zero_point` are float32, scalar or broadcastable. `rounding` is one of ROUND (half to
    even), FLOOR, CEIL, ROUND_TO_ZERO, HALF_UP. A narrow signed range leaves out the lowest value; a
    narrow unsigned range the highest.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.float32]
    bits: int
    signed: bool
    narrow: bool
    rounding: str


@dataclass(frozen=True, eq=False, kw_only=True)
class BipolarQuant(Node):
    """``scale`` where ``x >= 0``, ``-scale`` elsewhere. A Sign node maps here as well."""

    scale: NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiThreshold(Node):
    """``out_scale * count(x >= T) + out_bias``, T ascending or not, shape (1, n) or (C, n), C the channel
    (first of a sample's `sample_rank` axes; last axis if `channels_last`). `strict` counts ``x > T`` instead."""

    thresholds: NDArray[np.float32]
    out_scale: float
    out_bias: float
    strict: bool = False
    channels_last: bool = False
    sample_rank: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Sigmoid(Node):
    """``1 / (1 + exp(-x))``; only after the last layer."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Node):
    """Softmax over the last axis; only after the last layer."""


# ---- float operations, others ------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Node):
    """Row-major reshape of a sample to `shape`."""

    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Transpose(Node):
    """Permutes the axes of a sample (the batch axis is not counted)."""

    perm: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class MatMul(Node):
    """``x @ (weight * scale).T``: quantised weights as integers (MH, MW) and their scale.

    `weight_scale` is float64, scalar or (MH,), and positive or negative as the model has it.
    """

    weight: NDArray[np.int16]
    weight_dtype: DataType
    weight_scale: NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class ArgMax(Node):
    """Index of the largest of ``scale * x + bias`` (lowest index on a tie), int64 of shape (), or (1,) with `keepdims`.

    On floats `scale` and `bias` are None: the plain argmax. On integers they are int64 arrays (C,).
    """

    scale: NDArray[np.int64] | None = None
    bias: NDArray[np.int64] | None = None
    keepdims: bool = False


# ---- between floats and integers ---------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Encode(Node):
    """Float values that are whole multiples of `scale` become those integers, of format `dtype`.

    The integers that occur are ``offset + step * k`` for k in 0 .. levels - 1.
    """

    dtype: DataType
    scale: float
    offset: int
    step: int
    levels: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Dequant(Node):
    """Integers become ``float32(x * scale)``, rounded once; `scale` is float64, scalar or (C,)."""

    scale: NDArray[np.float64]


# ---- integer operations: what becomes hardware -------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Node):
    """The exact integer ``weight @ x``, weight (MH, MW).

    `flip` (MH,) marks the channels whose weights were negated against the model's, so that every
    comparison is >=; the accumulator of the model is the negated one there.
    """

    weight: NDArray[np.int16]
    weight_dtype: DataType
    flip: NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Threshold(Node):
    """``offset + step * count(x >= T[channel])``; T int64 (C, n), ascending in each row, C the channels.

    A threshold that no reachable accumulator meets, or that all meet, is clamped to just outside the
    reachable range, never wrapped.
    """

    thresholds: NDArray[np.int64]
    offset: int
    step: int
    dtype: DataType
