"""Lowers the float network to integers: layers, pools, sums and joins on integers, and thresholds between them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from bnnhw.arithmetic.formats import Integers
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import ELEMENTWISE
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Arithmetic, Concat, Conv, MatMul, MaxPool, Node, Pad, Reshape, Sum, SumPool, Transpose
from bnnhw.passes.joining import concatenated, summed
from bnnhw.passes.layers import MAX_BITS, dense
from bnnhw.passes.lowered import MAX_THRESHOLD_BITS, Lowered
from bnnhw.passes.rewrite import label
from bnnhw.passes.values import Affine, Value, affine, flattened, positional

Pads = tuple[int, int, int, int]


def run(graph: Graph) -> Graph:
    """Every float tensor becomes a function of integers, and integers become new ones where a quantiser says so.

    In front of the first integers floats stay, as software: up to an Encode, which gives the hardware its input.
    Behind it each tensor is known as a chain of elementwise operations on integers (`Value`). A layer, a pool, a sum or
    a join asks for integers that stand for the tensor: those behind the chain, if it only scales them; else codes of
    the chain's levels, which a Threshold makes. A Conv becomes Window and Dense, a MatMul Dense. Where a quantised
    tensor forks, its codes are made at the fork. Behind the last integers floats go on, as software.

    Raises
    ------
    ModelError
        With every operation that has no integer form, and why.
    """
    return _Lowering(graph).run()


class _Lowering:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._made = Lowered(graph)
        self._pads: dict[str, Pad] = {}
        self._problems: list[str] = []
        self._forks = {
            name for name in graph.tensors if len(graph.consumers(name)) + (name in graph.outputs.values()) > 1
        }

    def run(self) -> Graph:
        self._fork(self._graph.input)
        for node in self._graph.nodes:
            try:
                self._translate(node)
                self._fork(node.output)
            except ModelError as error:
                text = str(error)
                if text:
                    self._problems.append(text if text.startswith(label(node)) else f"{label(node)}: {text}")
                self._made.refuse(node)
        if self._problems:
            raise ModelError(f"model {self._graph.name}: operations that do not become integers", tuple(self._problems))
        return self._made.graph()

    def _fork(self, name: str) -> None:
        """Codes are made where a quantised tensor forks, so that its readers share them."""
        if name in self._forks and name not in self._pads and self._made.coded_at_fork(name):
            with suppress(ModelError):  # each reader asks for its own, and tells why there are none
                self._made.codes(name)

    def _translate(self, node: Node) -> None:
        if isinstance(node, (MatMul, Conv)):
            self._layer(node)
        elif isinstance(node, Pad) and node.output in self._forks and self._made.is_float(node.inputs[0]):
            self._software(node)
        elif isinstance(node, Pad):
            self._pads[node.output] = node
        elif isinstance(node, ELEMENTWISE):
            self._elementwise(node)
        elif self._in_software(node):
            self._software(node)
        elif all(self._made.is_float(name) for name in self._sources(node)):
            try:
                self._on_integers(node)
            except ModelError:
                if not all(self._made.is_float(name) for name in self._sources(node)):
                    raise
                self._software(node)  # of values that no codes stand for
        else:
            self._on_integers(node)

    def _on_integers(self, node: Node) -> None:
        if isinstance(node, MaxPool):
            self._max_pool(node)
        elif isinstance(node, SumPool):
            self._sum_pool(node)
        elif isinstance(node, Sum):
            parts = [self._part(name, node) for name in node.inputs]
            self._made.values[node.output] = summed(self._made, node, parts)
        elif isinstance(node, Concat):
            parts = [self._part(name, node) for name in node.inputs]
            self._made.values[node.output] = concatenated(self._made, node, parts)
        elif isinstance(node, Reshape):
            self._reshape(node)
        else:
            self._software(node)

    # ---- the parts of a network ----------------------------------------------------------------

    def _in_software(self, node: Node) -> bool:
        """Whether a pool, a join or a change of layout prepares the network's input, before anything is quantised."""
        sources = self._sources(node)
        if not all(self._made.is_float(name) for name in sources):
            return False
        return isinstance(node, (Reshape, Transpose)) or not any(self._made.listed(name) for name in sources)

    def _sources(self, node: Node) -> list[str]:
        """What `node` reads, in front of any padding."""
        return [self._unpadded(name)[0] for name in node.inputs]

    def _software(self, node: Node) -> None:
        self._made.add_floats(node, [self._padded(name) for name in node.inputs])

    def _padded(self, name: str) -> str:
        """The float tensor `name`, with the padding in front of it carried out by software."""
        if name in self._pads:
            pad = self._pads[name]
            source = self._padded(pad.inputs[0])
            if not self._made.is_float(source):
                raise ModelError(
                    f"{label(pad)}: padding that no convolution or pool takes; pad right before one of these"
                )
            self._made.add_floats(pad, [source])
            del self._pads[name]
        return name

    def _elementwise(self, node: Node) -> None:
        name = self._padded(node.inputs[0])
        if self._made.is_float(name) and self._made.listed(name) and _scales_channels(node):
            with suppress(ModelError):  # software can go on with floats
                self._made.codes(name)
        if self._made.is_float(name):
            self._made.add_floats(node, [name])
            return
        value = self._made.values[name]
        flat = self._made.new.tensors[value.tensor].shape != value.shape
        if positional(node) and not flat:
            value, flat = self._made.flat(value, node), True
        self._made.values[node.output] = value.then(flattened(node, value.shape) if flat else node)

    def _layer(self, node: MatMul | Conv) -> None:
        source, pads, padding = self._unpadded(node.inputs[0])
        value = self._multiplied(source, {padding} if any(pads) else set())
        format_ = self._made.integers(value.tensor)
        if format_.bits > MAX_BITS:
            raise ModelError(f"its input has {format_.bits} bits; at most {MAX_BITS} are possible: quantise it further")
        fill = self._code(padding, value, format_) if any(pads) else format_.min
        self._made.values[node.output] = dense(self._made, node, value, pads, fill)

    def _multiplied(self, source: str, padding: set[float]) -> Value:
        """What a layer takes: codes that only need a scale, or where there are none such, and no padding, codes with an
        offset, which becomes one of the layer's sums."""
        try:
            if not padding and self._made.wider_than(source, MAX_THRESHOLD_BITS):
                raise ModelError("its codes without an offset are wider than its levels need")
            self._made.codes(source, padding)
        except ModelError:
            if padding or self._made.is_float(source) or not self._made.listed(source):
                raise
            value = self._made.part(source)
            if self._made.new.tensors[value.tensor].shape != value.shape:
                raise
            return value
        return self._made.values[source]

    def _max_pool(self, node: MaxPool) -> None:
        source, pads, padding = self._pooled(node)
        value = self._part(source, node)
        if any(pads):
            # Padding with the lowest value is the pool's own, which it leaves out.
            format_ = self._made.integers(value.tensor)
            scale = affine(value.steps)
            lowest = (
                scale is not None
                and not scale.offset.any()
                and not node.minimum.any()
                and padding <= np.min(scale.scale * format_.min)
            )
            if not lowest:
                raise ModelError(
                    f"padding with {padding:g} in front of it, which may be its largest value; leave the padding to "
                    "the pool"
                )
            node = replace(node, geometry=replace(node.geometry, pads=pads))
        falls = self._made.falling(value)
        if falls.any():
            node = replace(node, minimum=node.minimum ^ falls)
        tensor = self._made.add(node, value.tensor)
        self._made.values[node.output] = replace(value, tensor=tensor, shape=self._graph.tensors[node.output].shape)

    def _sum_pool(self, node: SumPool) -> None:
        source, pads, padding = self._pooled(node)
        value = self._part(source, node)
        found = affine(value.steps)
        if found is None:
            raise ModelError(self._made.why(source))
        if any(pads):
            if padding:
                raise ModelError(f"padding with {padding:g} in front of it; pad with zeros")
            if found.offset.any():
                raise ModelError(
                    "it pads with zeros what has an offset, so that means at the edges have another; put the offset "
                    "behind it"
                )
            node = replace(node, geometry=replace(node.geometry, pads=pads))
        tensor = self._made.add(node, value.tensor)
        taps = node.geometry.taps
        shape = self._graph.tensors[node.output].shape
        total = Affine(found.scale, found.offset * taps)
        self._made.values[node.output] = self._made.value(tensor, shape, total, value.noise * taps, node.name)

    def _pooled(self, node: MaxPool | SumPool) -> tuple[str, Pads, float]:
        """What a pool takes, and the padding in front of it; software pads what it has."""
        source, pads, padding = self._unpadded(node.inputs[0])
        if any(pads) and np.isfinite(padding) and self._made.is_float(source):
            return self._padded(node.inputs[0]), (0, 0, 0, 0), 0.0
        return source, pads, padding

    def _reshape(self, node: Reshape) -> None:
        value = self._part(self._padded(node.inputs[0]), node)
        shape = self._made.new.tensors[value.tensor].shape
        steps = tuple(flattened(step, shape) for step in value.steps) if shape != node.shape else value.steps
        tensor = self._made.add(node, value.tensor)
        self._made.values[node.output] = Value(tensor, node.shape, steps)

    # ---- values between them -------------------------------------------------------------------

    def _part(self, name: str, node: Node) -> Value:
        """What a pool, a sum or a join takes: codes of quantised values, else what a layer or a sum gives."""
        if name in self._pads:
            pad = self._pads[name]
            raise ModelError(f"{label(pad)}: padding in front of {label(node)}; pad right before a convolution")
        if self._made.is_float(name):
            self._made.codes(name)
        value = self._made.part(name)
        if self._made.new.tensors[value.tensor].shape != value.shape:
            raise ModelError(
                "a parameter before it differs from position to position; quantise in between, or use one per channel"
            )
        return value

    def _unpadded(self, name: str) -> tuple[str, Pads, float]:
        """The tensor behind the Pads that make `name`, their pads together, and their value."""
        total, values = np.zeros(4, np.int64), set[float]()
        while name in self._pads:
            pad = self._pads[name]
            if values and pad.value not in values and self._made.is_float(self._unpadded(name)[0]):
                self._padded(name)
                break
            total += pad.pads
            values.add(pad.value)
            name = pad.inputs[0]
        if len(values) > 1:
            raise ModelError(f"paddings of different values, {', '.join(f'{v:g}' for v in sorted(values))}; use one")
        above, left, below, right = (int(n) for n in total)
        return name, (above, left, below, right), values.pop() if values else 0.0

    def _code(self, value: float, codes: Value, format_: Integers) -> int:
        """The integer that stands for a padding of `value`."""
        function = affine(codes.steps)
        assert function is not None
        scale = float(function.scale.reshape(-1)[0])
        code = round(value / scale) if np.isfinite(value) else format_.min
        off = np.isfinite(value) and abs(code * scale - value) > 1e-6 * abs(scale)
        if off or (value and function.scale.ndim) or not format_.contains(code):
            raise ModelError(f"padding with {value:g}, which is no value of its {format_} input; pad with such a value")
        return code


def _scales_channels(node: Node) -> bool:
    """Whether quantised values have another scale in each channel behind `node`: codes are better made before it."""
    return isinstance(node, Arithmetic) and node.operand.ndim == 1
