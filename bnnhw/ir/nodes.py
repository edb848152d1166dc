"""The operations of the Graph. Their numeric meaning is in `bnnhw.reference`, kernel by kernel.

Shapes never include the batch: every tensor is one sample's. Arrays inside a node are made read-only.
Float operations are float32, in the order in which the imported graph performs them; the integer
operations carry exact integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIT, DataType
from bnnhw.ir.geometry import Geometry


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
        for member in fields(self):
            value = getattr(self, member.name)
            if isinstance(value, np.ndarray):
                frozen = np.array(value)
                frozen.flags.writeable = False
                object.__setattr__(self, member.name, frozen)

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
    """``out_scale * count(x >= T) + out_bias``; `thresholds` (n, ...) hold n cuts, ascending or not, each of which
    broadcasts against a sample."""

    thresholds: NDArray[np.float32]
    out_scale: float
    out_bias: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Activation(Node):
    """A float function as ONNX defines it: ``leaky_relu`` (slope `alpha` below zero; a PRelu with a slope per channel
    as well), ``hard_sigmoid`` (``clip(alpha * x + beta, 0, 1)``), ``elu``, ``celu``, ``selu`` (its gamma is `beta`),
    ``sigmoid``, ``softplus``, ``tanh``, ``softsign``, ``erf``, ``exp``, ``log``,
    ``sqrt``, ``atan``, ``power`` (``alpha ** x``) or ``abs``.

    `alpha` is float32, scalar or broadcastable. Below 0, a ``leaky_relu`` falls and rises, as ``abs`` does.
    """

    function: Literal[
        "leaky_relu", "hard_sigmoid", "elu", "celu", "selu", "sigmoid", "softplus", "tanh", "softsign", "erf", "exp",
        "log", "sqrt", "atan", "power", "abs",
    ]  # fmt: skip
    alpha: NDArray[np.float32]
    beta: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Round(Node):
    """A whole number near ``x``: `rounding` as in `Quant`."""

    rounding: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Sigmoid(Node):
    """``1 / (1 + exp(-x))``; only after the last layer."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Node):
    """Softmax over the last axis, or its logarithm; only after the last layer."""

    log: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Hardmax(Node):
    """1 at the largest over the last axis, the first of equal ones, and 0 elsewhere; only after the last layer."""


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
class Conv(Node):
    """Convolution of a feature map (H, W, C) to (OH, OW, MH); cross-correlation, as in ONNX.

    `weight` holds integers (MH, KH, KW, C / groups): outputs and channels are in `groups` of consecutive ones, and an
    output sees only the channels of its own group; as many groups as channels are a depthwise convolution.
    `weight_scale` is as in `MatMul`. `geometry` has no padding: that is a `Pad` of its own.
    """

    weight: NDArray[np.int16]
    weight_dtype: DataType
    weight_scale: NDArray[np.float64]
    geometry: Geometry
    groups: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(Node):
    """Surrounds a map (H, W, C) with `value`: `pads` are rows above, columns left, rows below, columns right."""

    pads: tuple[int, int, int, int]
    value: float


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool(Node):
    """Largest value of each window of a feature map (H, W, C), channel by channel; on floats or integers.

    In channels where `minimum` (scalar or (C,)) is set it is the smallest. Padding, which only integers have here, is
    left out of the window.
    """

    geometry: Geometry
    minimum: NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class SumPool(Node):
    """Sum of each window of a feature map (H, W, C), channel by channel; on floats (rounded once) or integers.

    Padding, which only integers have here, counts zero.
    """

    geometry: Geometry


@dataclass(frozen=True, eq=False, kw_only=True)
class Sum(Node):
    """``sum(coefficient * input)`` of inputs of one shape; `coefficients` are (inputs, 1), or (inputs, C) where they
    differ by channel. On floats all of them are 1."""

    coefficients: NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Product(Node):
    """The product of two floats, element by element: of functions of one tensor, as in ``x * sigmoid(x)``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Node):
    """Joins feature maps or vectors along their last axis, the channels; on floats or integers."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Slice(Node):
    """The elements of a map or a vector that are `kept`, an array of its shape: of each axis certain places, in their
    order. On floats or integers."""

    kept: NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Gather(Node):
    """The elements of a sample, counted row by row, at `places`, int64 of the output's shape: in any order, any number
    of times. On floats or integers."""

    places: NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Lookup(Node):
    """Bits (M,) that M tables have for bits (B,); on floats that are 0 and 1, or on integers of one bit.

    Node m gives ``tables[m, address]``, where bit j of its address is the input bit ``wiring[m, j]``: `wiring` is
    (M, k), `tables` (M, 2**k).
    """

    wiring: NDArray[np.int64]
    tables: NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class ArgMax(Node):
    """Index of the largest of ``scale * x + bias`` (lowest index on a tie), int64 of shape (), or (1,) with `keepdims`.

    On floats `scale` and `bias` are None: the plain argmax. On integers they are int64 arrays (C,), and scores that are
    no further apart than `margin` may be in another order in float32; below 0 there are none.
    """

    scale: NDArray[np.int64] | None = None
    bias: NDArray[np.int64] | None = None
    keepdims: bool = False
    margin: float = -1.0


