"""Plan -> units and the streams between them.

The one place that says which units an accelerator consists of. The gateware (`bnnhw.generate`), the model of its cycles
(`cycles`) and that of its area (`area`) are made from this list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import gcd, prod
from typing import Any

from bnnhw.dataflow.layers import INPUT, LayerPlan
from bnnhw.dataflow.layers.base import NamedUnit
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.plan import Plan
from bnnhw.memory_image import image
from bnnhw.units import (
    ConstantMatrixUnit,
    Contents,
    Fork,
    FrameGather,
    FrameGuard,
    FrameScatter,
    FrameStatus,
    LabelSelect,
    StreamFifo,
    Unit,
    VectorJoin,
    VectorSplit,
    WidthConverter,
)
from bnnhw.units.label_select import ScoreContents
from bnnhw.units.memories import written_kind
from bnnhw.units.stream_fifo import skid_buffer

# Elements that wait for their label in more registers than these do so in block RAM.
MAX_WAITING_BITS = 200


@dataclass(frozen=True)
class Stage:
    """A unit in its place.

    Parameters
    ----------
    name
        Unique, and a Verilog identifier: of the layer that it serves, and what it does there.
    unit
        What it is.
    inputs
        For each of its inputs, the index of the stage that feeds it and which of its outputs does; INPUT for the
        accelerator's input.
    layer, part
        Index of the layer that it serves, INPUT where it serves none; and what it does there, nothing where it only
        brings the layer's input in form, or gives its output to several readers.
    """

    name: str
    unit: Unit
    inputs: tuple[tuple[int, int], ...]
    layer: int = INPUT
    part: str = ""


def pipeline(plan: Plan, network: Network) -> list[Stage]:
    """All units of an accelerator, from its frame guard to its label select, each after those that feed it."""
    return _Builder(plan, network).stages


def contents(plan: Plan, network: Network, stages: Sequence[Stage]) -> dict[str, Contents]:
    """What the memories of the `stages` hold, by their names; nothing for a unit without numbers of a model."""
    family = plan.device.family
    found: dict[str, Contents] = {}
    for k, (layer, folded) in enumerate(zip(network.layers, plan.layers, strict=True)):
        own = layer.contents(folded, family, final=layer is network.layers[-1])
        found |= {stage.name: own[stage.part] for stage in stages if stage.layer == k and stage.part in own}
    return found | {"label_select": ScoreContents(network.score_scales, network.score_biases)}


def loaded_words(plan: Plan, network: Network, stages: Sequence[Stage]) -> list[int]:
    """What is loaded into the single-port RAMs of the `stages`, in their order: the words of `bnnhw.memory_image`."""
    held = contents(plan, network, stages)
    loading = [stage for stage in stages if stage.unit.spram()]
    return [word for stage in loading for word in stage.unit.load_words(held[stage.name])]


def memory_image(plan: Plan, network: Network) -> bytes | None:
    """The image of all that is loaded into an accelerator, see `bnnhw.memory_image`; None where nothing is."""
    if not plan.loads:
        return None
    return image(bytes.fromhex(plan.digest), loaded_words(plan, network, pipeline(plan, network)))


class _Builder:
    def __init__(self, plan: Plan, network: Network) -> None:
        self._plan, self._network = plan, network
        self._family = plan.device.family
        self.stages: list[Stage] = []
        # Of the layers that work on groups of frames: the first, and what tells its groups' sizes.
        self._first, self._sizes = 0, (INPUT, 0)
        # Free outputs of each layer's units, one for each reader.
        self._outputs: dict[int, list[tuple[int, int]]] = {}
        self._input()
        for k in range(len(network.layers)):
            self._layer(k)
        self._output()

    def _input(self) -> None:
        plan, bits = self._plan, self._network.i_dtype.bits
        frames = plan.input_frames
        guard = FrameGuard(frames.lanes * bits, frames.beats, frames.tail_lanes * bits)
        self.stages.append(Stage("guard", guard, ((INPUT, 0),)))
        end = 0, 0
        if whole_pixels(self._network, plan.input_simd):
            beats = self._network.i_shape[-1] // plan.input_simd
            end = self._add("input_split", VectorSplit(plan.input_simd * bits, beats), end)
        self._give(INPUT, "input", end, plan.input_simd * bits)

    def _layer(self, k: int) -> None:
        network, plans = self._network, self._plan.layers
        layer, folded = network.layers[k], plans[k]
        final = layer is network.layers[-1]
        opens, closes = not joined(network, plans, k), not joined(network, plans, k + 1)
        self._first = k if opens else self._first
        ends = [self._edge(k, p, 1 if opens else folded.side_by_side) for p in range(len(layer.inputs))]
        done = k - self._first + 1 if closes else 0
        for part, unit in layer.units(folded, self._family, opens=opens, closes=done, final=final):
            if isinstance(unit, FrameScatter):
                ends.append(self._sizes)
            ends = [self._add(f"{layer.name}_{part}", unit, *ends, layer=k, part=part)]
            if isinstance(unit, FrameGather):
                self._sizes = ends[0][0], 1
        self._give(k, layer.name, ends[0], layer.given(final=final).bits * folded.pe)

    def _output(self) -> None:
        plan, network = self._plan, self._network
        width, last = network.result.bits, len(network.layers) - 1
        converter = WidthConverter(width, plan.output_frames.elements, plan.layers[-1].pe, plan.output_lanes)
        end = self._add("output_lanes", converter, self._outputs[last][0])
        # Enough for every frame that the units can hold between input and output, so that it never stalls.
        frames = 4 * sum(layer.frames for layer in plan.layers) + 4
        if not isinstance(self.stages[end[0]].unit, ConstantMatrixUnit):
            # The label select stalls late in a cycle, and the last layer passes a stall on late, unless it ends in a
            # FIFO of its own.
            skid = skid_buffer(width * plan.output_lanes)
            end = self._add("output_skid", skid, end, part="skid")
            frames += skid.depth + 1
        frames += sum(stage.unit.depth for stage in self.stages if isinstance(stage.unit, ConstantMatrixUnit))
        self.stages.append(Stage("status", FrameStatus(frames), ((0, 1),)))
        status = len(self.stages) - 1, 0
        self.stages.append(Stage("label_select", label_select(network, plan.output_lanes, self._family), (end, status)))

    def _add(self, name: str, unit: Unit, *inputs: tuple[int, int], **place: Any) -> tuple[int, int]:
        if isinstance(unit, WidthConverter) and unit.wires:
            return inputs[0]
        # Not counting the guard.
        self.stages.append(Stage(f"{identifier(name)}_{len(self.stages) - 1}", unit, inputs, **place))
        return len(self.stages) - 1, 0

    def _give(self, index: int, name: str, source: tuple[int, int], width: int) -> None:
        """Offers the output of layer `index` to its readers."""
        readers = max(1, len(self._network.readers(index)))
        self._outputs[index] = [source]
        if readers > 1:
            fork, _ = self._add(f"{name}_fork", Fork(width, readers), source, layer=index)
            self._outputs[index] = [(fork, k) for k in range(readers)]

    def _edge(self, k: int, position: int, vectors: int) -> tuple[int, int]:
        """What brings input `position` of layer `k` from its source in the form that the layer takes: `vectors` frames
        side by side."""
        network, plan = self._network, self._plan
        layer, folded = network.layers[k], plan.layers[k]
        source = layer.inputs[position]
        end = self._outputs[source].pop(0)
        dtype = layer.i_dtypes[position]
        if source == INPUT:
            lanes = plan.input_simd
            made = network.i_shape if whole_pixels(network, lanes) else (plan.input_elements,)
        else:
            made, lanes = network.layers[source].o_shape, plan.layers[source].pe
        name = f"{layer.name}_{position}" if len(layer.inputs) > 1 else layer.name
        fifo, taken = folded.fifos[position], layer.i_shapes[position]
        for part, unit in edge_units(dtype.bits, made, lanes, taken, folded.i_lanes, fifo, self._family, vectors):
            end = self._add(f"{name}_{part}", unit, end, layer=k)
        return end


def whole_pixels(network: Network, lanes: int) -> bool:
    """Whether the network's input is a map that comes in beats of whole pixels, or of even parts of one."""
    return len(network.i_shape) > 1 and network.i_shape[-1] % lanes == 0


