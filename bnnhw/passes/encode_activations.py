"""Turns quantised float activations into integers: every layer then works on integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, DataType, Float32, Integers
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import QUANTISERS, apply, code_range
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import (
    Arithmetic,
    BipolarQuant,
    Clip,
    Concat,
    Conv,
    Dense,
    Dequant,
    Encode,
    MatMul,
    MaxPool,
    MultiThreshold,
    Node,
    Pad,
    Quant,
    Reshape,
    Sum,
    SumPool,
    Transpose,
    Window,
)
from bnnhw.passes.levels import Levels, spaced
from bnnhw.passes.rewrite import Builder, label

MOST_BITS = 8  # of an activation that a layer multiplies
MOST_INPUT_BITS = 16  # of the network's input
NOT_QUANTISED = "its input is not quantised; put a quantiser before it, or state the format of the network's input"
MOST_RATIO = 128  # between the scales of tensors that are added


def run(graph: Graph) -> Graph:
    """Each layer works on integers: Encode where values of a quantiser become such, Dequant where floats go on.

    The values that reach a layer are the levels of the last quantiser before it (or of the declared input format), put
    through the elementwise operations in between. They must be whole multiples, or half-odd ones, of one step.
    A Conv becomes Window and Dense, a MatMul Dense; pools, sums and joins stay what they are, on integers.

    Raises
    ------
    ModelError
        With every layer whose input is not quantised, not evenly spaced, or too wide.
    """
    return _Encoder(graph).run()


@dataclass(frozen=True, eq=False)
class _Coded:
    """An integer tensor that stands for ``tensor * scale``; sums of a layer are not quantised."""

    tensor: str
    scale: NDArray[np.float64]
    quantised: bool = True


class _Encoder:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._new = Builder(graph)
        self._floats = {graph.input: graph.input}
        self._coded: dict[str, _Coded] = {}
        self._levels: dict[str, NDArray[np.float32]] = {}
        self._why: dict[str, str] = {}  # there are no levels
        self._pads: dict[str, Pad] = {}
        self._after = {graph.input: False}  # a layer with weights
        self._problems: list[str] = []
        self._later, self._padding = _looking_back(graph)
        if graph.input_format is not None:
            self._levels[graph.input] = _values(graph.input_format)

    def run(self) -> Graph:
        for node in self._graph.nodes:
            self._after[node.output] = isinstance(node, (MatMul, Conv)) or any(self._after[n] for n in node.inputs)
            try:
                self._translate(node)
            except ModelError as error:
                text = str(error)
                self._problems.append(text if label(node) in text else f"{label(node)}: {text}")
                self._fail(node)
        if self._problems:
            raise ModelError(
                f"model {self._graph.name}: activations that do not become integers", tuple(self._problems)
            )
        return self._new.graph({role: self._float(name) for role, name in self._graph.outputs.items()})

    def _fail(self, node: Node) -> None:
        """Goes on after a refused `node` as if its output were there, to find what else is wrong."""
        made = f"{node.output}.refused"
        self._new.tensors[made] = self._graph.tensors[node.output]
        self._floats[node.output] = made

    def _translate(self, node: Node) -> None:
        if isinstance(node, (MatMul, Conv)):
            self._layer(node)
        elif isinstance(node, Pad):
            self._pads[node.output] = node
        elif isinstance(node, (MaxPool, SumPool)) and self._on_integers(node):
            self._pool(node)
        elif isinstance(node, Sum) and self._on_integers(node):
            self._sum(node)
        elif isinstance(node, Concat) and self._on_integers(node):
            self._concat(node)
        elif isinstance(node, Reshape) and self._after[node.output] and self._quantised(node.inputs[0]):
            coded = self._integers(node.inputs[0], node)
            self._coded[node.output] = replace(coded, tensor=self._new.add(node, coded.tensor))
            self._keep_levels(node)
        else:
            self._software(node)

    # ---- the parts of a network ----------------------------------------------------------------

    def _software(self, node: Node) -> None:
        """What stays on floats: elementwise operations and layout, until thresholds replace them or for good."""
        if any(name in self._pads for name in node.inputs):
            raise ModelError(f"padding of {node.inputs[0]!r} is followed by {node.op}; pad right before a convolution")
        self._floats[node.output] = self._new.add(node, *(self._float(name) for name in node.inputs))
        try:
            found = _through(node, self._levels.get(node.inputs[0]))
        except ModelError as error:
            self._why[node.output] = f"{label(node)}: {error}"
        else:
            self._why[node.output] = self._why.get(node.inputs[0], NOT_QUANTISED)
            if found is not None:
                self._levels[node.output] = found
        if isinstance(node, QUANTISERS) and self._after[node.output] and not self._later[node.output]:
            # The last quantiser after the last layer: its codes are what the hardware gives.
            self._integers(node.output, node)
            del self._floats[node.output]

    def _layer(self, node: MatMul | Conv) -> None:
        source, pads, value = self._unpadded(node.inputs[0])
        coded = self._integers(source, node)
        dtype = self._new.tensors[coded.tensor].format
        if isinstance(dtype, Float32) or not coded.quantised:
            raise ModelError(NOT_QUANTISED)
        most = MOST_BITS if self._after[source] else MOST_INPUT_BITS
        if dtype.bits > most:
            raise ModelError(
                f"its input has {dtype.bits} bits; at most {most} are possible here, so quantise it further"
            )
        weight, tensor = node.weight.reshape(len(node.weight), -1), coded.tensor
        if isinstance(node, Conv):
            geometry = replace(node.geometry, pads=pads)
            if not geometry.pointwise:
                fill = self._code(value, coded, dtype) if any(pads) else dtype.min
                name = f"{node.name}.windows"
                window = Window(name=name, inputs=(), output=name, source=node.source, geometry=geometry, fill=fill)
                tensor = self._new.add(window, tensor)
        dense = Dense(
            name=node.name,
            inputs=(),
            output=f"{node.name}.accumulator",
            source=node.source,
            weight=weight,
            weight_dtype=node.weight_dtype,
            flip=np.zeros(len(weight), np.bool_),
        )
        if coded.scale.ndim:
            raise ModelError("its input has a scale per channel; use one for the whole tensor")
        scale = np.asarray(node.weight_scale * float(coded.scale))
        self._coded[node.output] = _Coded(self._new.add(dense, tensor), scale, quantised=False)

    def _pool(self, node: MaxPool | SumPool) -> None:
        source, pads, value = self._unpadded(node.inputs[0])
        coded = self._integers(source, node)
        if any(pads):
            dtype = self._new.tensors[coded.tensor].format
            assert not isinstance(dtype, Float32)
            lowest = isinstance(node, MaxPool) and not node.minimum.any()
            if not (self._code(value, coded, dtype) == (dtype.min if lowest else 0)):
                raise ModelError(
                    f"padding with {value:g} in front of it; pad with zeros, or leave the padding to the pool"
                )
            node = replace(node, geometry=replace(node.geometry, pads=pads))
        made = self._new.add(node, coded.tensor)
        self._coded[node.output] = replace(coded, tensor=made)
        if isinstance(node, MaxPool):
            self._keep_levels(node, source)
        elif coded.scale.ndim == 0:
            self._set_levels(node.output)

    def _sum(self, node: Sum) -> None:
        parts = [self._integers(name, node) for name in node.inputs]
        unit, coefficients = _common_scale([part.scale for part in parts])
        made = self._new.add(replace(node, coefficients=coefficients), *(part.tensor for part in parts))
        self._coded[node.output] = _Coded(made, np.array(unit), all(part.quantised for part in parts))
        self._set_levels(node.output)

    def _concat(self, node: Concat) -> None:
        parts = [self._integers(name, node) for name in node.inputs]
        if any(part.scale.ndim or part.scale != parts[0].scale for part in parts):
            raise ModelError("it joins tensors of different scales; quantise them with one and the same quantiser")
        if len({self._new.tensors[part.tensor].format for part in parts}) > 1:
            raise ModelError("it joins tensors of different formats; quantise them with one and the same quantiser")
        self._coded[node.output] = replace(parts[0], tensor=self._new.add(node, *(part.tensor for part in parts)))
        self._keep_levels(node)

    # ---- values between them -------------------------------------------------------------------

    def _quantised(self, name: str) -> bool:
        """Whether integers stand for a tensor, or can."""
        return name in self._coded or name in self._levels

    def _on_integers(self, node: Node) -> bool:
        """Whether a pool or a join is hardware, and not a preparation of the network's input in software."""
        sources = [self._unpadded(name)[0] for name in node.inputs]
        return any(self._after[name] for name in sources) or all(self._quantised(name) for name in sources)

    def _unpadded(self, name: str) -> tuple[str, tuple[int, int, int, int], float]:
        """The tensor behind the Pads that make `name`, their pads together, and their value."""
        total, values = np.zeros(4, np.int64), set()
        while name in self._pads:
            pad = self._pads[name]
            total += pad.pads
            values.add(pad.value)
            name = pad.inputs[0]
        if len(values) > 1:
            raise ModelError(f"paddings of different values, {', '.join(f'{v:g}' for v in sorted(values))}; use one")
        above, left, below, right = (int(n) for n in total)
        return name, (above, left, below, right), values.pop() if values else 0.0

    def _code(self, value: float, coded: _Coded, dtype: Integers) -> int:
        """The integer that stands for a padding of `value`."""
        scale = float(coded.scale.reshape(-1)[0])
        code = round(value / scale) if np.isfinite(value) else dtype.min
        if (np.isfinite(value) and abs(code * scale - value) > 1e-6 * scale) or not dtype.contains(code):
            raise ModelError(f"padding with {value:g}, which is no value of its {dtype} input; pad with such a value")
        return code

    def _float(self, name: str) -> str:
        """The float tensor for `name`."""
        if name not in self._floats:
            coded = self._coded[name]
            made = f"{name}.scaled" if name in self._new.tensors else name
            dequant = Dequant(name=f"{name}.scale", inputs=(), output=made, scale=np.asarray(coded.scale))
            self._floats[name] = self._new.add(dequant, coded.tensor)
        return self._floats[name]

    def _integers(self, name: str, at: Node) -> _Coded:
        """The integers of `name`, encoded where they are not yet."""
        if name not in self._coded:
            levels = self._levels.get(name)
            if levels is None:
                raise ModelError(self._why.get(name, NOT_QUANTISED))
            found = _encode(levels, self._padding[name])
            made = f"{name}.encoded"
            encode = Encode(
                name=made, inputs=(), output=made, source=at.source, dtype=found.dtype, scale=found.scale,
                offset=found.offset, step=found.step, levels=found.count,
            )  # fmt: skip
            self._coded[name] = _Coded(self._new.add(encode, self._float(name)), np.array(found.scale))
        return self._coded[name]

    def _keep_levels(self, node: Node, source: str | None = None) -> None:
        name = source or node.inputs[0]
        if name in self._levels:
            self._levels[node.output] = self._levels[name]

    def _set_levels(self, name: str) -> None:
        """All integers of a sum count as levels, whether they occur or not."""
        coded = self._coded[name]
        dtype = self._new.tensors[coded.tensor].format
        if not isinstance(dtype, Float32) and coded.scale.ndim == 0 and dtype.bits <= 16:
            self._levels[name] = (_values(dtype) * coded.scale).astype(np.float32)


