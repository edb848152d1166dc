"""Forks of a quantised tensor, and where the branches meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import gcd

from tests.random_files.affine import affine, between_quantiser_and_layer
from tests.random_files.builder import Builder, Grid, Value
from tests.random_files.layers import dense, sums
from tests.random_files.quantisers import activation, quant_of_scale, scale_near, weights

# Between the scales of tensors that are added.
MAX_RATIO = 128
# Largest integers of a sum that the tool has a format for.
MAX_SUM = 1 << 15


def branch(b: Builder, x: Value, outputs: int, *, quantised: bool = True) -> Value:
    """A layer that keeps the size of a map, with its quantiser if `quantised`."""
    made = _same_size(b, x, outputs)
    for _ in range(b.between(0, 2) if quantised else 0):
        made = affine(b, made)
    return activation(b, made, bits=3) if quantised else made


def _same_size(b: Builder, x: Value, outputs: int) -> Value:
    """A dense layer, or a convolution of 3 or 1 pixels with stride 1."""
    if not x.is_map:
        return dense(b, x, outputs, bare=b.chance(0.8))
    assert x.grid is not None
    if x.axis % len(x.shape) != 0:
        return dense(b, x, outputs)
    wide = 3 if x.grid.holds_zero and min(x.spatial) > 1 and b.chance(0.6) else 1
    axes = len(x.spatial)
    weight = weights(b, (outputs, x.channels, *[wide] * axes), 0)
    b.tell(f"Conv {x.shape} -> {outputs} of {wide}")
    name = b.net.node("Conv", x.name, weight.name, pads=[wide // 2] * (2 * axes), kernel_shape=[wide] * axes)
    return sums(x, weight, x.channels * wide**axes, (outputs, *x.spatial), name)


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


def residual_chain(b: Builder, x: Value) -> Value:
    """A sum that stays as it is from block to block: each adds its own sums, with a factor and an addend of their own,
    to what it quantises."""
    for _ in range(b.between(2, 3)):
        taken = x if x.grid is not None and b.chance(0.5) else activation(b, x, bits=2)
        made = branch(b, taken, x.channels, quantised=False)
        if b.chance(0.7):
            made = affine(b, made, clips=b.chance(0.3))
        x = added(b, [made, x], align=0.1)
    return activation(b, x, bits=4)


def added(b: Builder, parts: list[Value], *, align: float = 0.7) -> Value:
    """The sum of tensors of one shape; with a chance of `align` they are quantised to have a common unit."""
    if b.chance(align):
        parts = aligned(b, parts)
    known = [unit for unit in map(unit_of, parts) if unit is not None]
    if any(part.grid is None and not part.bare for part in parts):
        b.traits.add("arithmetic before a sum")
    b.traits.add("sum")
    unit, factors = common_unit(known)
    reach = sum(reach_of(part) * factor for part, factor in zip(parts, factors or [1] * len(parts), strict=False))
    if reach >= MAX_SUM:
        b.traits.add("wide sum")
    op = b.pick("Add", "Add", "Sum")
    b.tell(f"{op} of {len(parts)}")
    name = b.net.node(op, *(part.name for part in parts))
    made = replace(parts[0], name=name, grid=None, unit=unit, bare=True, reach=reach)
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
    ratios = [Fraction(unit / units[0]).limit_denominator(MAX_RATIO) for unit in units]
    if any(abs(float(ratio) * units[0] - unit) > 1e-6 * unit for ratio, unit in zip(ratios, units, strict=True)):
        return None, []
    down = 1
    for ratio in ratios:
        down = down * ratio.denominator // gcd(down, ratio.denominator)
    factors = [int(ratio * down) for ratio in ratios]
    if max(factors) // gcd(*factors) > MAX_RATIO:
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
    return joined(b, parts)


def joined(b: Builder, parts: list[Value]) -> Value:
    """Quantised tensors side by side, along their channels."""
    if b.chance(0.85):
        parts = aligned(b, parts, equal=b.chance(0.7))
    units = [unit for unit in map(unit_of, parts) if unit is not None]
    if max(units) > 1.0001 * min(units):
        b.traits.add("concat of scales")
    b.rng.shuffle(parts)  # type: ignore[arg-type]
    axis = 1 + parts[0].axis % len(parts[0].shape)
    name = b.net.node("Concat", *(part.name for part in parts), axis=axis)
    shape = list(parts[0].shape)
    shape[axis - 1] = sum(part.channels for part in parts)
    b.tell(f"Concat of {len(parts)}")
    grids = [part.grid for part in parts if part.grid is not None]
    low, high = min(grid.low for grid in grids), max(grid.high for grid in grids)
    return replace(parts[0], name=name, shape=tuple(shape), grid=Grid(min(unit_of(p) or 1 for p in parts), low, high))


def aligned(b: Builder, parts: list[Value], *, equal: bool = False) -> list[Value]:
    """`parts` quantised where their scales have no common unit with that of the first, or no `equal` one."""
    first = unit_of(parts[0])
    if first is None:
        parts = [quant_of_scale(b, parts[0], scale_near(b, parts[0].power)), *parts[1:]]
        first = unit_of(parts[0])
    assert first is not None
    made = [parts[0]]
    for part in parts[1:]:
        unit = unit_of(part)
        if unit is None or (abs(unit / first - 1) > 1e-5 if equal else common_unit([first, unit])[0] is None):
            if part.grid is not None:  # what comes through both quantisers may be on a coarser grid
                b.traits.add("concat of scales")
            part = quant_of_scale(b, part, first * (1.0 if equal else b.pick(1.0, 2.0, 0.5, 1.0)))
        made.append(part)
    return made


def sum_of_layers(b: Builder, x: Value) -> Value:
    """Two layers read one tensor, and their sums, quantised or not, are added."""
    outputs = b.between(1, 8)
    made = added(b, [branch(b, x, outputs, quantised=b.chance(0.5)) for _ in range(2)])
    return activation(b, made, bits=3)
