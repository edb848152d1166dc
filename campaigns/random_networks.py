"""Random networks of integers, folded at random, and what they compute in plain numpy: for tests of the hardware.

`forward` shares no code with `bnnhw.reference`, so that a mistake there cannot hide one in the gateware.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType, IntegerRange
from bnnhw.dataflow import Network, Plan, planned
from bnnhw.dataflow.layers import (
    LOGIC,
    MAX_FRAMES,
    MULTIPLIERS,
    GroupedLayer,
    Layer,
    LayerPlan,
    LookupLayer,
    MatrixLayer,
    MatrixPlan,
)
from bnnhw.ir.bounds import reach
from bnnhw.ir.nodes import Dense, GroupedDense, Threshold

WEIGHTS = (BIPOLAR, TERNARY, DataType("uint", 2), DataType("int", 3), DataType("int", 8))
ACTIVATIONS = (BIPOLAR, TERNARY, DataType("uint", 1), DataType("uint", 2), DataType("int", 2), DataType("uint", 4))
MEMORY_KEYS = ("weight_memory", "buffer_memory", "threshold_memory", "window_memory", "scale_memory")
INPUTS = (*ACTIVATIONS, DataType("int", 8), DataType("uint", 3))


def random_values(rng: np.random.Generator, dtype: DataType, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Values of `dtype`, each as likely as any other."""
    if dtype.kind == "bipolar":
        return rng.integers(0, 2, shape) * 2 - 1
    return rng.integers(dtype.min, dtype.max + 1, shape)


def dense_layer(dense: Dense, threshold: Threshold | None, x: DataType, index: int = 0) -> MatrixLayer:
    """A layer that reads the one before it, number `index` of its network."""
    mh, mw = dense.weight.shape
    low, high = reach(dense.weight, x)
    return MatrixLayer(
        name=dense.name,
        inputs=(index - 1,),
        i_shapes=((mw,),),
        o_shape=(mh,),
        i_dtypes=(x,),
        format=threshold.dtype if threshold else IntegerRange(int(low.min()), int(high.max())),
        threshold=threshold,
        node=dense,
        window=None,
    )


def random_folding(
    rng: np.random.Generator, network: Network, *, most_cycles: int = 1 << 40, part: str = "ice40-hx8k"
) -> Plan:
    """As `random_plan`, for layers of all kinds, with memories at random; no layer takes much longer than it has to."""
    folded = []
    for layer in network.layers:
        tries: list[LayerPlan] = []
        while len(tries) < 30 and not (tries and tries[-1].cycles <= most_cycles):
            tries.append(_random_layer_folding(rng, layer))
        folded.append(min(tries, key=lambda plan: max(plan.cycles, most_cycles)))
    return plan_of(network, folded, part)


def _random_layer_folding(rng: np.random.Generator, layer: Layer) -> LayerPlan:
    plan = layer.unfolded()
    memories = {key: ["lut", "block"][rng.integers(2)] for key in MEMORY_KEYS}
    plan = replace(plan, **{key: memory for key, memory in memories.items() if key in plan.choices})
    if "multiplier" in plan.choices:
        plan = replace(plan, multiplier=MULTIPLIERS[rng.integers(2)])  # type: ignore[call-arg]
    if layer.multiplies and "threshold_memory" in plan.choices and rng.integers(2):
        plan = replace(plan, threshold_memory=["multiplier", "adders"][rng.integers(2)])  # type: ignore[call-arg]
    channels = math.gcd(*(shape[-1] for shape in layer.i_shapes))
    even = [n for n in range(1, channels + 1) if channels % n == 0]
    if isinstance(layer, GroupedLayer):
        chosen = list(layer.foldings(1 << 40, {}, 1))
        levels, latency = [None, 1, 2][rng.integers(3)], int(rng.integers(1, 3))
        return replace(plan, **chosen[rng.integers(len(chosen))], popcount_levels=levels, weight_latency=latency)
    if isinstance(layer, LookupLayer):
        return replace(plan, simd=int(rng.integers(1, layer.mw + 1)), popcount_levels=[None, 1, 2][rng.integers(3)])
    if not isinstance(layer, MatrixLayer):
        return replace(plan, pe=int(rng.choice([n for n in even if layer.fits(replace(plan, pe=n))])))
    lanes = int(rng.choice(even))
    assert isinstance(plan, MatrixPlan)
    pe, simd = int(rng.integers(1, layer.mh + 1)), int(rng.integers(1, layer.mw + 1))
    batch = int(rng.integers(1, 1 + min(3, layer.vectors if layer.vectors > 1 else MAX_FRAMES)))
    levels, latency = [None, 1, 2][rng.integers(3)], int(rng.integers(1, 3))
    plan = replace(plan, popcount_levels=levels, weight_latency=latency, batch=batch)
    if layer.window is not None and rng.integers(2):
        plan = replace(plan, window_rows=layer.window.geometry.kernel[0])
    if rng.integers(4) == 0:
        pe, simd = layer.mh, layer.mw
        plan = replace(plan, weight_memory=LOGIC, batch=1)
    return replace(plan, pe=pe, simd=simd, lanes=lanes if layer.windowed else 0)


