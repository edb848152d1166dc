"""Pools and pads."""

from __future__ import annotations

from dataclasses import replace
from math import prod, sqrt

import numpy as np

from tests.random_files.builder import Builder, Grid, Value
from tests.random_files.layers import out_sizes, window


def pool(b: Builder, x: Value, *, sums: bool = True) -> Value:
    """A pool of a map; one that adds only if `sums`."""
    kind = b.weighted(
        MaxPool=5,
        AveragePool=2 * sums,
        GlobalAveragePool=1 * sums,
        GlobalMaxPool=0.5,
        ReduceMean=0.5 * sums,
        ReduceSum=0.3 * sums,
    )
    first = x.axis % len(x.shape) == 0
    if "Max" not in kind and x.grid is None and not x.bare and x.line is None:
        b.traits.add("arithmetic before a mean")
    if not first:
        if len(x.shape) == 3 and kind == "MaxPool" and b.chance(0.6):
            return _max_pool_last(b, x)
        if kind in ("ReduceMean", "ReduceSum"):
            return _reduce(b, x, kind)
        # Standard pools have the channels first.
        rank = len(x.shape) + 1
        made = b.put("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)], shape=(x.channels, *x.spatial), axis=0)
        pooled = _pool(b, made, kind)
        shape = (*pooled.spatial, pooled.channels)
        return b.put("Transpose", pooled, perm=[0, *range(2, rank), 1], shape=shape, axis=len(shape) - 1)
    if sums and len(x.shape) == 3 and x.grid is not None and x.grid.step == 1 and b.chance(0.3):
        return _quantised_mean(b, x)
    return _reduce(b, x, kind) if kind.startswith("Reduce") else _pool(b, x, kind)


def _pool(b: Builder, x: Value, kind: str) -> Value:
    if kind == "GlobalMaxPool":
        b.tell(kind)
        return b.put(kind, x, shape=x.resized(*(1 for _ in x.spatial)))
    if kind == "GlobalAveragePool":
        b.tell(kind)
        return _mean(b.put(kind, x, shape=x.resized(*(1 for _ in x.spatial))), prod(x.spatial))
    kernel, strides, _, pads = window(b, x.spatial, True, 3)
    if b.chance(0.6):
        strides = [*kernel]
    padded = any(pads)
    options: dict[str, object] = {"kernel_shape": kernel, "strides": strides}
    options |= {"pads": pads} if padded or b.chance(0.3) else {}
    if kind == "AveragePool" and padded:
        if x.grid is not None and not x.grid.holds_zero:
            options["pads"] = pads = [0] * len(pads)
        elif b.chance(0.9):
            options["count_include_pad"] = 1
        else:
            b.traits.add("mean without padding")
    sizes = out_sizes(x.spatial, kernel, strides, pads)
    if b.opset >= 10 and not any(pads) and b.chance(0.15) and kind == "MaxPool":
        options["ceil_mode"] = 1
        sizes = [-(-(size - k) // s) + 1 for size, k, s in zip(x.spatial, kernel, strides, strict=True)]
        # A last window must begin inside the map.
        sizes = [n - ((n - 1) * s >= size) for n, s, size in zip(sizes, strides, x.spatial, strict=True)]
    b.tell(f"{kind} {options}")
    made = b.put(kind, x, shape=x.resized(*sizes), **options)
    return _mean(made, prod(kernel)) if kind == "AveragePool" else made


def _max_pool_last(b: Builder, x: Value) -> Value:
    size = min(2, *x.spatial)
    b.tell("MaxPoolNHWC")
    sizes = [(whole - size) // size + 1 for whole in x.spatial]
    options = {"kernel_shape": [size, size], "strides": [size, size], "pads": [0, 0, 0, 0]}
    return b.put("MaxPoolNHWC", x, shape=x.resized(*sizes), **options)


def _quantised_mean(b: Builder, x: Value) -> Value:
    """qonnx's QuantAvgPool2d: a sum of integers that is shifted right."""
    assert x.grid is not None
    size = min(*x.spatial, b.pick(1, 2, 3))
    stride = b.between(1, size)
    wide = x.grid.bits
    narrow = max(2, b.between(wide - 1, wide + 2))
    shift = max(0, (((1 << wide) - 1) * size**2).bit_length() - narrow)
    low, high = (int(np.floor(end * size**2 / (1 << shift))) for end in (x.grid.low, x.grid.high))
    if x.grid.low != round(x.grid.low):
        return x
    if b.maker(x) not in ("Quant", "IntQuant", "BipolarQuant", "MultiThreshold"):
        b.traits.add("pool of integers behind arithmetic")
    b.tell(f"QuantAvgPool2d {size} {stride} from {wide} to {narrow} bits")
    sizes = [(whole - size) // stride + 1 for whole in x.spatial]
    grid, signed = Grid(1.0, low, high), int(x.grid.low < 0)
    return b.put(
        "QuantAvgPool2d", x, kernel=size, stride=stride, ibits=wide, obits=narrow, signed=signed, data_layout="NCHW",
        shape=x.resized(*sizes), grid=grid, mean=(low + high) / 2, spread=(high - low) / 3.5 or 1.0,
    )  # fmt: skip


def _reduce(b: Builder, x: Value, op: str) -> Value:
    """Over rows and columns; with the axes kept, so that it stays a map."""
    first = x.axis % len(x.shape) == 0
    axes = list(range(2, 2 + len(x.spatial))) if first else list(range(1, 1 + len(x.spatial)))
    b.tell(f"{op} {axes}")
    shape = x.resized(*(1 for _ in axes))
    if op == "ReduceSum" and b.opset >= 13:
        made = b.put(op, x, b.whole(*axes), keepdims=1, shape=shape)
    else:
        made = b.put(op, x, axes=axes, keepdims=1, shape=shape)
    count = prod(x.spatial)
    mean = _mean(made, count)
    if op == "ReduceMean":
        return mean
    grid = None if x.grid is None else Grid(x.grid.step, x.grid.low * count, x.grid.high * count)
    return replace(mean, grid=grid, unit=x.unit, mean=x.mean * count, spread=mean.spread * count)


def _mean(x: Value, taps: int) -> Value:
    grid = None
    if x.grid is not None:
        grid = Grid(x.grid.step / taps, x.grid.low, x.grid.high)
    unit = None if x.unit is None else x.unit / taps
    return replace(x, grid=grid, unit=unit, reach=x.reach * taps, spread=x.spread / sqrt(taps))


def pad(b: Builder, x: Value, value: float = 0.0) -> Value:
    """A Pad of rows and columns with one value."""
    begins, ends = [0] * (len(x.shape) + 1), [0] * (len(x.shape) + 1)
    sizes = list(x.shape)
    for axis in range(len(x.shape)):
        if axis != x.axis % len(x.shape):
            begins[axis + 1], ends[axis + 1] = b.between(0, 1), b.between(0, 1)
            sizes[axis] += begins[axis + 1] + ends[axis + 1]
    b.tell(f"Pad {begins} {ends} with {value:g}")
    b.traits.add("padding")
    known = {"shape": tuple(sizes)}
    if x.grid is not None:
        known["grid"] = Grid(x.grid.step, min(x.grid.low, value), max(x.grid.high, value))  # type: ignore[assignment]
    if b.opset < 11:
        return b.put("Pad", x, pads=begins + ends, value=float(value), mode="constant", **known)
    inputs = [b.whole(*begins, *ends)]
    if value or b.chance(0.5):
        inputs.append(b.net.constant(np.array(value, np.float32)))
    return b.put("Pad", x, *inputs, **({"mode": "constant"} if b.chance(0.5) else {}), **known)
