"""Quantisers of activations and of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.random_files.builder import Builder, Grid, Value

ROUNDINGS = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
USUAL_BITS = 4  # of an activation at most
# Scales that are no powers of two and that training, or a division by 2^k - 1, leaves.
ODD_SCALES = (1 / 3, 0.1, 1 / 7, 0.7, 1 / 15, 0.3, 0.043)


def scale_near(b: Builder, wanted: float) -> float:
    """A power of two, a product of one and a usual odd scale, or any number."""
    power = float(2.0 ** round(log2(max(wanted, 1e-6))))
    kind = b.weighted(power=5, odd=2, any=2)
    if kind == "power":
        return power
    if kind == "odd":
        odd = b.pick(*ODD_SCALES)
        return float(np.float32(odd * 2.0 ** round(log2(max(wanted, 1e-6) / odd))))
    return float(np.float32(power * b.rng.uniform(0.7, 1.4)))


def activation(b: Builder, x: Value, *, bits: int = USUAL_BITS, kind: str = "") -> Value:
    """`x` quantised, to `bits` at most, or rarely to many more."""
    if bits == USUAL_BITS and not kind and b.chance(0.05):
        return _quant(b, x, b.between(9, 16), least=9)
    kind = kind or b.weighted(bipolar=4, quant=9, thresholds=5, sign=1, qdq=2, comparison=0.1)
    if kind == "sign":
        b.tell("Sign")
        return _cut(b, x, [0.0], b.put("Sign", x, **_of(Grid(1.0, -1.0, 1.0))))
    if kind == "bipolar":
        return _bipolar(b, x)
    if kind == "comparison":
        return _comparison(b, x)
    if kind == "thresholds":
        return _thresholds(b, x, bits)
    if kind == "qdq" and b.opset >= 13:
        return _quantise_linear(b, x, bits)
    return _quant(b, x, bits)


def quant_of_scale(b: Builder, x: Value, scale: float) -> Value:
    """`x` quantised to 3 bits of a scale that others have as well."""
    bits = b.pick(2, 3, 3, 4)
    narrow = b.chance(0.5)
    low, high = -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    b.tell(f"Quant int{bits}{' narrow' * narrow} scale {scale:g}")
    names = [b.constant(np.reshape(value, b.pick((), (1,)))) for value in (scale, 0, bits)]
    grid = Grid(scale, low * scale, high * scale)
    return b.put("Quant", x, *names, signed=1, narrow=int(narrow), rounding_mode="ROUND", **_of(grid))


def _of(grid: Grid) -> dict[str, object]:
    """What is known of a tensor whose values are those of `grid`."""
    middle, width = (grid.low + grid.high) / 2, grid.high - grid.low
    return {
        "grid": grid,
        "mean": middle,
        "spread": width / 3.5,
        "unit": None,
        "bare": False,
        "flattened": False,
        "line": None,
    }


def _cut(b: Builder, x: Value, cuts: Sequence[float] | NDArray[np.float64], made: Value) -> Value:
    """Remembers where the network's first quantisers change."""
    if x.line is not None and x.line[0]:
        b.cuts += [(float(cut) - x.line[1]) / x.line[0] for cut in cuts]
    return made


def _bipolar(b: Builder, x: Value) -> Value:
    scale = 1.0 if b.chance(0.6) else scale_near(b, 0.5)
    values = np.float32(scale)
    if b.chance(0.02) and x.channels > 1:
        values = (scale * b.rng.choice([1.0, 2.0, 0.5], x.channels)).reshape(channel_shape(x)).astype(np.float32)
        _per_channel(b, values)
    b.tell(f"BipolarQuant {scale:g}")
    made = b.put("BipolarQuant", x, b.constant(values), **_of(Grid(2 * scale, -scale, scale)))
    return _cut(b, x, [0.0], made)


def _per_channel(b: Builder, values: NDArray[np.float32]) -> None:
    if np.ptp(values):
        b.traits.add("activation scale per channel")


