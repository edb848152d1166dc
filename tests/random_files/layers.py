"""Layers with weights: MatMul and Gemm, Conv in each layout, and qonnx's lowered convolutions."""

from __future__ import annotations

from dataclasses import replace
from math import prod, sqrt

import numpy as np

from tests.onnx_models import CHANNELS_LAST
from tests.random_files.builder import Builder, Grid, Value
from tests.random_files.quantisers import Weight, scale_near, transposed, weights


def layer(b: Builder, x: Value, outputs: int) -> Value:
    """A layer that fits `x`, which is quantised."""
    return conv(b, x, outputs) if x.is_map else dense(b, x, outputs)


def dense(b: Builder, x: Value, outputs: int, *, bare: bool = False) -> Value:
    """MatMul or Gemm on vectors, or along the channels of maps that have them last; weights lie either way.

    A `bare` one has no bias.
    """
    inputs = x.channels
    if x.grid == Grid(1.0, 0.0, 1.0) and not x.is_map and b.chance(0.4):
        return _agreeing_bits(b, x, outputs)
    kind = b.weighted(MatMul=5, Gemm=3 * (not x.is_map and not (bare and b.opset < 11)))
    if kind == "MatMul":
        if b.chance(0.5):
            weight = transposed(b, weights(b, (outputs, inputs), 0), 1, 0)
        else:
            weight = weights(b, (inputs, outputs), 1)
        b.tell(f"MatMul {inputs} -> {outputs}")
        return sums(x, weight, inputs, (*x.shape[:-1], outputs), b.net.node("MatMul", x.name, weight.name))
    if b.chance(0.6):
        weight, options = weights(b, (outputs, inputs), 0), {"transB": 1}
    else:
        weight, options = weights(b, (inputs, outputs), 1), {}
    alpha = 1.0 if b.chance(0.7) else float(np.float32(b.pick(1.0, -1.0) * scale_near(b, 0.5)))
    beta = 1.0 if b.chance(0.7) else float(np.float32(b.rng.uniform(-2, 2)))
    settings = {**options, **({"alpha": alpha} if alpha != 1 else {}), **({"beta": beta} if beta != 1 else {})}
    biased = b.opset < 11 or (not bare and b.chance(0.6))  # older operator sets ask for it
    names = [weight.name]
    power = x.power * weight.power * sqrt(inputs)
    if biased:
        names.append(b.constant(b.normal(b.pick((outputs,), (1, outputs), (), (1,)), power)))
    b.tell(f"Gemm {inputs} -> {outputs} {settings}{' bias' * biased}")
    made = sums(x, weight, inputs, (outputs,), b.net.node("Gemm", x.name, *names, **settings), factor=alpha)
    return replace(made, unit=None, bare=False) if biased else made


def _agreeing_bits(b: Builder, x: Value, outputs: int) -> Value:
    """FINN's product of bits."""
    bits = Weight(b.constant(b.rng.integers(0, 2, (x.channels, outputs))), 1.0, 1, 1.0)
    b.tell(f"XnorPopcountMatMul {x.channels} -> {outputs}")
    made = b.put("XnorPopcountMatMul", x, bits.name, shape=(outputs,))
    return replace(sums(x, bits, x.channels, (outputs,), made.name), bare=False, unit=1.0, mean=x.channels / 2)


