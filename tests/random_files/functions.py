"""Functions that rise and fall, and quantisers of unequal levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.random_files.builder import Builder, Grid, Value


def function(b: Builder, x: Value) -> Value:
    """Abs, HardSwish, SiLU or GELU of `x`, in one operator or several."""
    kind = b.weighted(Abs=2, HardSwish=1, SiLU=1.5, GELU=1)
    b.tell(kind)
    if kind == "Abs":
        name = b.net.node("Abs", x.name)
    elif kind == "HardSwish" and b.opset >= 14:
        name = b.net.node("HardSwish", x.name)
    elif kind == "HardSwish":
        gate = b.net.node("HardSigmoid", x.name, alpha=1 / 6, beta=0.5)
        name = b.net.node("Mul", x.name, gate)
    elif kind == "SiLU":
        gate = b.net.node("Sigmoid", x.name)
        name = b.net.node("Mul", *b.pick((x.name, gate), (gate, x.name)))
    else:
        gate = b.net.node("Erf", b.net.node("Div", x.name, b.constant(2**0.5)))
        scaled = b.net.node("Mul", x.name, b.net.node("Add", gate, b.constant(1.0)))
        name = b.net.node("Mul", scaled, b.constant(0.5))
    mean = x.power * 0.8 if kind == "Abs" else max(x.mean, 0.0) + x.spread * 0.4
    return replace(x, name=name, mean=mean, spread=x.power * 0.6, unit=None, bare=False)


def unequal(b: Builder, x: Value) -> Value:
    """A quantiser of unequal levels: a sum of steps of different heights, all of them whole multiples of one number."""
    count = b.between(2, 4)
    heights = b.rng.integers(1, 6, count)
    unit = float(np.float32(b.pick(1.0, 0.25, 0.538, b.rng.uniform(0.1, 1))))
    cuts = np.sort(x.mean + x.spread * b.normal((count,)))
    b.tell(f"steps of {heights.tolist()} x {unit:g}")
    steps = [
        b.put("MultiThreshold", x, b.constant([[cut]]), out_dtype="INT8", out_scale=float(height * unit))
        for cut, height in zip(cuts, heights, strict=True)
    ]
    name = b.net.node("Sum", *(step.name for step in steps))
    highest = float(heights.sum() * unit)
    grid = Grid(unit, 0.0, highest)
    return replace(
        x, name=name, grid=grid, mean=highest / 2, spread=highest / 3, unit=None, bare=False, flattened=False
    )