def channel_shape(x: Value) -> tuple[int, ...]:
    """The shape in which one parameter per channel broadcasts."""
    shape = [1] * len(x.shape)
    shape[x.axis] = x.channels
    return tuple(shape)


def _quant(b: Builder, x: Value, most: int, least: int = 1) -> Value:
    bits = b.between(least, most) if b.chance(0.3) else b.between(max(2, least), most)
    signed = b.chance(0.6) if x.mean - x.spread < 0 else b.chance(0.2)
    narrow = b.chance(0.5) and not (bits == 1 and not signed)
    if bits == 1 and signed:
        scale = scale_near(b, x.power)
        b.tell("Quant of one signed bit")
        parameters = [b.constant(np.reshape(value, b.pick((), (1,)))) for value in (scale, 0, 1)]
        made = b.put("Quant", x, *parameters, signed=1, narrow=int(narrow), rounding_mode="ROUND",
                     **_of(Grid(2 * scale, -scale, scale)))  # fmt: skip
        return _cut(b, x, [0.0], made)
    low = -(1 << (bits - 1)) + narrow if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - narrow
    scale = scale_near(b, 3 * x.power / (high - low + 1))
    zero = float(b.between(low, high)) if b.chance(0.15) else 0.0
    rounding = b.pick(*ROUNDINGS) if b.chance(0.4) else "ROUND"
    shape: tuple[int, ...] = b.pick((), (1,))
    scales = np.full(shape, scale, np.float32)
    if b.chance(0.02) and x.channels > 1:
        scales = (scale * b.rng.choice([1.0, 2.0, 0.7], x.channels)).reshape(channel_shape(x)).astype(np.float32)
        _per_channel(b, scales)
    elif b.chance(0.1):  # one value, but in the shape of one per channel
        scales = np.full(channel_shape(x), scale, np.float32)
    op = b.pick("Quant", "Quant", "IntQuant")
    b.tell(f"{op} {'u' * (not signed)}int{bits}{' narrow' * narrow} {rounding} scale {scale:g} zero {zero:g}")
    made = b.put(
        op,
        x,
        b.constant(scales),
        b.constant(np.full(shape, zero)),
        b.constant(np.full(shape, bits)),
        signed=int(signed),
        narrow=int(narrow),
        rounding_mode=rounding,
        **_of(Grid(scale, (low - zero) * scale, (high - zero) * scale)),
    )
    codes = np.arange(2 * low - 1, 2 * high + 2) / 2  # halves of codes: cuts of every rounding
    return _cut(b, x, (codes - zero) * scale, made)


def _quantise_linear(b: Builder, x: Value, most: int) -> Value:
    """QuantizeLinear, perhaps a Clip to fewer bits than eight, and DequantizeLinear."""
    bits = b.between(2, most)
    signed = b.chance(0.6) if x.mean - x.spread < 0 else b.chance(0.2)
    element = np.int8 if signed else np.uint8
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    scale = scale_near(b, 3 * x.power / (high - low + 1))
    zero = b.between(low, high) if b.chance(0.3) else 0
    parameters = [b.constant(scale), b.net.constant(np.array(zero, element))]
    name = b.net.node("QuantizeLinear", x.name, *parameters)
    if bits < 8:
        name = b.net.node("Clip", name, *(b.net.constant(np.array(end, element)) for end in (low, high)))
    b.tell(f"QuantizeLinear and back, {'u' * (not signed)}int{bits} scale {scale:g} zero {zero}")
    grid = Grid(scale, (low - zero) * scale, (high - zero) * scale)
    made = replace(x, name=b.net.node("DequantizeLinear", name, *parameters), **_of(grid))
    codes = np.arange(2 * low - 1, 2 * high + 2) / 2
    return _cut(b, x, (codes - zero) * scale, made)


