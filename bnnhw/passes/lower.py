"""Lowers the float network to integers: layers, pools, sums and joins on integers, and thresholds between them."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIT, DataType, Integers
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import ELEMENTWISE, parameters
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import (
    Arithmetic,
    Concat,
    Conv,
    Gather,
    Lookup,
    MatMul,
    MaxPool,
    MultiThreshold,
    Node,
    Pad,
    Product,
    Reshape,
    Slice,
    Sum,
    SumPool,
    Threshold,
    Transpose,
)
from bnnhw.passes.joining import concatenated, summed
from bnnhw.passes.layers import dense
from bnnhw.passes.lowered import MAX_THRESHOLD_BITS, Lowered
from bnnhw.passes.rewrite import label
from bnnhw.passes.rounding import EXACT, repeated
from bnnhw.passes.stepped import added_up, piecewise_linear, stepped, unequal
from bnnhw.passes.values import Affine, Value, affine, combined, flattened, of_channels, positional

Array = NDArray[np.float64]
Pads = tuple[int, int, int, int]
Encoder = Literal["host", "chip"]
ONE = Affine(np.array(1.0), np.array(0.0))


def run(graph: Graph, *, encoder: Encoder = "host") -> Graph:
    """Every float tensor becomes a function of integers, and integers become new ones where a quantiser says so.

    In front of the first integers floats stay, as software: up to an Encode, which gives the hardware its input.
    Behind it each tensor is known as a chain of elementwise operations on integers (`Value`). A layer, a pool, a sum or
    a join asks for integers that stand for the tensor: those behind the chain, if it only scales them; else codes of
    the chain's levels, which a Threshold makes. A Conv becomes Window and Dense, a MatMul Dense. Where a quantised
    tensor forks, its codes are made at the fork. Behind the last integers floats go on, as software.

    With the `encoder` on the chip, comparisons of values that are known are made of their integers.

    Raises
    ------
    ModelError
        With every operation that has no integer form, and why.
    """
    return _Lowering(graph, encoder == "chip").run()


class _Lowering:
    def __init__(self, graph: Graph, compares: bool) -> None:
        self._graph = graph
        self._compares = compares
        self._made = Lowered(graph)
        self._pads: dict[str, Pad] = {}
        self._problems: list[str] = []
        self._within_functions = _within_functions(graph)
        self._forks = {
            name for name in graph.tensors if len(graph.consumers(name)) + (name in graph.outputs.values()) > 1
        } - self._within_functions

    def run(self) -> Graph:
        self._fork(self._graph.input)
        for node in self._graph.nodes:
            try:
                self._translate(node)
                self._fork(node.output)
            except ModelError as error:
                text = str(error).removeprefix(f"model {self._graph.name}: ")
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
                self._made.codes(name, grid=False)

    def _translate(self, node: Node) -> None:
        if isinstance(node, (MatMul, Conv)):
            self._layer(node)
        elif isinstance(node, Lookup):
            self._lookup(node)
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
        elif isinstance(node, (Sum, Product)) and (function := self._function(node)) is not None:
            self._made.values[node.output] = function
        elif isinstance(node, Sum):
            parts = [self._part(name) for name in node.inputs]
            self._made.values[node.output] = summed(self._made, node, parts)
        elif isinstance(node, Concat):
            parts = [self._part(name) for name in node.inputs]
            self._made.values[node.output] = concatenated(self._made, node, parts)
        elif isinstance(node, Slice):
            self._slice(node)
        elif isinstance(node, Gather):
            self._gather(node)
        elif isinstance(node, Reshape):
            self._reshape(node)
        else:
            self._software(node)

    def _function(self, node: Sum | Product) -> Value | None:
        """A sum or a product of functions of the same integers as one function of them, if it is that. Sums of affine
        ones stay sums, but inside of such a function."""
        if any(name in self._pads or self._made.is_float(name) for name in node.inputs):
            return None
        parts = [self._made.values[name] for name in node.inputs]
        inside = node.output in self._within_functions
        if isinstance(node, Sum) and not inside and all(affine(part.steps) is not None for part in parts):
            return None
        return combined(node, "add" if isinstance(node, Sum) else "mul", parts)

    # ---- the parts of a network ----------------------------------------------------------------

    def _in_software(self, node: Node) -> bool:
        """Whether a pool, a join or a change of layout prepares the network's input, before anything is quantised."""
        sources = self._sources(node)
        if not all(self._made.is_float(name) for name in sources):
            return False
        if self._compares and isinstance(node, Gather) and self._made.listed(sources[0]):
            return False
        return isinstance(node, (Reshape, Transpose, Gather)) or not any(self._made.listed(name) for name in sources)

    def _sources(self, node: Node) -> list[str]:
        """What `node` reads, in front of any padding."""
        return [self._unpadded(name)[0] for name in node.inputs]

    def _software(self, node: Node) -> None:
        self._made.add_floats(node, [self._padded(name) for name in node.inputs])

    def _padded(self, name: str) -> str:
        """The tensor `name`, with the padding in front of it carried out: by software, or on integers."""
        if name in self._pads:
            pad = self._pads[name]
            source = self._padded(pad.inputs[0])
            if self._made.is_float(source):
                self._made.add_floats(pad, [source])
            else:
                self._made.values[name] = self._surrounded(pad, source)
            del self._pads[name]
        return name

    def _surrounded(self, pad: Pad, source: str) -> Value:
        """A padded map of integers: the sums of windows of one pixel, for which padding counts zero."""
        if pad.value:
            raise ModelError(
                f"{label(pad)}: padding with {pad.value:g} that no layer takes; pad with zeros, or before a layer"
            )
        value = self._part(source)
        function = affine(value.steps)
        if function is None or function.offset.any():
            try:
                self._made.codes(source, {0.0})
            except ModelError:
                if function is None:
                    raise
                return self._surrounded_offset(pad, value, function)
            value = self._made.values[source]
            function = affine(value.steps)
        assert function is not None
        return self._framed(pad, value.tensor, function.scale, self._made.rounded(value).error, pad.name)

    def _framed(self, pad: Pad, tensor: str, scale: Array, noise: Array, name: str) -> Value:
        surround = SumPool(
            name=name, inputs=(), output=name, source=pad.source, geometry=Geometry((1, 1), pads=pad.pads)
        )
        shape = self._graph.tensors[pad.output].shape
        return self._made.value(self._made.add(surround, tensor), shape, Affine(scale, EXACT), noise, name)

    def _surrounded_offset(self, pad: Pad, value: Value, function: Affine) -> Value:
        """A padded map of integers with an offset, which the padding has not: it is added to what is inside."""
        name, lowest = f"{pad.name}.inside", self._made.reachable(value.tensor)[0]
        ones = Threshold(
            name=name, inputs=(), output=name, source=pad.source, thresholds=lowest[:, None], offset=0, step=1,
            dtype=DataType("uint", 1),
        )  # fmt: skip
        parts = [
            self._framed(pad, value.tensor, function.scale, self._made.rounded(value).error, f"{pad.name}.map"),
            self._framed(pad, self._made.add(ones, value.tensor), function.offset, EXACT, f"{pad.name}.offset"),
        ]
        total = np.ones((len(parts), 1), np.int64)
        return summed(self._made, Sum(name=pad.name, inputs=(), output=pad.output, coefficients=total), parts)

    def _elementwise(self, node: Node) -> None:
        name = self._padded(node.inputs[0])
        early = _scales_channels(node) or (self._compares and isinstance(node, MultiThreshold))
        if self._made.is_float(name) and self._made.listed(name) and early:
            with suppress(ModelError):  # software can go on with floats
                self._made.codes(name, grid=False)
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
        try:
            value = self._multiplied(source, {padding} if any(pads) else set())
        except ModelError as refused:
            self._made.values[node.output] = self._of_unequal(node, source, pads, padding, refused)
            return
        if self._is_flat(source):
            raise ModelError("a factor before it differs from position to position; use one per channel")
        format_ = self._made.integers(value.tensor)
        fill = self._code(padding, value, format_) if any(pads) else format_.min
        self._made.values[node.output] = dense(self._made, node, value, pads, fill)

    def _of_unequal(self, node: MatMul | Conv, source: str, pads: Pads, padding: float, refused: ModelError) -> Value:
        """A layer of a tensor whose levels lie on no grid: the sum of layers of counts, one for each size of step."""
        if any(pads) and padding:
            raise refused
        try:
            parts = unequal(self._made, source, padded=any(pads))
        except ModelError:
            raise refused from None
        layers = []
        for k, part in enumerate(parts):
            own = replace(node, name=f"{node.name}.steps{k}", output=f"{node.output}.steps{k}")
            layers.append(dense(self._made, own, part, pads, 0))
        return added_up(self._made, layers, node.output)

    def _multiplied(self, source: str, padding: set[float]) -> Value:
        """What a layer takes: codes that only need a scale, or where there are none such, codes with an offset, which
        becomes one of the layer's sums. What pads them is then one of these codes. Sums that nothing quantises it
        multiplies as they are."""
        if not self._made.is_float(source):
            if not self._made.listed(source) and affine(self._made.values[source].steps) is not None:
                return self._made.values[source]
            with suppress(ModelError):
                return self._with_offset(source, padding)
        self._made.codes(source, padding)
        return self._made.values[source]

    def _with_offset(self, source: str, padding: set[float]) -> Value:
        """The narrower of codes that only need a scale, and of codes with an offset.

        Raises
        ------
        ModelError
            If values are not evenly spaced, or differ from position to position.
        """
        with suppress(ModelError):
            if not self._made.wider_than(source, MAX_THRESHOLD_BITS):
                self._made.codes(source, padding, grid=bool(padding))
                return self._made.values[source]
        value = self._made.part(source)
        if self._made.new.tensors[value.tensor].shape != value.shape:
            raise ModelError("")
        return value

    def _max_pool(self, node: MaxPool) -> None:
        source, pads, padding = self._pooled(node)
        value = self._part(source)
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
            if lowest:
                node = replace(node, geometry=replace(node.geometry, pads=pads))
            else:
                value = self._part(self._padded(node.inputs[0]))
        falls = self._made.falling(value)
        if falls.any():
            node = replace(node, minimum=node.minimum ^ falls)
        tensor = self._made.add(node, value.tensor)
        self._made.values[node.output] = replace(value, tensor=tensor, shape=self._graph.tensors[node.output].shape)

    def _sum_pool(self, node: SumPool) -> None:
        source, pads, padding = self._pooled(node)
        value = self._part(source)
        found = affine(value.steps)
        if any(pads) and (padding or found is None or found.offset.any()):
            value, pads = self._part(self._padded(node.inputs[0])), (0, 0, 0, 0)
            found = affine(value.steps)
        if found is None:
            raise ModelError(self._made.why(source))
        node = replace(node, geometry=replace(node.geometry, pads=pads)) if any(pads) else node
        tensor = self._made.add(node, value.tensor)
        taps = node.geometry.taps
        shape = self._graph.tensors[node.output].shape
        total = Affine(found.scale, found.offset * taps)
        noise = repeated(self._made.rounded(value), taps).error
        self._made.values[node.output] = self._made.value(tensor, shape, total, noise, node.name)

    def _pooled(self, node: MaxPool | SumPool) -> tuple[str, Pads, float]:
        """What a pool takes, and the padding in front of it; software pads what it has."""
        source, pads, padding = self._unpadded(node.inputs[0])
        if any(pads) and np.isfinite(padding) and self._made.is_float(source):
            return self._padded(node.inputs[0]), (0, 0, 0, 0), 0.0
        return source, pads, padding

    def _slice(self, node: Slice) -> None:
        value = self._part(self._padded(node.inputs[0]))
        channels = np.flatnonzero(node.kept.any(axis=tuple(range(node.kept.ndim - 1))))
        steps = tuple(of_channels(step, channels) for step in value.steps)
        tensor = self._made.add(node, value.tensor)
        self._made.values[node.output] = Value(tensor, self._graph.tensors[node.output].shape, steps)

    def _gather(self, node: Gather) -> None:
        value = self._part(self._padded(node.inputs[0]))
        steps = value.steps
        if node.places.ndim == 1:
            channels = node.places % self._made.new.tensors[value.tensor].shape[-1]
            steps = tuple(of_channels(step, channels) for step in steps)
        elif any(array.ndim for step in steps for array in parameters(step)):
            raise ModelError("elements of different scales in another order; quantise them alike")
        tensor = self._made.add(node, value.tensor)
        self._made.values[node.output] = Value(tensor, node.places.shape, steps)

    def _lookup(self, node: Lookup) -> None:
        codes = self._made.codes(node.inputs[0])
        if self._made.integers(codes.tensor) != BIT or (codes.scale != 1).any():
            raise ModelError("tables of inputs that are not 0 and 1; compare them with thresholds before it")
        tensor = self._made.add(node, codes.tensor)
        shape = self._graph.tensors[node.output].shape
        self._made.values[node.output] = self._made.value(tensor, shape, ONE, EXACT, node.name)

    def _reshape(self, node: Reshape) -> None:
        name = self._padded(node.inputs[0])
        if self._is_flat(name) and self._made.listed(name):
            self._made.codes(name)
        if self._is_flat(name) and len(node.shape) == 1:
            self._made.values[node.output] = replace(self._made.values[name], shape=node.shape)
            return
        value = self._part(name)
        shape = self._made.new.tensors[value.tensor].shape
        steps = tuple(flattened(step, shape) for step in value.steps) if shape != node.shape else value.steps
        tensor = self._made.add(node, value.tensor)
        self._made.values[node.output] = Value(tensor, node.shape, steps)

    def _is_flat(self, name: str) -> bool:
        """Whether a tensor's integers are a vector, as something differs from position to position."""
        if self._made.is_float(name):
            return False
        value = self._made.values[name]
        return self._made.new.tensors[value.tensor].shape != value.shape

    # ---- values between them -------------------------------------------------------------------

    def _part(self, name: str) -> Value:
        """What a pool, a sum or a join takes: codes of quantised values, else what a layer or a sum gives."""
        name = self._padded(name)
        try:
            if self._made.is_float(name):
                self._made.codes(name)
            value = self._made.part(name)
        except ModelError as refused:
            value = self._made.values[name] = self._in_steps(name, refused)
        if self._made.new.tensors[value.tensor].shape != value.shape:
            raise ModelError(
                "a parameter before it differs from position to position; quantise in between, or use one per channel"
            )
        return value

    def _in_steps(self, name: str, refused: ModelError) -> Value:
        """A tensor as a sum of steps, where it is piecewise linear behind its last quantiser or behind a layer, or
        where it is quantised to levels on no grid."""
        value = None if self._made.is_float(name) else self._made.values[name]
        if value is not None:
            with suppress(ModelError) if value.quantised else nullcontext():
                value = self._made.split(value, name) if value.quantised else value
                flat = self._made.new.tensors[value.tensor].shape != value.shape
                if not flat and all(map(piecewise_linear, value.steps)):
                    return stepped(self._made, value, name)
        try:
            return added_up(self._made, unequal(self._made, name, padded=False), name)
        except ModelError:
            raise refused from None

    def _unpadded(self, name: str) -> tuple[str, Pads, float]:
        """The tensor behind the Pads that make `name`, their pads together, and their value."""
        total, values = np.zeros(4, np.int64), set[float]()
        while name in self._pads:
            pad = self._pads[name]
            if values and pad.value not in values:
                with suppress(ModelError):
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
        scale, offset = float(function.scale.reshape(-1)[0]), float(function.offset.reshape(-1)[0])
        code = round((value - offset) / scale) if np.isfinite(value) else format_.min
        off = np.isfinite(value) and abs(code * scale + offset - value) > 1e-6 * abs(scale) + 2.0**-23 * abs(value)
        varies = function.offset.ndim or ((value or offset) and function.scale.ndim)
        if off or varies or not format_.contains(code):
            raise ModelError(f"padding with {value:g}, which is no value of its {format_} input; pad with such a value")
        return code


def _within_functions(graph: Graph) -> set[str]:
    """The tensors between a fork and where its branches, which are functions of it element by element, are added or
    multiplied: codes made of them would hide that together they are one function."""
    places = {name: k for k, name in enumerate((graph.input, *(node.output for node in graph.nodes)))}
    behind: dict[str, frozenset[str]] = {}  # what a tensor is a function of, itself included
    found: set[str] = set()
    for node in graph.nodes:
        sources = [behind.get(name, frozenset((name,))) for name in node.inputs]
        own = frozenset((node.output,))
        if isinstance(node, ELEMENTWISE):
            behind[node.output] = own | sources[0]
        elif isinstance(node, (Sum, Product)) and (shared := frozenset.intersection(*sources)):
            last = max(places[name] for name in shared)
            found.update(name for source in sources for name in source if places[name] > last)
            behind[node.output] = own | frozenset.union(*sources)
    return found


def _scales_channels(node: Node) -> bool:
    """Whether quantised values have another scale by channel, or by position, behind `node`: codes are better made
    before it."""
    return isinstance(node, Arithmetic) and node.operand.ndim > 0
