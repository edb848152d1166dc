"""Arithmetic with constants of every shape that broadcasts, batch normalisation, Relu and Clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.onnx_models import CHANNELS_LAST
from tests.random_files.builder import Builder, Grid, Value
from tests.random_files.quantisers import activation, channel_shape, scale_near


def parameter_shape(b: Builder, x: Value) -> tuple[int, ...]:
    """One of the shapes that broadcast against `x`; most have one value per channel, or one for all."""
    whole = channel_shape(x)
    per_channel = [whole, (1, *whole), whole]
    if x.axis % len(x.shape) == len(x.shape) - 1:
        per_channel += [(x.channels,)]
    if not x.is_map or b.chance(0.8):
        return b.pick(*per_channel, *per_channel, (), (1,), (1,) * (len(x.shape) + 1))
    rest = tuple(1 if axis == x.axis % len(x.shape) else size for axis, size in enumerate(x.shape))
    rows = (x.shape[0], *[1] * (len(x.shape) - 1))
    return b.pick((x.shape[-1],), x.shape[-2:], x.shape, (1, *x.shape), rest, (x.shape[-2], 1), rows)


def differs_by_position(x: Value, values: NDArray[np.float32]) -> bool:
    """Whether a parameter of `x` is not one value per channel."""
    if not x.is_map:
        return False
    full = np.moveaxis(np.broadcast_to(values, (1, *x.shape))[0], x.axis, 0).reshape(x.channels, -1)
    return bool((full != full[:, :1]).any())


def affine(b: Builder, x: Value, *, before: bool = False, clips: bool = True) -> Value:
    """One operation with a constant, or with none: Relu and Clip only where `clips` says so.

    `before` the first layer software does it, whatever the constant's shape.
    """
    kind = b.weighted(Add=3, Sub=2, Mul=3, Div=1, BatchNormalization=3, one=1 * clips, Neg=0.3)
    if kind == "BatchNormalization":
        return batch_norm(b, x)
    if kind == "one":
        return _unary(b, x)
    if kind == "Neg":
        b.tell("Neg")
        line = None if x.line is None else (-x.line[0], -x.line[1])
        return b.put("Neg", x, mean=-x.mean, unit=None, bare=False, line=line, grid=None)
    shape = parameter_shape(b, x)
    values = _values(b, x, kind, shape)
    if not before and (differs_by_position(x, values) or (x.flattened and np.ptp(values))):
        b.traits.add("position")
    left = kind != "Div" and b.chance(0.25)
    b.tell(f"{kind} {shape}{' on the left' * left}")
    return _applied(b, x, kind, values, left)


def _applied(b: Builder, x: Value, kind: str, values: NDArray[np.float32], left: bool = False) -> Value:
    name, first = b.constant(values), float(values.reshape(-1)[0])
    node = b.net.node(kind, name, x.name) if left else b.net.node(kind, x.name, name)
    average, width = float(values.mean()), float(values.std())
    sign = -1.0 if kind == "Sub" and left else 1.0
    if kind == "Add":
        factor, addend = 1.0, first
        mean, spread = x.mean + average, float(np.hypot(x.spread, width))
    elif kind == "Sub":
        factor, addend = sign, (first if left else -first)
        mean, spread = sign * (x.mean - average), float(np.hypot(x.spread, width))
    else:
        by = values if kind == "Mul" else 1 / values
        factor, addend = float(by.reshape(-1)[0]), 0.0
        mean, spread = x.mean * float(by.mean()), x.power * float(np.sqrt((by**2).mean()))
    line = None if x.line is None else (factor * x.line[0], factor * x.line[1] + addend)
    return replace(x, name=node, mean=mean, spread=spread or 1.0, unit=None, bare=False, grid=None, line=line)


def _values(b: Builder, x: Value, kind: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if kind in ("Add", "Sub"):
        values = b.normal(shape, 0.7 * x.power) + b.pick(0.0, np.float32(-x.mean))
        if x.unit and b.chance(0.5):  # sums lie on the cuts
            values = np.rint(values / x.unit * 2) * x.unit / 2
        elif b.chance(0.3):
            values = np.rint(values)
        return np.asarray(values, np.float32)
    if b.chance(0.3):
        values = 2.0 ** b.rng.integers(-2, 3, shape)
    else:
        values = np.exp(b.rng.normal(0, 0.6, shape))
    values = values * np.where(b.rng.random(shape) < b.pick(0.0, 0.3), -1, 1)
    if kind == "Mul" and b.chance(0.05):
        values = np.where(b.rng.random(shape) < 0.8, values, 0) if np.size(values) > 1 else values
        values = values if values.any() else values + 1
    return np.asarray(values, np.float32)


def batch_norm(b: Builder, x: Value) -> Value:
    """Factors of either sign; some of zero, and variances near zero."""
    gamma, beta, mean = b.normal((x.channels,)), b.normal((x.channels,)), b.normal((x.channels,), x.power) * 0.5
    variance = (x.power**2 * b.rng.uniform(0.3, 2, x.channels)).astype(np.float32)
    if b.chance(0.1) and x.channels > 1:
        gamma[b.between(0, x.channels - 1)] = 0
    if b.chance(0.05):
        variance[b.between(0, x.channels - 1)] = 1e-12
    options: dict[str, object] = {"epsilon": 1e-5} if b.chance(0.5) else {}
    if x.is_map and x.axis % len(x.shape) != 0:
        options["domain"] = CHANNELS_LAST
    b.tell("BatchNormalization")
    if x.flattened:
        b.traits.add("position")
    factor = gamma / np.sqrt(variance + 1e-5)
    line = None
    if x.line is not None:
        line = (float(factor[0]) * x.line[0], float(factor[0] * (x.line[1] - mean[0]) + beta[0]))
    names = [b.constant(values) for values in (gamma, beta, mean, variance)]
    return b.put(
        "BatchNormalization", x, *names, mean=0.0, spread=1.5, unit=None, bare=False, grid=None, line=line, **options
    )  # fmt: skip


def _unary(b: Builder, x: Value) -> Value:
    """Relu or Clip."""
    if b.chance(0.6):
        return relu(b, x)
    low, high = sorted((x.mean - 1.5 * x.power, x.mean + b.rng.uniform(0.5, 2) * x.power))
    if b.chance(0.3):
        low = 0.0 if high > 0 else low
    b.tell(f"Clip {low:g} {high:g}")
    return clip(b, x, float(low), float(high), unit=None, bare=False, grid=None)


def relu(b: Builder, x: Value) -> Value:
    b.tell("Relu")
    return b.put("Relu", x, mean=x.mean + x.spread / 3, spread=x.spread * 0.7, unit=None, bare=False, grid=None)


def clip(b: Builder, x: Value, low: float, high: float, **known: object) -> Value:
    low, high = float(np.float32(low)), float(np.float32(high))
    if b.opset < 11:
        return b.put("Clip", x, min=low, max=high, **known)
    return b.put("Clip", x, b.constant(low), b.constant(high), **known)


def between_quantiser_and_layer(b: Builder, x: Value) -> Value:
    """`x`, which is quantised, changed in a way that leaves it on an even grid."""
    assert x.grid is not None
    grid = x.grid
    kind = b.weighted(scale=3, shift=2, relu=2, clip=1, again=4, nothing=1)
    if kind == "again":
        return activation(b, x, bits=3)
    if kind == "scale":
        factor = float(np.float32(b.pick(1.0, -1.0, 1.0) * scale_near(b, 1.0)))
        b.tell(f"Mul {factor:g} of a quantised tensor")
        ends = sorted((grid.low * factor, grid.high * factor))
        made = b.put("Mul", x, b.constant(np.full(b.pick((), (1,)), factor)), grid=Grid(grid.step * abs(factor), *ends))
        return replace(made, mean=x.mean * factor, spread=x.spread * abs(factor))
    if kind == "shift":
        shift = float(np.float32(grid.step * b.between(-2, 2) * b.pick(1.0, 0.5)))
        b.tell(f"Add {shift:g} to a quantised tensor")
        made = Grid(grid.step, grid.low + shift, grid.high + shift)
        return b.put("Add", x, b.constant(shift), grid=made, mean=x.mean + shift)
    if kind in ("relu", "clip") and grid.low < 0 < grid.high and abs(grid.low / grid.step % 1) < 1e-6:
        b.tell(f"{kind} of a quantised tensor")
        if kind == "relu":
            return b.put("Relu", x, grid=Grid(grid.step, 0.0, grid.high), mean=x.mean + x.spread / 3)
        return clip(b, x, 0.0, grid.high - grid.step, grid=Grid(grid.step, 0.0, max(grid.high - grid.step, 0.0)))
    return b.put(b.pick("Identity", "Dropout"), x)