# ---- between floats and integers ---------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Encode(Node):
    """Float values that are whole multiples of `scale` become those integers, of format `dtype`; `scale` is float64,
    scalar or (C,).

    The integers that occur are ``offset + step * k`` for k in 0 .. levels - 1.
    """

    dtype: DataType
    scale: NDArray[np.float64]
    offset: int
    step: int
    levels: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Dequant(Node):
    """Integers become ``float32(x * scale)``, rounded once; `scale` is float64, scalar or (C,).

    `noise`, of the same kind, bounds how far the float32 arithmetic of another executor of the model may be from that
    product: 0 where float32 is exact.
    """

    scale: NDArray[np.float64]
    noise: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))


# ---- integer operations: what becomes hardware -------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Window(Node):
    """The windows of a feature map (H, W, C) as vectors (OH, OW, KH * KW * C), ordered by row, column, channel; with
    several `groups` of channels by group, row, column, channel in the group.

    Positions outside the map hold `fill`.
    """

    geometry: Geometry
    fill: int
    groups: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Node):
    """The exact integer ``weight @ x`` along the last axis, weight (MH, MW); after a `Window` it is a convolution.

    `flip` (MH,) marks the channels whose weights were negated against the model's, so that every
    comparison is >=; the accumulator of the model is the negated one there.
    """

    weight: NDArray[np.int16]
    weight_dtype: DataType
    flip: NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupedDense(Dense):
    """A `Dense` of which each of `groups` groups of consecutive outputs sees only its own of as many groups of
    consecutive inputs: weight (MH, MW / groups)."""

    groups: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Threshold(Node):
    """``offset + step * count(x >= T[channel])``, or the integer that `codes` has for that count; T int64 (C, n),
    ascending in each row, C the channels (last axis).

    `codes` is int64 (C, n + 1), or (1, n + 1) where all channels have the same; empty without such a table, and then
    `offset` and `step` say what a count means.

    A threshold that no reachable accumulator meets, or that all meet, is clamped to just outside the
    reachable range, never wrapped. Channels where `negate` (scalar or (C,)) is set compare the negated input; after a
    Dense there are none, as the weights are negated instead, unless something else reads its sums as well.

    `doubtful` (C, n, 2), or empty where there are none, holds first and past of the integers, as they are compared,
    around each threshold at which float32 itself decides by its rounding: another executor of the model may decide
    otherwise there.
    """

    thresholds: NDArray[np.int64]
    offset: int
    step: int
    dtype: DataType
    negate: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((), np.bool_))
    doubtful: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0, 2), np.int64))
    codes: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    @property
    def table(self) -> NDArray[np.int64]:
        """The integer for each count, (C, n + 1) or (1, n + 1)."""
        regular = self.offset + self.step * np.arange(self.thresholds.shape[1] + 1)
        return self.codes if self.codes.size else regular[None]

    @property
    def compares(self) -> bool:
        """Whether it makes bits, each by one comparison of an element."""
        regular = self.thresholds.shape[1] == 1 and not self.codes.size
        return regular and (self.offset, self.step, self.dtype) == (0, 1, BIT)


@dataclass(frozen=True, eq=False, kw_only=True)
class Scale(Node):
    """``offset + step * clip((x * factor + bias) >> shift, low, high)``, exact, channel by channel: a quantiser of many
    levels.

    There are one or two pieces, ``factors`` and ``biases`` (pieces, C): with two, the first one is for integers below
    the channel's pivot, ``pivots`` (pieces - 1, C), the second for the others. With `even`, a sum before the shift that
    is a whole multiple of ``2 ** shift`` gives the even number at or below its quotient: halves, made whole by the
    bias, are rounded to even. `low` and `high` are int64, scalar or (C,).

    `noise`, float64 scalar or (C,), bounds how far float32 may be from the exact quotient: another executor of the
    model may give the next code where it comes so close to one.
    """

    factors: NDArray[np.int64]
    biases: NDArray[np.int64]
    pivots: NDArray[np.int64]
    shift: int
    even: bool
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    offset: int
    step: int
    dtype: DataType
    noise: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