def label_select(network: Network, lanes: int, family: str) -> LabelSelect:
    """The label select of a network that gives `lanes` integers at a time."""
    largest = max(abs(scale) for scale in network.score_scales)
    classes = len(network.score_scales)
    unit = LabelSelect(network.result.bits, classes, lanes, network.affine_scores, largest.bit_length())
    # A cell of iCE40 with a register has no LUT for anything else.
    wide = family == "ice40" and unit.width * lanes * unit.latency > MAX_WAITING_BITS
    return replace(unit, kind="block") if wide else unit


def joined(network: Network, plans: Sequence[LayerPlan], k: int) -> bool:
    """Whether the frames that layer `k - 1` has worked on side by side go on so to layer `k`."""
    return joinable(network, k) and plans[k].side_by_side == plans[k - 1].side_by_side > 1


def joinable(network: Network, k: int) -> bool:
    """Whether layers `k - 1` and `k` both take whole frames, and nothing but these two has to do with what is between
    them."""
    if not 0 < k < len(network.layers):
        return False
    before, layer = network.layers[k - 1 : k + 1]
    direct = layer.inputs == (k - 1,) and len(network.readers(k - 1)) == 1
    return direct and before.framed and layer.framed and not layer.windowed


def edge_units(
    bits: int,
    made: tuple[int, ...],
    i_lanes: int,
    taken: tuple[int, ...],
    o_lanes: int,
    fifo: int,
    family: str,
    vectors: int = 1,
) -> Iterator[NamedUnit]:
    """The units between a layer that gives `made` in beats of `i_lanes` and one that takes `taken` in `o_lanes`, of
    `vectors` frames side by side.

    Where a map is read as a vector, or a vector as a map, beats become such as do not go beyond a pixel: only chunks
    without a tail can be strung together, or cut apart.
    """
    channels, lanes = made[-1], i_lanes
    regrouped = prod(made[:-1]) != prod(taken[:-1])
    if regrouped and prod(made[:-1]) > 1:
        chunk = lanes if channels % lanes == 0 else gcd(lanes, channels)
        yield "pixels", WidthConverter(bits, channels, lanes, chunk)
        yield "join", VectorJoin(bits * chunk, prod(made[:-1]))
        channels, lanes = prod(made), chunk
    if regrouped and prod(taken[:-1]) > 1:
        chunk = lanes if taken[-1] % lanes == 0 else gcd(lanes, taken[-1])
        yield "flat", WidthConverter(bits, channels, lanes, chunk)
        yield "split", VectorSplit(bits * chunk, taken[-1] // chunk)
        channels, lanes = taken[-1], chunk
    if fifo:
        yield "fifo", StreamFifo(bits * lanes, fifo, fifo_kind(bits * lanes, fifo, family))
    yield "lanes", WidthConverter(bits, channels, lanes, o_lanes, vectors)


def fifo_kind(width: int, depth: int, family: str) -> str:
    """Block RAM for what would take many flip-flops, or many LUTs."""
    bits = depth * (width + 1)
    return "block" if bits > (64 if family == "ice40" else 1024) else written_kind("lut", family)


def identifier(name: str) -> str:
    """`name` as a Verilog identifier."""
    text = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
    return text if text[:1].isalpha() else f"layer_{text}"
