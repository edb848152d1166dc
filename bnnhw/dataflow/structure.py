"""Plan -> units and the streams between them.

The one place that says which units an accelerator consists of. The gateware (`bnnhw.generate`), the model of its
cycles (`timing`) and that of its area (`cost`) are made from this list, each by a table with one entry per kind of
unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from typing import TypeGuard

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.layers import INPUT, AddLayer, ConcatLayer, Layer, MatrixLayer, Network, PoolLayer, ThresholdLayer
from bnnhw.dataflow.plan import LOGIC, LayerPlan, Plan
from bnnhw.ir.geometry import Geometry

# So many lanes freeze together when their sums have to wait. That takes most of a cycle, so whether they do must not
# depend on what stands behind, unit after unit: registers tell, those of a FIFO.
MANY_LANES = 512


class Unit:
    """What a unit is parametrised with, all but the numbers that a model brings."""


@dataclass(frozen=True)
class Buffer(Unit):
    """Gives each group of `vectors` vectors, side by side, `repeats` times; a frame has `total` of them."""

    width: int
    beats: int
    repeats: int
    vectors: int
    total: int
    memory: str


@dataclass(frozen=True)
class Scatter(Unit):
    """Gives vectors that come side by side one after the other."""

    width: int
    beats: int
    vectors: int
    total: int
    memory: str


@dataclass(frozen=True)
class FrameGather(Unit):
    """Gives up to `frames` vectors, of a frame each, side by side, `repeats` times."""

    width: int
    beats: int
    repeats: int
    frames: int
    memory: str


@dataclass(frozen=True)
class FrameScatter(Unit):
    """Gives what comes side by side, up to `frames` vectors of up to `groups` groups, one after the other."""

    width: int
    beats: int
    frames: int
    groups: int
    memory: str


@dataclass(frozen=True)
class Matrix(Unit):
    """PE rows beside their weights."""

    layer: MatrixLayer
    plan: LayerPlan

    @property
    def registered(self) -> bool:
        """Whether the sums have registers of their own: not before thresholds that have some, a single one has none."""
        return self.layer.thresholds <= 1

    @property
    def weight_latency(self) -> int:
        """Cycles from a row's address to its weights: a single row is a constant, read by nobody."""
        return self.plan.weight_latency if self.plan.nf * self.plan.sf > 1 else 1


@dataclass(frozen=True)
class Constant(Unit):
    """A matrix folded into adders, and a FIFO for what they give."""

    layer: MatrixLayer
    plan: LayerPlan


@dataclass(frozen=True)
class Thresholds(Unit):
    """From sums, less their first threshold, to codes."""

    layer: MatrixLayer | ThresholdLayer
    plan: LayerPlan


@dataclass(frozen=True)
class Offset(Unit):
    """From codes to numbers, less their first threshold."""

    layer: ThresholdLayer
    plan: LayerPlan


@dataclass(frozen=True)
class Slide(Unit):
    """The windows of a map, tap after tap or column after column (`tall`); those of a pool channel by channel."""

    bits: int
    channels: int
    lanes: int
    height: int
    width: int
    geometry: Geometry
    fill: int
    channels_outer: bool
    tall: bool
    depth: int
    memory: str


@dataclass(frozen=True)
class Pool(Unit):
    """One beat of each group of taps."""

    layer: PoolLayer
    plan: LayerPlan


@dataclass(frozen=True)
class Add(Unit):
    layer: AddLayer
    plan: LayerPlan


@dataclass(frozen=True)
class Concat(Unit):
    layer: ConcatLayer
    plan: LayerPlan


@dataclass(frozen=True)
class Convert(Unit):
    """From `i_lanes` to `o_lanes` elements per beat, of each of `vectors` vectors."""

    bits: int
    elements: int
    i_lanes: int
    o_lanes: int
    vectors: int = 1

    @property
    def wires(self) -> bool:
        return self.i_lanes == self.o_lanes


@dataclass(frozen=True)
class Split(Unit):
    """Marks the end of each vector in a frame of many: every `beats` beats."""

    width: int
    beats: int


@dataclass(frozen=True)
class Join(Unit):
    """Makes `vectors` vectors one."""

    width: int
    vectors: int


@dataclass(frozen=True)
class Fork(Unit):
    """Each beat to several readers."""

    width: int
    readers: int


@dataclass(frozen=True)
class Fifo(Unit):
    """Holds `depth` beats."""

    width: int
    depth: int


@dataclass(frozen=True)
class Slack(Unit):
    """Room for two beats, which keeps a stall from going on to what is in front within the same cycle."""

    width: int


