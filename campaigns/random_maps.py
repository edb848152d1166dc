"""Random convolutional networks, as an importer gives them: forks and joins, pads, pools, strides, all formats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import (
    Activation,
    Arithmetic,
    BipolarQuant,
    Clip,
    Concat,
    Conv,
    Gather,
    Lookup,
    MatMul,
    MaxPool,
    MultiThreshold,
    Node,
    Pad,
    Quant,
    Reshape,
    Slice,
    Sum,
    SumPool,
    Transpose,
)
from bnnhw.ir.shapes import infer
from bnnhw.ir.spec import verify

WEIGHTS = (BIPOLAR, TERNARY, DataType("int", 3))
# Of a network, as likely as they are listed.
BLOCKS = ("plain", "plain", "pool first", "pool", "residual", "concat", "grouped")
UNNAMED: dict[str, Any] = {"name": "", "inputs": (), "output": ""}


class Maker:
    """A graph in the making; `shape` is that of a tensor by name."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        self.rng = rng
        self.nodes: list[Node] = []
        self.tensors = {"x": TensorType(shape)}

    def add(self, node: Node, *inputs: str) -> str:
        k = len(self.nodes)
        node = replace(node, name=f"n{k}", inputs=inputs, output=f"t{k}")
        self.tensors[node.output] = infer(node, *(self.tensors[name] for name in inputs))
        self.nodes.append(node)
        return node.output

    def shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name].shape

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def graph(self, output: str) -> Graph:
        return verify(Graph("random", "x", tuple(self.nodes), self.tensors, {"outputs": output}), "imported")

    # ---- blocks --------------------------------------------------------------------------------

    def quantiser(self, name: str, kind: str | None = None) -> str:
        """Scales are powers of two, so that sums of floats are exact."""
        scale = np.float32(self.pick(0.5, 1.0, 2.0))
        if self.chance(0.2):
            # It falls and rises, and in channels of a factor below 0 it rises and falls.
            turned = Activation(**UNNAMED, function="abs", alpha=np.ones((), np.float32))
            name = self.normalisation(self.add(turned, name), 2.0)
        kind = kind or self.pick(*2 * ("bipolar", "ternary", "uint2", "int3"), "int10", "int5")
        if kind == "bipolar":
            return self.add(BipolarQuant(**UNNAMED, scale=scale), name)
        if kind == "uint2":
            name = self.add(Clip(**UNNAMED, low=0.0, high=np.inf), name)
        if kind == "int10" and self.chance(0.5):
            slopes = self.rng.choice([0.0, 0.25, 0.7], self.shape(name)[-1]).astype(np.float32)
            name = self.add(Activation(**UNNAMED, function="leaky_relu", alpha=slopes), name)
        bits = {"ternary": 2, "uint2": 2, "int3": 3, "int5": 5, "int10": 10}[kind]
        rounding = self.pick("ROUND", "ROUND_TO_ZERO", "CEIL") if bits > 3 else "ROUND"
        node = Quant(
            **UNNAMED, scale=scale / np.float32(16 if bits > 3 else 1), zero_point=np.float32(0), bits=bits,
            signed=kind != "uint2", narrow=kind == "ternary", rounding=rounding,
        )  # fmt: skip
        return self.add(node, name)

    def normalisation(self, name: str, spread: float) -> str:
        """A factor of either sign and an addend for each channel."""
        channels = self.shape(name)[-1]
        factor = self.rng.normal(0, 1, channels) * 2 / spread
        name = self.add(Arithmetic(**UNNAMED, operation="mul", operand=factor.astype(np.float32)), name)
        addend = self.rng.normal(0, 0.7, channels).astype(np.float32)
        return self.add(Arithmetic(**UNNAMED, operation="add", operand=addend), name)

    def weights(self, shape: tuple[int, ...]) -> dict[str, Any]:
        dtype = self.pick(*WEIGHTS)
        codes = self.rng.integers(0, 1 << dtype.bits, shape)
        scale = self.pick(np.array(1.0), np.array(-0.5), self.rng.choice([0.5, 1.0, -1.0], shape[0]))
        return {"weight": dtype.decode(codes).astype(np.int16), "weight_dtype": dtype, "weight_scale": scale}

    def convolution(
        self, name: str, channels: int, kernel: tuple[int, int] | None = None, same: bool = False, groups: int = 1
    ) -> str:
        height, width, before = self.shape(name)
        kernel = kernel or (int(self.rng.integers(1, min(3, height) + 1)), int(self.rng.integers(1, min(3, width) + 1)))
        strides, dilations = (1, 1), (1, 1)
        if not same and self.chance(0.3):
            strides = (self.pick(1, 2), self.pick(1, 2, 3))
        if not same and height >= 5 and width >= 5 and self.chance(0.3):
            dilations = (self.pick(1, 2), self.pick(1, 2))
        pads = (0, 0, 0, 0)
        if same:
            pads = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2, kernel[0] // 2, kernel[1] // 2)
        elif self.chance(0.3):
            pads = tuple(int(v) for v in self.rng.integers(0, 3, 4))  # type: ignore[assignment]
        if any(pads):
            name = self.add(Pad(**UNNAMED, pads=pads, value=0.0), name)
        inputs = before // groups
        spread = np.sqrt(kernel[0] * kernel[1] * inputs)
        geometry = Geometry(kernel, strides, dilations)
        node = Conv(**UNNAMED, **self.weights((channels, *kernel, inputs)), geometry=geometry, groups=groups)
        return self.normalisation(self.add(node, name), float(spread))

    def pool(self, name: str) -> str:
        height, width, _ = self.shape(name)
        kernel = (int(self.rng.integers(1, min(3, height) + 1)), int(self.rng.integers(1, min(3, width) + 1)))
        geometry = Geometry(kernel, kernel if self.chance(0.6) else (self.pick(1, 2), self.pick(1, 2)))
        if self.chance(0.3):
            return self.add(SumPool(**UNNAMED, geometry=geometry), name)
        if min(kernel) > 1 and self.chance(0.5):
            name = self.add(Pad(**UNNAMED, pads=(0, 1, 1, 0), value=-np.inf), name)
        return self.add(MaxPool(**UNNAMED, geometry=geometry, minimum=np.zeros((), np.bool_)), name)

    def residual(self, name: str, kind: str) -> str:
        """A branch of one or two convolutions, added to the way past it."""
        channels = self.shape(name)[-1]
        branch = self.quantiser(self.convolution(name, channels, (3, 3), same=True), kind)
        if self.chance(0.5):
            branch = self.quantiser(self.convolution(branch, channels, (self.pick(1, 3), 2), same=True), kind)
        made = self.add(Sum(**UNNAMED, coefficients=np.ones((2, 1), np.int64)), branch, name)
        return self.quantiser(self.normalisation(made, 2.0))

    def separable(self, name: str) -> str:
        """A convolution in groups, of one channel each or more, and one of single pixels that joins them."""
        before = self.shape(name)[-1]
        groups = self.pick(*(n for n in range(1, before + 1) if before % n == 0 and (n > 1 or before == 1)))
        name = self.quantiser(self.convolution(name, groups * self.pick(1, 1, 2, 4), groups=groups))
        return self.convolution(name, int(self.rng.integers(2, 7)), (1, 1), same=True)

    def concatenation(self, name: str) -> str:
        kind = self.pick("bipolar", "ternary")
        parts = []
        for kernel in ((1, 1), (3, 2)):
            made = self.convolution(name, int(self.rng.integers(1, 4)), kernel, same=True)
            parts.append(self.add(BipolarQuant(**UNNAMED, scale=np.float32(1)), made))
        assert kind
        return self.add(Concat(**UNNAMED), *parts)

    def tables(self, name: str) -> str:
        """Layers of tables, behind comparisons of some elements of a vector with thresholds."""
        (size,) = self.shape(name)
        places = self.rng.integers(0, size, int(self.rng.integers(3, 20)))
        cuts = self.rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], (1, len(places))).astype(np.float32)
        name = self.add(Gather(**UNNAMED, places=places), name)
        falls = self.chance(0.2)
        node = MultiThreshold(**UNNAMED, thresholds=cuts, out_scale=-1.0 if falls else 1.0, out_bias=float(falls))
        name = self.add(node, name)
        for _ in range(int(self.rng.integers(1, 3))):
            nodes, k = int(self.rng.integers(4, 16)), int(self.rng.integers(1, 7))
            wiring = self.rng.integers(0, self.shape(name)[0], (nodes, k))
            tables = self.rng.integers(0, 2, (nodes, 1 << k)).astype(np.bool_)
            name = self.add(Lookup(**UNNAMED, wiring=wiring, tables=tables), name)
        return name

    def part(self, name: str) -> str:
        """A range of rows, columns or channels, or every other one."""
        axes = []
        for size in self.shape(name):
            start, step = int(self.rng.integers(0, 2)), self.pick(1, 1, 2)
            wanted = np.zeros(size, np.bool_)
            wanted[(start if size > 2 else 0) : size : step] = True
            axes.append(wanted)
        kept = axes[0][:, None, None] & axes[1][:, None] & axes[2]
        return name if kept.all() else self.add(Slice(**UNNAMED, kept=kept), name)