def stacked(layers: list[MatrixLayer], scales: list[int] | None = None, biases: list[int] | None = None) -> Network:
    """Layers one behind the other; without `scales`, the integers are the scores."""
    classes, x = layers[-1].mh, layers[0].input
    return Network(
        "random", "", (layers[0].mw,), x, tuple(layers), scales or [1] * classes, biases or [0] * classes
    )  # fmt: skip


def random_layer(
    rng: np.random.Generator,
    name: str,
    mw: int,
    mh: int,
    weight: DataType,
    x: DataType,
    out: DataType | None,
    index: int = 0,
) -> MatrixLayer:
    """A layer with thresholds all over the reachable range and just outside, equal ones among them."""
    matrix = random_values(rng, weight, (mh, mw)).astype(np.int16)
    flip = np.zeros(mh, dtype=np.bool_)
    dense = Dense(name=name, inputs=("x",), output="acc", weight=matrix, weight_dtype=weight, flip=flip)
    if out is None:
        return dense_layer(dense, None, x, index)
    low, high = reach(matrix, x)
    offset, step = (-1, 2) if out.kind == "bipolar" else (out.min, 1)
    count = (out.max - offset) // step
    thresholds = np.sort([rng.integers(lo, hi + 2, count) for lo, hi in zip(low, high, strict=True)], axis=1)
    node = Threshold(
        name=f"{name}.t", inputs=("acc",), output="y", thresholds=thresholds, offset=offset, step=step, dtype=out
    )
    return dense_layer(dense, node, x, index)


def grouped_layer(
    rng: np.random.Generator,
    weight: DataType,
    x: DataType,
    out: DataType | None,
    groups: int,
    channels: int,
    outputs: int,
) -> GroupedLayer:
    """A layer of `groups` groups of `channels` inputs and `outputs` outputs each, otherwise as `random_layer`."""
    plain = random_layer(rng, "layer", channels, groups * outputs, weight, x, out)
    node = GroupedDense(**{part.name: getattr(plain.node, part.name) for part in fields(plain.node)}, groups=groups)
    return GroupedLayer(
        name=plain.name,
        inputs=plain.inputs,
        i_shapes=((groups * channels,),),
        o_shape=plain.o_shape,
        i_dtypes=plain.i_dtypes,
        format=plain.format,
        threshold=plain.threshold,
        node=node,
        window=None,
    )


def random_network(
    rng: np.random.Generator,
    sizes: list[int],
    *,
    weight: DataType,
    x: DataType,
    activation: DataType,
    affine: bool = False,
    quantised_output: bool = False,
) -> Network:
    """Layers of `sizes`; the last one gives integers, or codes with `quantised_output`."""
    layers = []
    for k, (mw, mh) in enumerate(zip(sizes, sizes[1:], strict=False)):
        last = k == len(sizes) - 2
        out = None if last and not quantised_output else activation
        layers.append(random_layer(rng, f"fc{k}", mw, mh, weight, x if k == 0 else activation, out, k))
    classes = sizes[-1]
    scales = [int(v) for v in rng.integers(-40, 50, classes)] if affine else [1] * classes
    biases = [int(v) for v in rng.integers(-99, 99, classes)] if affine else [0] * classes
    return stacked(layers, scales, biases)


def random_plan(
    rng: np.random.Generator, network: Network, *, memory: str = "lut", part: str = "ice40-hx8k", frames: int = 1
) -> Plan:
    """PE and SIMD anywhere from 1 to the whole layer, divisors or not; up to `frames` frames side by side."""
    levels = [None, 1, 2][rng.integers(3)]
    folded: list[MatrixPlan] = []
    for layer in network.layers:
        assert isinstance(layer, MatrixLayer)
        pe, simd = int(rng.integers(1, layer.mh + 1)), int(rng.integers(1, layer.mw + 1))
        # As often as not the same number as the layer before, whose frames then stay side by side.
        same = folded[-1].batch if folded and rng.integers(2) else int(rng.integers(1, frames + 1))
        latency = int(rng.integers(1, 3))
        folded.append(replace(layer_plan(layer, pe, simd, levels, memory), batch=same, weight_latency=latency))
    return plan_of(network, folded, part)


def layer_plan(layer: MatrixLayer, pe: int, simd: int, levels: int | None = None, memory: str = "lut") -> MatrixPlan:
    return replace(
        layer.unfolded(),
        pe=pe,
        simd=simd,
        weight_memory=memory,
        buffer_memory=memory,
        threshold_memory=memory,
        popcount_levels=levels,
    )


def plan_of(network: Network, layers: Sequence[LayerPlan], part: str = "ice40-hx8k") -> Plan:
    return planned(network, tuple(layers), board="", part=part, clock_mhz=12.0)


def forward(network: Network, x: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The last layer's integers (N, C) and the classes (N,) of input values (N, MW)."""
    value = x.astype(np.int64)
    for layer in network.layers:
        assert isinstance(layer, MatrixLayer)
        value = value @ layer.node.weight.T.astype(np.int64)
        node = layer.threshold
        if node is not None:
            count = (value[:, :, None] >= node.thresholds[None]).sum(axis=-1)
            value = np.broadcast_to(node.table, (layer.mh, node.table.shape[1]))[np.arange(layer.mh), count]
    scores = value * np.array(network.score_scales) + np.array(network.score_biases)
    return value, scores.argmax(axis=1)
