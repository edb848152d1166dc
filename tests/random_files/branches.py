"""Forks of a quantised tensor, and where the branches meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import gcd

from tests.random_files.affine import affine, between_quantiser_and_layer
from tests.random_files.builder import Builder, Grid, Value
from tests.random_files.layers import dense, layer
from tests.random_files.quantisers import Weight, activation, transposed, weights

# Between the scales of tensors that are added.
MOST_RATIO = 128
# Largest integers of a sum that the tool has a format for.
MOST_SUM = 1 << 15


def branch(b: Builder, x: Value, outputs: int, *, quantised: bool = True) -> Value:
    """A layer that keeps the size of a map, with its quantiser if `quantised`."""
    made = _same_size(b, x, outputs)
    for _ in range(b.between(0, 2) if quantised else 0):
        made = affine(b, made)
    return activation(b, made, bits=3) if quantised else made


def _same_size(b: Builder, x: Value, outputs: int) -> Value:
    """A dense layer, or a convolution of 3 or 1 pixels with stride 1."""
    if not x.is_map:
        return dense(b, x, outputs)
    assert x.grid is not None
    if x.axis % len(x.shape) != 0:
        return dense(b, x, outputs)
    wide = 3 if x.grid.holds_zero and min(x.spatial) > 1 and b.chance(0.6) else 1
    axes = len(x.spatial)
    weight = weights(b, (outputs, x.channels, *[wide] * axes), 0)
    b.tell(f"Conv {x.shape} -> {outputs} of {wide}")
    name = b.net.node("Conv", x.name, weight.name, pads=[wide // 2] * (2 * axes), kernel_shape=[wide] * axes)
    return _sums(x, weight, x.channels * wide**axes, (outputs, *x.spatial), name)


def _sums(x: Value, weight: Weight, fan: int, shape: tuple[int, ...], name: str) -> Value:
    from tests.random_files.layers import _sums as sums

    return sums(x, weight, fan, shape, name)


def residual(b: Builder, x: Value) -> Value:
    """A sum of two ways from `x`, quantised again."""
    first = branch(b, x, x.channels, quantised=b.chance(0.7))
    kind = b.weighted(plain=4, changed=4, layer=3, twice=0.5)
    b.tell(f"skip: {kind}")
    if kind == "plain":
        second = x
    elif kind == "changed":
        second = between_quantiser_and_layer(b, x)
    elif kind == "layer":
        second = branch(b, x, x.channels, quantised=b.chance(0.7))
    else:
        second = first
    made = added(b, [first, second] if b.chance(0.5) else [second, first])
    for _ in range(b.between(0, 2)):
        made = affine(b, made)
    return activation(b, made, bits=3)


def added(b: Builder, parts: list[Value]) -> Value:
    """The sum of tensors of one shape."""
    units = [unit_of(part) for part in parts]
    known = [unit for unit in units if unit is not None]
    if len(known) < len(parts):
        b.traits.add("sum of scales per channel")
    unit, factors = common_unit(known)
    if unit is None:
        b.traits.add("sum without a common unit")
    reach = sum(reach_of(part) * factor for part, factor in zip(parts, factors or [1] * len(parts), strict=False))
    if reach >= MOST_SUM:
        b.traits.add("wide sum")
    op = b.pick("Add", "Add", "Sum")
    b.tell(f"{op} of {len(parts)}")
    made = replace(parts[0], name=b.net.node(op, *(part.name for part in parts)), grid=None, unit=unit, reach=reach)
    return replace(made, mean=sum(p.mean for p in parts), spread=sum(p.spread**2 for p in parts) ** 0.5)


def unit_of(x: Value) -> float | None:
    """What one integer of `x` stands for, if it is one for all."""
    if x.grid is None:
        return x.unit
    ratio = x.grid.low / x.grid.step
    return x.grid.step if abs(ratio - round(ratio)) < 1e-3 else x.grid.step / 2


def reach_of(x: Value) -> int:
    return x.reach if x.grid is None else x.grid.largest


def common_unit(units: list[float]) -> tuple[float | None, list[int]]:
    """A unit of which all are small multiples, and these."""
    if not units:
        return None, []
    ratios = [Fraction(unit / units[0]).limit_denominator(MOST_RATIO) for unit in units]
    if any(abs(float(ratio) * units[0] - unit) > 1e-6 * unit for ratio, unit in zip(ratios, units, strict=True)):
        return None, []
    down = 1
    for ratio in ratios:
        down = down * ratio.denominator // gcd(down, ratio.denominator)
    factors = [int(ratio * down) for ratio in ratios]
    if max(factors) // gcd(*factors) > MOST_RATIO:
        return None, []
    return units[0] / down, factors


def concatenation(b: Builder, x: Value) -> Value:
    """Two or three ways from `x`, side by side."""
    ways: list[Callable[[], Value]] = [
        lambda: branch(b, x, b.between(1, 6)),
        lambda: x,
        lambda: between_quantiser_and_layer(b, x),
    ]
    parts = [ways[0]()]
    for _ in range(b.pick(1, 1, 2)):
        parts.append(b.pick(*ways)())
    if b.chance(0.6):  # one quantiser for all
        parts = [_aligned(b, part) for part in parts]
    units = [unit_of(part) for part in parts]
    if max(units) > 1.0001 * min(units):  # type: ignore[operator, type-var]
        common, _ = common_unit([unit for unit in units if unit is not None])
        b.traits.add("concat of scales" if common else "concat without a common unit")
    b.rng.shuffle(parts)  # type: ignore[arg-type]
    axis = 1 + parts[0].axis % len(parts[0].shape)
    name = b.net.node("Concat", *(part.name for part in parts), axis=axis)
    shape = list(parts[0].shape)
    shape[axis - 1] = sum(part.channels for part in parts)
    b.tell(f"Concat of {len(parts)}")
    grids = [part.grid for part in parts if part.grid is not None]
    low, high = min(grid.low for grid in grids), max(grid.high for grid in grids)
    return replace(parts[0], name=name, shape=tuple(shape), grid=Grid(min(unit_of(p) or 1 for p in parts), low, high))


def _aligned(b: Builder, x: Value) -> Value:
    """`x` through a quantiser of scale 1/4."""
    names = [b.constant(0.25), b.constant(0.0), b.constant(float(b.pick(3, 3, 2, 4)))]
    return b.put("Quant", x, *names, signed=1, narrow=1, rounding_mode="ROUND", grid=Grid(0.25, -0.75, 0.75))


def two_layers(b: Builder, x: Value) -> Value:
    """Two layers read one tensor; their sums are added, or quantised and joined."""
    if b.chance(0.5):
        return residual_of_layers(b, x)
    return concatenation(b, x)


def residual_of_layers(b: Builder, x: Value) -> Value:
    outputs = b.between(1, 8)
    made = added(b, [branch(b, x, outputs, quantised=b.chance(0.5)) for _ in range(2)])
    return activation(b, made, bits=3)


__all__ = ["added", "branch", "concatenation", "layer", "residual", "transposed", "two_layers"]