def random_map_network(rng: np.random.Generator, blocks: tuple[str, ...] = BLOCKS) -> Graph:
    """A network of one to four of `blocks` and a classifier; small enough to be simulated in a second."""
    shape = (int(rng.integers(1, 4)), int(rng.integers(3, 9)), int(rng.integers(3, 9)))
    make = Maker(rng, shape)
    name = make.quantiser("x", make.pick("bipolar", "ternary", "int3"))
    name = make.add(Transpose(**UNNAMED, perm=(1, 2, 0)), name)
    for _ in range(int(rng.integers(1, 4))):
        block = make.pick(*blocks)
        if block == "residual":
            name = make.residual(name, "ternary")
        elif block == "concat":
            name = make.concatenation(name)
        elif block == "grouped":
            name = make.quantiser(make.separable(name))
        else:
            name = make.convolution(name, int(rng.integers(1, 7)))
            if block == "pool first":
                height, width, _ = make.shape(name)
                kernel = (min(2, height), min(2, width))
                node = MaxPool(**UNNAMED, geometry=Geometry(kernel, kernel), minimum=np.zeros((), np.bool_))
                name = make.add(node, name)
            name = make.quantiser(name)
            if block == "pool":
                name = make.quantiser(make.normalisation(make.pool(name), 2.0))
    if make.chance(0.3):
        name = make.part(name)
    height, width, channels = make.shape(name)
    if make.chance(0.5):
        name = make.add(Transpose(**UNNAMED, perm=(2, 0, 1)), name)
    name = make.add(Reshape(**UNNAMED, shape=(height * width * channels,)), name)
    node = MatMul(**UNNAMED, **make.weights((4, height * width * channels)))
    if make.chance(0.2):
        name = make.tables(name)
        node = MatMul(**UNNAMED, **make.weights((4, *make.shape(name))))
    return make.graph(make.add(replace(node, weight_scale=np.array(1.0)), name))