@dataclass(frozen=True)
class Stage:
    """A unit in its place.

    Parameters
    ----------
    name
        Unique; of the layer that it serves, and what it does there.
    unit
        What it is.
    inputs
        For each of its inputs, the index of the stage that feeds it and which of its outputs does; INPUT for the
        accelerator's input.
    """

    name: str
    unit: Unit
    inputs: tuple[tuple[int, int], ...]


def structure(plan: Plan, network: Network) -> list[Stage]:
    """All units of an accelerator between its frame guard and its label select, each after those that feed it."""
    return _Builder(plan, network).stages


class _Builder:
    def __init__(self, plan: Plan, network: Network) -> None:
        self._plan = plan
        self._network = network
        self.stages: list[Stage] = []
        # Free outputs of each layer's units, one for each reader.
        self._outputs: dict[int, list[tuple[int, int]]] = {}
        self._input()
        first, counts = 0, (INPUT, 0)  # of the layers that work on groups of frames: the first, and its groups' sizes
        for k, (layer, folded) in enumerate(zip(network.layers, plan.layers, strict=True)):
            opens, closes = not joined(network, plan.layers, k), not joined(network, plan.layers, k + 1)
            ends = [self._edge(layer, folded, p, 1 if opens else folded.reuse) for p in range(len(layer.inputs))]
            first = k if opens else first
            width = final_bits(layer) if layer is network.layers[-1] else layer.o_width
            done = k - first + 1 if closes else 0
            for part, unit in layer_units(layer, folded, opens=opens, closes=done, o_width=width):
                if isinstance(unit, FrameScatter):
                    ends.append(counts)
                ends = [self._add(f"{layer.name}_{part}", unit, *ends)]
                if isinstance(unit, FrameGather):
                    counts = ends[0][0], 1
            self._give(k, layer.name, ends[0], width * folded.pe)
        last = network.layers[-1]
        ends = [self._outputs[len(network.layers) - 1][0]]
        lanes = plan.layers[-1].pe, plan.output_lanes
        self._add("output_lanes", Convert(final_bits(last), plan.output_elements, *lanes), *ends)

    def _input(self) -> None:
        source, shape, width = (INPUT, 0), self._network.i_shape, self._plan.input_simd * self._network.i_dtype.bits
        if len(shape) > 1:
            source = self._add("input_split", Split(width, shape[-1] // self._plan.input_simd), source)
        self._give(INPUT, "input", source, width)

    def _add(self, name: str, unit: Unit, *inputs: tuple[int, int]) -> tuple[int, int]:
        if isinstance(unit, Convert) and unit.wires:
            return inputs[0]
        self.stages.append(Stage(name, unit, inputs))
        return len(self.stages) - 1, 0

    def _give(self, index: int, name: str, source: tuple[int, int], width: int) -> None:
        """Offers the output of layer `index` to its readers."""
        readers = max(1, len(self._network.readers(index)))
        self._outputs[index] = [source]
        if readers > 1:
            fork, _ = self._add(f"{name}_fork", Fork(width, readers), source)
            self._outputs[index] = [(fork, k) for k in range(readers)]

    def _edge(self, layer: Layer, folded: LayerPlan, position: int, vectors: int) -> tuple[int, int]:
        """What brings input `position` of a layer from its source in the form that the layer takes: `vectors` frames
        side by side."""
        source, shape = layer.inputs[position], layer.i_shapes[position]
        end = self._outputs[source].pop(0)
        if source == INPUT:
            made, lanes, bits = self._network.i_shape, self._plan.input_simd, self._network.i_dtype.bits
        else:
            before = self._network.layers[source]
            made, lanes, bits = before.o_shape, self._plan.layers[source].pe, before.o_width
        name = f"{layer.name}_{position}" if len(layer.inputs) > 1 else layer.name
        for part, unit in edge_units(bits, made, lanes, shape, folded.i_lanes, folded.fifos[position], vectors):
            end = self._add(f"{name}_{part}", unit, end)
        return end


def final_bits(layer: Layer) -> int:
    """Bits of one of the network's own outputs: a two's complement number."""
    if isinstance(layer, MatrixLayer) and layer.threshold is None:
        return layer.o_width
    assert layer.dtype is not None
    return layer.dtype.bits + (layer.dtype.kind in ("bipolar", "uint"))


def joined(network: Network, plans: Sequence[LayerPlan], k: int) -> bool:
    """Whether the frames that layer `k - 1` has worked on side by side go on so to layer `k`."""
    return joinable(network, k) and plans[k].reuse == plans[k - 1].reuse > 1


def joinable(network: Network, k: int) -> bool:
    """Whether layers `k - 1` and `k` both take whole frames, and nothing but these two has to do with what is between
    them."""
    if not 0 < k < len(network.layers):
        return False
    before, layer = network.layers[k - 1 : k + 1]
    direct = layer.inputs == (k - 1,) and len(network.readers(k - 1)) == 1
    return direct and framed(before) and framed(layer) and layer.window is None


def framed(layer: Layer) -> TypeGuard[MatrixLayer]:
    """Whether a layer has weights and one vector per frame, so that only frames can share a fetched weight."""
    return isinstance(layer, MatrixLayer) and layer.vectors == 1


def edge_units(
    bits: int, made: tuple[int, ...], i_lanes: int, taken: tuple[int, ...], o_lanes: int, fifo: int, vectors: int = 1
) -> Iterator[tuple[str, Unit]]:
    """The units between a layer that gives `made` in beats of `i_lanes` and one that takes `taken` in `o_lanes`, of
    `vectors` frames side by side."""
    channels = made[-1]
    if len(made) > len(taken) and made[0] * made[1] > 1:
        # Beats of whole pixels become those of one long vector: only chunks without a tail can be strung together.
        chunk = i_lanes if channels % i_lanes == 0 else gcd(i_lanes, channels)
        yield "pixels", Convert(bits, channels, i_lanes, chunk)
        yield "join", Join(bits * chunk, made[0] * made[1])
        i_lanes, channels = chunk, taken[-1]
    if fifo:
        yield "fifo", Fifo(bits * i_lanes, fifo)
    yield "lanes", Convert(bits, channels, i_lanes, o_lanes, vectors)


def layer_units(
    layer: Layer, plan: LayerPlan, *, opens: bool = True, closes: int = 1, o_width: int | None = None
) -> Iterator[tuple[str, Unit]]:
    """The units of a layer, one behind the other; the network's last one has another `o_width`, see `final_bits`.

    Where it works on several frames side by side, it `opens` or is joined to the layer before, and it `closes` what so
    many layers did, or (0) is joined to the layer behind.
    """
    frames = plan.reuse if framed(layer) else 1
    width = plan.pe * (layer.o_width if o_width is None else o_width)
    if isinstance(layer, MatrixLayer):
        if layer.window is not None:
            yield "window", _slide(layer, plan, layer.window.geometry, layer.window.fill, channels_outer=False)
            yield "window_lanes", Convert(layer.input.bits, layer.mw, plan.window_lanes, plan.simd)
        lanes = plan.simd * layer.input.bits
        if frames > 1 and opens:
            yield "gather", FrameGather(lanes, plan.sf, plan.nf, frames, plan.buffer_memory)
        elif frames > 1 and plan.nf > 1:
            yield "buffer", Buffer(lanes * frames, plan.sf, plan.nf, 1, 1, plan.buffer_memory)
        elif plan.nf > 1 or plan.reuse > frames:
            yield "buffer", Buffer(lanes, plan.sf, plan.nf, plan.reuse, layer.vectors, plan.buffer_memory)
        yield "mvu", (Constant if plan.weight_memory == LOGIC else Matrix)(layer, plan)
    elif isinstance(layer, PoolLayer):
        geometry = layer.pool.geometry
        yield "window", _slide(layer, plan, geometry, 0, channels_outer=True)
        yield "pool", Pool(layer, plan)
    elif isinstance(layer, AddLayer):
        yield "add", Add(layer, plan)
    elif isinstance(layer, ConcatLayer):
        yield "concat", Concat(layer, plan)
    elif isinstance(layer, ThresholdLayer):
        yield "offset", Offset(layer, plan)
    if isinstance(layer, (MatrixLayer, ThresholdLayer)) and layer.threshold is not None:
        yield "thresholds", Thresholds(layer, plan)
        if isinstance(layer, MatrixLayer) and _counted_lanes(layer, plan) >= MANY_LANES:
            yield "slack", Slack(width * plan.reuse)
    if frames > 1:
        if closes:
            # In each layer a group is being computed; others wait at the ends.
            groups = closes + 3
            yield "scatter", FrameScatter(width, plan.nf, frames, groups, plan.buffer_memory)
    elif plan.reuse > 1:
        yield "scatter", Scatter(width, plan.nf, plan.reuse, layer.vectors, plan.buffer_memory)


def _counted_lanes(layer: MatrixLayer, plan: LayerPlan) -> int:
    return plan.pe * plan.reuse * plan.simd * layer.product.terms


def _slide(layer: Layer, plan: LayerPlan, geometry: Geometry, fill: int, *, channels_outer: bool) -> Slide:
    height, width, channels = layer.i_shapes[0]
    dtype: DataType = layer.input
    code = int(dtype.encode(fill)) if dtype.contains(fill) else 0
    return Slide(
        dtype.bits, channels, plan.lanes, height, width, geometry, code, channels_outer, plan.window_rows > 1,
        plan.window_depth, plan.window_memory,
    )  # fmt: skip