def _thresholds(b: Builder, x: Value, most: int) -> Value:
    steps = b.between(1, b.pick(1, 3, 7, min((1 << most) - 1, 120)))
    layout, rows = _layout(b, x)
    if x.flattened and rows > 1:
        b.traits.add("position")
    cuts = x.mean + x.spread * 1.3 * np.sort(b.rng.normal(0, 1, (rows, steps)), axis=1)
    grid = x.unit or (x.spread / 8 if b.chance(0.3) else None)
    if grid and b.chance(0.6):  # sums lie on the cuts
        cuts = np.rint(cuts / grid) * grid
    if b.chance(0.05):
        cuts = b.rng.permuted(cuts, axis=1)  # their order means nothing
    scale = b.pick(1.0, 1.0, 2.0, 0.5, scale_near(b, 1.0), -1.0)
    bias = b.pick(0.0, 0.0, -steps / 2 * scale, -(steps // 2) * scale, scale / 2)
    scale, bias = float(np.float32(scale)), float(np.float32(bias))
    b.tell(f"MultiThreshold {cuts.shape} scale {scale:g} bias {bias:g} {layout}")
    ends = sorted((bias, bias + steps * scale))
    attributes = {"data_layout": layout} if layout else {}
    made = b.put(
        "MultiThreshold",
        x,
        b.constant(cuts),
        out_dtype="INT8",
        out_scale=scale,
        out_bias=bias,
        **attributes,
        **_of(Grid(abs(scale), *ends)),
    )
    return _cut(b, x, cuts[0], made)


def _comparison(b: Builder, x: Value) -> Value:
    """Greater and its like, and what makes floats of the answers."""
    shape = b.pick((), channel_shape(x))
    cuts = x.mean + b.normal(shape, x.spread)
    if x.flattened and np.ptp(cuts):
        b.traits.add("position")
    op = b.pick("Greater", "Less") if b.opset < 12 else b.pick("Greater", "Less", "GreaterOrEqual", "LessOrEqual")
    b.traits.add("comparison")
    b.tell(op)
    found = b.put(op, x, b.constant(cuts))
    if b.chance(0.5):
        made = b.put("Cast", found, to=1, **_of(Grid(1.0, 0.0, 1.0)))
    else:
        name = b.net.node("Where", found.name, b.constant(1.0), b.constant(-1.0))
        made = replace(x, name=name, **_of(Grid(2.0, -1.0, 1.0)))
    return _cut(b, x, np.float64(cuts).reshape(-1)[:1], made)


def _layout(b: Builder, x: Value) -> tuple[str, int]:
    """A data layout, and how many rows of thresholds go with it: one, or one per channel."""
    axes = {1: ["N", "C"], 2: ["N", "W", "W"], 3: ["N", "H", "W", "W"]}[len(x.shape)]
    if x.is_map:
        axes = ["N", *("HW"[-len(x.spatial) :])]
        axes.insert(1 + x.axis % len(x.shape), "C")
    layout = "".join(axes)
    if b.chance(0.4):
        return b.pick(layout, ""), 1
    if b.chance(0.1) and x.is_map and x.line is None:
        # Rows along an axis that is not the channels'.
        other = {"NCHW": "NHWC", "NHWC": "NCHW", "NCW": "NWC", "NWC": "NCW"}[layout]
        size = x.shape[other.index("C") - 1]
        if size > 1:
            b.traits.add("position")
        return other, size
    # Without a layout, the last axis of three and the second of others.
    default = {1: 0, 2: 1, 3: 0}[len(x.shape)]
    return ("" if b.chance(0.5) and default == x.axis % len(x.shape) else layout), x.channels


@dataclass(frozen=True)
class Weight:
    """Constant weights.

    Parameters
    ----------
    name
        The tensor.
    unit
        The scale, if it is one for all.
    largest
        Largest magnitude of the integers.
    power
        Root of the mean square of the floats, roughly.
    """

    name: str
    unit: float | None
    largest: int
    power: float


def weights(b: Builder, shape: tuple[int, ...], axis: int) -> Weight:
    """Weights of `shape` with their outputs along `axis`, made by a quantiser or bare."""
    kind = b.weighted(
        bipolar=3, ternary=3, quant=4, bare_signs=2, bare_ternary=1, bare_whole=1, product=0.3, stored=1.5
    )
    per_output = b.chance(0.3)
    scale = scale_near(b, b.pick(1.0, 0.5, 0.25))
    scales = np.full(_row(shape, axis) if per_output else b.pick((), (1,)), scale, np.float32)
    if per_output:
        if b.chance(0.7):
            factors = b.rng.choice([0.25, 0.5, 1.0, 2.0], scales.shape)
        else:
            factors = b.rng.uniform(0.5, 2.0, scales.shape)
        scales = (scales * factors).astype(np.float32)
    single = None if np.ptp(scales) else float(scales.reshape(-1)[0])
    average = float(np.abs(scales).mean())
    b.tell(f"{kind} weights{' per output' * per_output} scale {scale:g}")
    if kind == "bipolar":
        name = b.net.node("BipolarQuant", b.constant(b.normal(shape, scale)), b.constant(scales))
        return Weight(name, single, 1, average)
    if kind == "stored" and b.opset >= 13:
        largest = b.pick(1, 7, 100)
        codes = _filled(b.rng.integers(-largest, largest + 1, shape), axis).astype(np.int8)
        along = {"axis": b.pick(axis, axis - len(shape))} if per_output else {}
        flat = np.reshape(scales, (-1,) if per_output else ())
        zeros = [b.net.constant(np.zeros(flat.shape, np.int8))] if b.chance(0.7) else []
        name = b.net.node("DequantizeLinear", b.net.constant(codes), b.constant(flat), *zeros, **along)
        return Weight(name, single, largest, average * 0.6 * largest)
    if kind in ("ternary", "quant", "stored"):
        bits = 2 if kind == "ternary" else b.pick(2, 3, 4, 4, 8)
        narrow = kind == "ternary" or b.chance(0.5)
        largest = (1 << (bits - 1)) - narrow
        raw = _filled(b.normal(shape, 0.6 * largest), axis, 1.2) * scales
        source = b.constant(raw)
        if b.chance(0.1):  # newer Brevitas stacks two
            wide = [b.constant(value) for value in (float(np.min(scales)) / 4, 0, 8)]
            source = b.net.node("Quant", source, *wide, signed=1, narrow=1, rounding_mode="ROUND")
        name = b.net.node(
            b.pick("Quant", "IntQuant"),
            source,
            b.constant(scales),
            b.constant(np.zeros(b.pick((), (1,)))),
            b.constant(np.full(b.pick((), (1,)), bits)),
            signed=1,
            narrow=int(narrow),
            rounding_mode=b.pick("ROUND", "ROUND", "FLOOR", "HALF_UP"),
        )
        return Weight(name, single, largest, average * 0.6 * largest)
    if kind == "bare_whole":
        return Weight(b.constant(_filled(b.rng.integers(-3, 4, shape), axis)), 1.0, 3, 2.0)
    signs = b.rng.integers(0, 2, shape) * 2 - 1 if kind != "bare_ternary" else b.rng.integers(-1, 2, shape)
    signs = _filled(signs, axis)
    if kind == "product":
        mask = b.constant(_filled(b.rng.integers(0, 2, shape), axis))
        return Weight(b.net.node("Mul", b.constant(signs * scale), mask), scale, 1, 0.6 * scale)
    if b.chance(0.5):
        return Weight(b.constant(signs), 1.0, 1, 0.8)
    return Weight(b.constant(signs * scales), single, 1, 0.8 * average)


def transposed(b: Builder, weight: Weight, *perm: int) -> Weight:
    """The same weights with their axes in another order, by a node of the file."""
    return replace(weight, name=b.net.node("Transpose", weight.name, perm=perm))


def _filled(values: NDArray[Any], axis: int, least: float = 1) -> NDArray[Any]:
    """`values` with one of at least this size for every output: a layer of zeros is no layer."""
    rows = np.moveaxis(np.array(values), axis, 0)
    for row in rows:
        if np.abs(row).max() < least:
            row[(0,) * row.ndim] = least
    return np.moveaxis(rows, 0, axis)


def _row(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(size if k == axis else 1 for k, size in enumerate(shape))