def _looking_back(graph: Graph) -> tuple[dict[str, bool], dict[str, set[float]]]:
    """Whether a quantiser or a layer follows a tensor, and which values pad it somewhere on."""
    later = dict.fromkeys(graph.tensors, False)
    padding: dict[str, set[float]] = {name: set() for name in graph.tensors}
    for node in reversed(graph.nodes):
        for name in node.inputs:
            later[name] |= later[node.output] or isinstance(node, (*QUANTISERS, MatMul, Conv))
            if isinstance(node, (Pad, MaxPool, Concat, Reshape)):
                padding[name] |= padding[node.output]
            if isinstance(node, Pad) and np.isfinite(node.value):
                padding[name].add(node.value)
    return later, padding


def _encode(levels: NDArray[np.float32], padding: set[float]) -> Levels:
    """The integers of `levels`, in a format that holds what they are padded with as well."""
    found = spaced(np.unique(levels.astype(np.float64)))
    extra = [round(value / found.scale) for value in padding]
    if extra and not found.dtype.contains(extra):
        ends = [found.dtype.min, found.dtype.max, *extra]
        found = replace(found, dtype=DataType.smallest(min(ends), max(ends)))
    return found


def _common_scale(scales: list[NDArray[np.float64]]) -> tuple[float, tuple[int, ...]]:
    """A unit of which all `scales` are whole multiples, and these multiples."""
    if any(scale.ndim for scale in scales):
        raise ModelError("it adds tensors of a scale per channel; quantise them before the addition")
    values = [float(scale) for scale in scales]
    for parts in range(1, MOST_RATIO + 1):
        unit = min(values) / parts
        ratios = [round(value / unit) for value in values]
        if all(abs(k * unit - value) <= 1e-6 * value for k, value in zip(ratios, values, strict=True)):
            common = gcd(*ratios)
            if max(ratios) // common > MOST_RATIO:
                break
            return unit * common, tuple(k // common for k in ratios)
    raise ModelError(
        f"it adds tensors of scales {', '.join(f'{v:g}' for v in values)}, which have no common unit; "
        "use one quantiser, or scales with a small ratio"
    )


def _through(node: Node, levels: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """The levels after `node`, given those before it; None where values are not quantised."""
    if isinstance(node, Quant):
        low, high = code_range(node)
        scale, zero = _uniform(node.scale, "a scale"), _uniform(node.zero_point, "a zero point")
        return (np.arange(low, high + 1, dtype=np.float32) - zero) * scale
    if isinstance(node, BipolarQuant):
        scale = _uniform(node.scale, "a scale")
        return np.array([-scale, scale], np.float32)
    if isinstance(node, MultiThreshold):
        counts = np.arange(node.thresholds.shape[1] + 1, dtype=np.float32)
        return counts * np.float32(node.out_scale) + np.float32(node.out_bias)
    if levels is None or isinstance(node, (Reshape, Transpose)):
        return levels
    if isinstance(node, Arithmetic):
        _uniform(node.operand, "an operand")
        return np.asarray(apply(node, levels.reshape(-1, *([1] * node.operand.ndim))), np.float32).reshape(-1)
    if isinstance(node, Clip):
        return np.asarray(apply(node, levels), np.float32)
    return None


def _uniform(array: NDArray[np.float32], what: str) -> np.float32:
    if not np.all(array == array.flat[0]):
        raise ModelError(f"{what} that differs between channels of an activation; use one for the whole tensor")
    return np.float32(array.flat[0])


def _values(dtype: Integers) -> NDArray[np.float32]:
    step = 2 if dtype == BIPOLAR else 1
    return np.arange(dtype.min, dtype.max + 1, step, dtype=np.float32)