def conv(b: Builder, x: Value, outputs: int) -> Value:
    """A convolution of a map or a sequence, by what suits its layout."""
    if x.axis % len(x.shape) == 0:
        return _conv(b, x, outputs)
    kind = b.weighted(
        last=2 * (len(x.shape) == 3), transposes=3, columns=2 * (len(x.shape) == 3 and min(x.spatial) > 1), dense=2
    )
    if kind == "dense":
        return dense(b, x, outputs)
    if kind == "columns":
        return _columns(b, x, outputs)
    if kind == "last":
        return _conv(b, x, outputs)
    rank = len(x.shape) + 1
    first = b.put("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)], shape=(x.channels, *x.spatial), axis=0)
    made = _conv(b, first, outputs)
    shape = (*made.spatial, made.channels)
    return b.put("Transpose", made, perm=[0, *range(2, rank), 1], shape=shape, axis=len(shape) - 1)


def _conv(b: Builder, x: Value, outputs: int) -> Value:
    assert x.grid is not None
    last = x.axis % len(x.shape) != 0
    group = 1
    if b.chance(0.25):
        group = x.channels if b.chance(0.5) else b.pick(1, 2, 3)
        group = group if x.channels % group == 0 else 1
        outputs = max(1, outputs // group) * group
    kernel, strides, dilations, pads = window(b, x.spatial, x.grid.holds_zero)
    inputs = x.channels // group
    shape = (outputs, *kernel, inputs) if last else (outputs, inputs, *kernel)
    weight = weights(b, shape, 0)
    options: dict[str, object] = {"group": group} if group > 1 or b.chance(0.5) else {}
    options |= {"kernel_shape": kernel} if b.chance(0.8) else {}
    options |= {"strides": strides} if max(strides) > 1 or b.chance(0.5) else {}
    options |= {"dilations": dilations} if max(dilations) > 1 or b.chance(0.5) else {}
    extents = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    if not last and x.grid.holds_zero and max(dilations) == 1 and b.chance(0.1):
        rule = b.pick("SAME_UPPER", "SAME_LOWER", "VALID")
        options["auto_pad"] = rule
        spatial = [
            -(-size // step) if rule != "VALID" else (size - extent) // step + 1
            for size, step, extent in zip(x.spatial, strides, extents, strict=True)
        ]
    else:
        options |= {"pads": pads} if any(pads) or b.chance(0.5) else {}
        spatial = out_sizes(x.spatial, extents, strides, pads)
    if last:
        options = {
            "kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads, "group": group,
            "domain": CHANNELS_LAST,
        }  # fmt: skip
    fan = inputs * prod(kernel)
    names = [weight.name]
    biased = b.chance(0.25)
    if biased:
        names.append(b.constant(b.normal((outputs,), x.power * weight.power * sqrt(fan))))
    b.tell(f"Conv {x.shape} -> {outputs} {options}{' bias' * biased}")
    sizes = [*spatial]
    sizes.insert(x.axis % len(x.shape) if last else 0, outputs)
    made = sums(x, weight, fan, tuple(sizes), b.net.node("Conv", x.name, *names, **options))
    return replace(b.told(made), unit=None, bare=False) if biased else b.told(made)


def _columns(b: Builder, x: Value, outputs: int) -> Value:
    """FINN's lowered convolution: Im2Col, whose vectors a MatMul multiplies."""
    assert x.grid is not None
    kernel, strides, dilations, pads = window(b, x.spatial, x.grid.holds_zero)
    extents = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    sizes = out_sizes(x.spatial, extents, strides, pads)
    fan = x.channels * prod(kernel)
    b.tell(f"Im2Col {x.shape} {kernel} {strides} {dilations} {pads}")
    made = b.put(
        "Im2Col",
        x,
        kernel_size=kernel,
        stride=strides,
        pad_amount=pads,
        dilations=dilations,
        input_shape=str((1, *x.shape)),
        shape=(*sizes, fan),
    )
    weight = weights(b, (fan, outputs), 1)
    return sums(x, weight, fan, (*sizes, outputs), b.net.node("MatMul", made.name, weight.name))


def window(
    b: Builder, sizes: tuple[int, ...], padded: bool, most: int = 3
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Kernel, strides, dilations and pads of windows that fit a map."""
    axes = len(sizes)
    kernel = [min(b.pick(1, 2, 3, 3, 3), size, most) for size in sizes]
    if b.chance(0.15):
        kernel = [1] * axes
    pads = [0] * (2 * axes)
    if padded and max(kernel) > 1 and b.chance(0.45):
        pads = [kernel[k % axes] // 2 for k in range(2 * axes)]
        if b.chance(0.3):  # of different widths on each side
            pads = [b.between(0, kernel[k % axes] - 1) for k in range(2 * axes)]
    strides = [b.pick(1, 1, 1, 2) for _ in sizes] if b.chance(0.4) else [1] * axes
    dilations = [1] * axes
    if b.chance(0.12):
        dilations = [
            2 if 2 * (size - 1) + 1 <= whole + pads[k] + pads[k + axes] else 1
            for k, (size, whole) in enumerate(zip(kernel, sizes, strict=True))
        ]
    return kernel, strides, dilations, pads


def out_sizes(sizes: tuple[int, ...], extents: list[int], strides: list[int], pads: list[int]) -> list[int]:
    """How many windows there are along each axis."""
    axes = len(sizes)
    return [
        (size + pads[k] + pads[k + axes] - extent) // step + 1
        for k, (size, extent, step) in enumerate(zip(sizes, extents, strides, strict=True))
    ]


def sums(x: Value, weight: Weight, fan: int, shape: tuple[int, ...], name: str, factor: float = 1.0) -> Value:
    """What is known of a layer's bare sums."""
    assert x.grid is not None
    step = x.grid.step if abs(x.grid.low / x.grid.step - round(x.grid.low / x.grid.step)) < 1e-3 else x.grid.step / 2
    return Value(
        name,
        shape,
        x.axis,
        mean=0.0,
        spread=x.power * weight.power * sqrt(fan) * abs(factor),
        unit=None if weight.unit is None else abs(weight.unit * step * factor),
        bare=True,
        reach=fan * weight.largest * x.grid.largest,
    )
