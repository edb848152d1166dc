"""The network while it is lowered: the new graph, and what each tensor of the model is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import Float32, Integers
from bnnhw.errors import ModelError
from bnnhw.ir.bounds import reachable
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import (
    Arithmetic,
    Dense,
    Dequant,
    Encode,
    Lookup,
    MultiThreshold,
    Node,
    Product,
    Reshape,
    Scale,
    Sum,
    Threshold,
)
from bnnhw.passes import scales, thresholds, turning
from bnnhw.passes.later import later_taps, paddings
from bnnhw.passes.levels import Levels, numbered, spaced
from bnnhw.passes.rewrite import Builder, label
from bnnhw.passes.rounding import EXACT, Rounded, rounded
from bnnhw.passes.software import Software
from bnnhw.passes.values import (
    Affine,
    Combined,
    Listed,
    Value,
    affine,
    all_codes,
    evaluate,
    flattened,
    levels,
    one_way,
    uniform,
)

QUANTISE = "put a quantiser before it (`bnnhw quantize` does)"
NOT_QUANTISED = f"its input is not quantised; {QUANTISE}, or state the format of the network's input"
# Widest format of codes that come from levels, and of those that thresholds make wherever they can.
MAX_CODE_BITS = 16
MAX_THRESHOLD_BITS = 8


@dataclass(frozen=True, eq=False)
class Codes:
    """An integer tensor that stands for ``tensor * scale``; `noise` as in `Value`.

    Where float32 values are not these products to the last bit, `listed` has integers (n, C) and the values of each.
    """

    tensor: str
    scale: NDArray[np.float64]
    noise: NDArray[np.float64] = field(default_factory=lambda: EXACT)
    listed: tuple[NDArray[np.int64], NDArray[np.float32]] | None = None

    @property
    def affine(self) -> Affine:
        return Affine(self.scale, EXACT)


class Lowered:
    """What has been lowered so far.

    `values` holds the tensors that are functions of integers; those that software computes are floats of the new graph
    under their own names.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.new = Builder(graph)
        self.values: dict[str, Value] = {}
        self._codes: dict[str, Codes] = {}
        self._software = Software(graph)
        self._refused: set[str] = set()
        self._padding = paddings(graph)
        # By how many taps of pools a tensor is added up before it is quantised.
        self.later_taps = later_taps(graph)

    # ---- software ------------------------------------------------------------------------------

    def is_float(self, name: str) -> bool:
        """Whether a tensor of the model is one of software's floats.

        Raises
        ------
        ModelError
            Without a text, if it was refused.
        """
        if name in self._refused:
            raise ModelError("")
        return name not in self.values

    def refuse(self, node: Node) -> None:
        """Goes on behind a refused `node`, to find what else is wrong."""
        self._refused.add(node.output)

    def add_floats(self, node: Node, inputs: Sequence[str]) -> None:
        """A node that software computes, or that follows the last integers."""
        self.new.add(node, *(self.floats(name) for name in inputs))
        if inputs[0] in self.values:
            self._software.begin_again(node)
        else:
            self._software.follow(node, inputs[0])

    def floats(self, name: str) -> str:
        """The float tensor `name` in the new graph: software computes it of integers, where there are some."""
        if self.is_float(name) or name in self.new.tensors:
            return name
        value = self.values[name]
        if value.quantised:
            # The last quantiser behind the last layer: its codes are what the hardware gives.
            value = self.split(value, name)
        tensor = value.tensor
        flat = self.new.tensors[tensor].shape != value.shape
        for k, step in enumerate(value.steps):
            done = k == len(value.steps) - 1 and not flat
            tensor = self._in_floats(step, tensor, name if done else "")
        if flat:
            tensor = self.new.add(Reshape(name=name, inputs=(), output=name, shape=value.shape), tensor)
        return tensor

    def _in_floats(self, step: Node, tensor: str, output: str = "") -> str:
        """A step on the integers or floats of `tensor`, done by software."""
        step = step.plain if isinstance(step, Listed) else step
        unique = self._unique(step.name or f"{output}.scale")
        if not isinstance(step, Combined):
            return self.new.add(replace(step, name=unique, output=output or unique), tensor)
        parts = []
        for branch in step.branches:
            part = tensor
            for inner in branch:
                part = self._in_floats(inner, part)
            parts.append(part)
        joined: Node = Product(name=unique, inputs=(), output=output or unique, source=step.source)
        if step.operation == "add":
            ones = np.ones((len(parts), 1), np.int64)
            joined = Sum(name=unique, inputs=(), output=output or unique, source=step.source, coefficients=ones)
        return self.new.add(joined, *parts)

    def split(self, value: Value, name: str) -> Value:
        """`value` as a function of the codes of its last quantiser."""
        last = value.last_quantiser
        assert last is not None
        before = replace(value, steps=value.steps[: last + 1])
        codes = self._threshold(before, name, set(), grid=True)
        scaled = self.value(codes.tensor, value.shape, codes.affine, codes.noise, name)
        return replace(scaled, steps=(*scaled.steps, *value.steps[last + 1 :]))

    # ---- integers ------------------------------------------------------------------------------

    def add(self, node: Node, *tensors: str) -> str:
        """A node on integers; where its output's name is taken by floats, the tensor gets another."""
        name = f"{node.output}.integers" if node.output in self._graph.tensors else node.output
        return self.new.add(replace(node, output=self._unique(name)), *tensors)

    def integers(self, tensor: str) -> Integers:
        """The format of an integer tensor of the new graph."""
        found = self.new.tensors[tensor].format
        assert not isinstance(found, Float32)
        return found

    def largest(self, tensor: str) -> float:
        """Of the magnitudes of an integer tensor."""
        format_ = self.integers(tensor)
        return float(max(abs(format_.min), abs(format_.max)))

    def largest_by_channel(self, tensor: str) -> NDArray[np.float64]:
        """Of the magnitudes of each channel of an integer tensor, (C,)."""
        return np.abs(np.stack(self.reachable(tensor))).max(axis=0).astype(np.float64)

    def rounded(self, value: Value) -> Rounded:
        """How far float32 may take a piecewise linear `value`."""
        return rounded(value.steps, uniform(self.largest_by_channel(value.tensor)))

    def reachable(self, tensor: str) -> thresholds.Reach:
        """Lowest and highest integer of each channel of a tensor."""
        return reachable(tensor, self.new.tensors, self.new.makers)

    def value(
        self, tensor: str, shape: tuple[int, ...], function: Affine, noise: NDArray[np.float64], name: str
    ) -> Value:
        """The value ``tensor * scale + offset``."""
        scale, noise = np.asarray(function.scale), np.asarray(noise)
        steps: list[Node] = [Dequant(name=f"{name}.scale", inputs=(), output="", scale=scale, noise=noise)]
        if function.offset.any():
            operand = np.asarray(function.offset, np.float32)
            steps.append(Arithmetic(name=f"{name}.offset", inputs=(), output="", operation="add", operand=operand))
        return Value(tensor, shape, tuple(steps))

    def listed(self, name: str) -> bool:
        """Whether it is known which values a tensor takes: codes can stand for them."""
        if self.is_float(name):
            return name in self._software.levels
        value = self.values[name]
        return name in self._codes or value.quantised or self._narrow(value)

    def coded_at_fork(self, name: str) -> bool:
        """Whether codes serve all readers of a tensor: a quantiser made it, or the input tells its format."""
        return name in self._software.levels if self.is_float(name) else self.values[name].quantised

    def part(self, name: str) -> Value:
        """A tensor as a factor and an addend on integers: on codes, where it is quantised.

        Raises
        ------
        ModelError
            If it is something else, and nothing tells its values.
        """
        value = self.values[name]
        if (last := value.last_quantiser) is not None:
            if last < len(value.steps) - 1 and affine(value.steps[last + 1 :]) is not None:
                return self.split(value, name)
        elif affine(value.steps) is not None:
            return value
        self.codes(name)
        return self.values[name]

    def wider_than(self, name: str, bits: int) -> bool:
        """Whether codes of whole multiples take more than `bits`, and the levels of a tensor do not."""
        if name in self._codes or self.is_float(name) or not self.listed(name):
            return False
        value = self.values[name]
        found = levels(value.steps, self.integers(value.tensor))
        if found is None:
            return False
        target = spaced(found)
        return target.count <= 1 << bits < 1 << target.dtype.bits

    def why(self, name: str) -> str:
        """Why no codes stand for a tensor."""
        behind_layer = name in self.values
        return self._software.why.get(
            name, f"its input is not quantised; {QUANTISE}" if behind_layer else NOT_QUANTISED
        )

    def codes(self, name: str, padding: set[float] | None = None, *, grid: bool = True) -> Codes:
        """The integers that stand for a tensor, made where they are not there yet.

        Raises
        ------
        ModelError
            If its values are not known, or neither evenly spaced nor on a `grid`.
        """
        wanted = self._padding[name] | (padding or set())
        if name not in self._codes:
            make = self._encode if self.is_float(name) else self._integer_codes
            codes = make(name, wanted, grid)
            self._codes[name] = codes
            # Whatever else reads the tensor goes on from these.
            shape = self._graph.tensors[name].shape
            value = self.value(codes.tensor, shape, codes.affine, codes.noise, name)
            if codes.listed is not None:
                value = replace(value, steps=(Listed.over(value.first, *codes.listed), *value.steps[1:]))
            self.values[name] = value
        return self._codes[name]

    def _encode(self, name: str, padding: set[float], grid: bool) -> Codes:
        if name not in self._software.levels:
            raise ModelError(self.why(name))
        values = self._software.levels[name]
        found = spaced(values, grid=grid).holding(padding)
        exact = np.rint(values / found.scale) * found.scale
        # The values are a float32 division's, say, of which products with a scale are a last bit off.
        off = np.where(exact.astype(np.float32) == values, 0.0, np.abs(exact - values)).max(axis=0)
        made = self._unique(f"{name}.encoded")
        encode = Encode(
            name=made, inputs=(), output=made, dtype=found.dtype, scale=found.scale, offset=found.offset,
            step=found.step, levels=found.count,
        )  # fmt: skip
        values = values.reshape(len(values), -1)
        listed = (np.rint(values / found.scale).astype(np.int64), values)
        return Codes(self.new.add(encode, name), found.scale, off, listed if off.any() else None)

    def _integer_codes(self, name: str, padding: set[float], grid: bool) -> Codes:
        value = self.values[name]
        if not value.quantised and not self._narrow(value):
            bits = self.integers(value.tensor).bits
            if affine(value.steps) is not None and bits > MAX_CODE_BITS:
                raise ModelError(f"its input has {bits} bits; quantise it further")
            raise ModelError(self.why(name))
        format_ = self.integers(value.tensor)
        function = affine(value.steps)
        if function is not None and not function.offset.any():
            extra = [round(p / float(function.scale)) for p in padding] if not function.scale.ndim else []
            if format_.contains([*extra, format_.max]):
                return self._shaped(self._kept(value, function), value, name)
        return self._shaped(self._threshold(value, name, padding, grid), value, name)

    def _kept(self, value: Value, function: Affine) -> Codes:
        """The integers behind `value`, which is a multiple of them."""
        if len(value.steps) == 1 and not isinstance(value.first, Listed):
            return Codes(value.tensor, function.scale, value.noise)
        integers = all_codes(self.integers(value.tensor))[:, None]
        values = evaluate(value.steps, integers)
        listed = (np.broadcast_to(integers, values.shape), values)
        return Codes(value.tensor, function.scale, self.rounded(value).error, listed)

    def _shaped(self, codes: Codes, value: Value, name: str) -> Codes:
        """`codes` in the shape of `value`; flat where what they are worth differs from position to position."""
        codes = replace(codes, scale=uniform(codes.scale))
        if codes.scale.ndim or self.new.tensors[codes.tensor].shape == value.shape:
            return codes
        shaped = self._unique(f"{name}.map")
        reshape = Reshape(name=shaped, inputs=(), output=shaped, shape=value.shape)
        return replace(codes, tensor=self.new.add(reshape, codes.tensor))

    def _threshold(self, value: Value, name: str, padding: set[float], grid: bool) -> Codes:
        """Codes of the levels that a chain gives, by thresholds, or of many levels by a multiplication; flat where the
        integers behind it are."""
        found = levels(value.steps, self.integers(value.tensor))
        if found is None:
            raise ModelError(self.why(name))
        target = spaced(found, grid=grid).holding(padding)
        if target.count > 1 << MAX_CODE_BITS:
            raise ModelError(
                f"values of {(target.count - 1).bit_length()} bits; quantise to {MAX_CODE_BITS} bits or fewer"
            )
        if self._keeps(value, target):
            return Codes(value.tensor, target.scale)
        if target.count > 1 << MAX_THRESHOLD_BITS:
            scaled = scales.find(value.steps, self.reachable(value.tensor), target)
            if scaled is not None:
                scale = Scale(
                    name=self._unique(f"{self.new.makers[value.tensor].name}.scale"), inputs=(),
                    output=self._unique(f"{name}.codes"), source=_sources(value.steps), dtype=target.dtype, **scaled,
                )  # fmt: skip
                return Codes(self.new.add(scale, value.tensor), target.scale)
        return Codes(self._decided(value, name, target), target.scale)

    def _decided(self, value: Value, name: str, target: Levels) -> str:
        """A Threshold that makes of integers the codes of the levels that a chain gives."""
        cuts = self._cuts(value, target)
        threshold = Threshold(
            name=self._unique(f"{self.new.makers[value.tensor].name}.thresholds"),
            inputs=(),
            output=self._unique(f"{name}.codes"),
            source=_sources(value.steps),
            thresholds=cuts.thresholds,
            offset=target.offset,
            step=target.step,
            dtype=target.dtype,
            negate=cuts.negate if cuts.negate.any() else np.zeros((), np.bool_),
            doubtful=cuts.doubtful if np.diff(cuts.doubtful).any() else np.zeros((0, 0, 2), np.int64),
            codes=cuts.codes,
        )
        return self.new.add(threshold, value.tensor)

    def _cuts(self, value: Value, target: Levels) -> thresholds.Cuts:
        search = turning.find if one_way(value.steps) is None else thresholds.find
        return search(value.steps, self.reachable(value.tensor), target)

    def _taken(self, value: Value, target: Levels) -> Levels:
        """Those of numbered levels that a chain gives."""
        cuts = self._cuts(value, target)
        counts = cuts.counts(self.reachable(value.tensor))
        codes = cuts.codes if cuts.codes.size else np.arange(counts.shape[1])[None]
        assert target.listed is not None
        return numbered(target.listed[np.unique(np.broadcast_to(codes, counts.shape)[counts])])

    def numbered(self, name: str) -> tuple[str, NDArray[np.float32]]:
        """Integers from 0 on that count the levels of a tensor, and the floats (levels, C) that they stand for: for
        levels on no grid.

        Raises
        ------
        ModelError
            If its levels are not known, or too many.
        """
        channels = self._graph.tensors[name].shape[-1]
        if self.is_float(name):
            if name not in self._software.levels:
                raise ModelError(self.why(name))
            target = numbered(self._software.levels[name])
            assert target.listed is not None
            counted, made = self._unique(f"{name}.counted"), self._unique(f"{name}.encoded")
            quantiser = MultiThreshold(
                name=counted, inputs=(), output=counted, thresholds=target.listed[1:], out_scale=1.0, out_bias=0.0
            )
            encode = Encode(
                name=made, inputs=(), output=made, dtype=target.dtype, scale=target.scale, offset=0, step=1,
                levels=target.count,
            )  # fmt: skip
            tensor = self.new.add(encode, self.new.add(quantiser, name))
            return tensor, np.broadcast_to(target.listed, (target.count, channels))
        value = self.values[name]
        last = value.last_quantiser
        if last is None or self.new.tensors[value.tensor].shape != value.shape:
            raise ModelError(self.why(name))
        before = replace(value, steps=value.steps[: last + 1])
        found = levels(before.steps, self.integers(value.tensor))
        if found is None:
            raise ModelError(self.why(name))
        target = self._taken(before, numbered(found))
        assert target.listed is not None
        floats = np.asarray(evaluate(value.steps[last + 1 :], target.listed), np.float32)
        return self._decided(before, name, target), np.broadcast_to(floats, (target.count, channels))

    def _keeps(self, value: Value, target: Levels) -> bool:
        """Whether the chain gives back every integer as it is."""
        format_ = self.integers(value.tensor)
        if format_.storage != target.dtype or self._wide(value.tensor):
            return False
        codes = all_codes(format_)[:, None]
        return bool((np.rint(evaluate(value.steps, codes) / target.scale) == codes).all())

    def flat(self, value: Value, node: Node) -> Value:
        """`value` with a channel for each element, since a parameter of `node` differs by position."""
        size = int(np.prod(value.shape))
        made = self._unique(f"{node.name}.flat")
        flat = Reshape(name=made, inputs=(), output=made, source=node.source, shape=(size,))
        tensor = self.new.add(flat, value.tensor)
        steps = tuple(flattened(step, value.shape) for step in value.steps)
        return replace(value, tensor=tensor, steps=steps)

    def falling(self, value: Value) -> NDArray[np.bool_]:
        """Channels in which the chain falls as the integers rise, (C,) or scalar."""
        signs = one_way(value.steps)
        if signs is None:
            raise ModelError("its input rises and falls with the sums behind it; quantise before it")
        return np.broadcast_to(signs < 0, (self.new.tensors[value.tensor].shape[-1],))

    # ---- the result ----------------------------------------------------------------------------

    def graph(self) -> Graph:
        """The lowered graph: software, the input's codes, hardware, software."""
        outputs = {role: self.floats(name) for role, name in self._graph.outputs.items()}
        return self.new.graph(outputs, notes=(*self._graph.notes, *self._notes()))

    def _notes(self) -> Iterator[str]:
        for node in self.new.makers.values():
            count = int(np.diff(node.doubtful).astype(bool).sum()) if isinstance(node, Threshold) else 0
            if count:
                yield (
                    f"{label(node)}: sums can come so close to {count} thresholds that float32 decides by its "
                    "rounding; the hardware decides on exact sums, and `compare` counts such samples separately"
                )
            if isinstance(node, Scale) and node.noise.any():
                yield (
                    f"{label(node)}: where a sum comes within {node.noise.max():.1g} of the next {node.dtype} code, "
                    "float32 may give that one; the hardware's codes are those of exact arithmetic, and `compare` "
                    "counts such samples separately"
                )

    def _narrow(self, value: Value) -> bool:
        """Whether the integers behind a value are codes, sums or pools of codes, and not what a layer gives."""
        return not self._wide(value.tensor) and self.integers(value.tensor).bits <= MAX_CODE_BITS

    def _wide(self, tensor: str) -> bool:
        node = self.new.makers[tensor]
        return isinstance(node, Dense) or (
            not isinstance(node, (Encode, Lookup, Scale, Threshold)) and any(self._wide(name) for name in node.inputs)
        )

    def _unique(self, name: str) -> str:
        return self.new.unique(name, self._graph.tensors)


def _sources(steps: tuple[Node, ...]) -> tuple[str, ...]:
    """The nodes of the model file that some steps stand for."""
    return tuple(dict.fromkeys(source for step in steps for source in step.source))
