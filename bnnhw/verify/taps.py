"""Where the tensors of a network go by in its hardware: from beats of streams between units back to integers.

Each layer has streams that carry its results: the sums of its matrix-vector unit, what its thresholds make of them, the
output of a pool, a sum or a concatenation. The order of elements in their beats is that of
`bnnhw.dataflow.layers.matrix_contents`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.bits import as_signed, unpack_words
from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.layers import LayerPlan, LookupLayer, WeightedLayer
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.pipeline import Stage, pipeline
from bnnhw.dataflow.plan import Plan
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Node, Threshold
from bnnhw.reference import traced
from bnnhw.units import FrameGather, ThresholdUnit
from bnnhw.verify.record import Record

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Seen:
    """A tensor as it went by.

    Parameters
    ----------
    values
        (frames, vectors, channels): of the frames that are complete.
    cycles
        Of the same shape: when the beat with this element was taken.
    """

    values: Integers
    cycles: Integers


@dataclass(frozen=True, eq=False)
class Tap:
    """A stream that carries a tensor.

    Parameters
    ----------
    name
        What `bnnhw.reference.trace` calls the tensor, if it gives it, else the name of the operation.
    node
        The operation that makes the tensor.
    layer
        Name of the hardware layer.
    stream
        As `bnnhw.verify.record` names it.
    sizes
        The stream that tells how many frames each group has, where frames are worked on side by side.
    bits, decode
        Of an element, and its meaning: codes, and the channel of each (0 to `channels` - 1), to integers.
    """

    name: str
    node: Node
    layer: str
    stream: str
    sizes: str | None
    plan: LayerPlan
    bits: int
    decode: Callable[[Integers, Integers], Integers]

    @property
    def streams(self) -> tuple[str, ...]:
        """All that has to be watched."""
        return (self.stream,) if self.sizes is None else (self.stream, self.sizes)

    def read(self, record: Record) -> Seen:
        """The tensor of all frames that went by completely."""
        plan = self.plan
        beats = list(record.streams[self.stream].transfers(record.cycles))
        cycles = np.array([cycle for cycle, _ in beats], np.int64)
        lanes = unpack_words([payload or 0 for _, payload in beats], self.bits, plan.pe * plan.side_by_side)
        groups, slots = self._groups(record, len(beats) // plan.nf)
        channels = np.arange(plan.mh)
        beat = groups[:, :, None] * plan.nf + channels // plan.pe
        values = lanes[beat, slots[:, :, None] * plan.pe + channels % plan.pe]
        return Seen(self.decode(values, channels), cycles[beat])

    def _groups(self, record: Record, complete: int) -> tuple[Integers, Integers]:
        """The group of each vector, and its place there, (frames, vectors) each, of the first `complete` groups."""
        batch, vectors = self.plan.side_by_side, self.plan.vectors
        if self.sizes is None:
            per_frame = -(-vectors // batch)
            frame, vector = np.mgrid[: complete // per_frame, :vectors]
            return frame * per_frame + vector // batch, vector % batch
        payloads = (payload for _, payload in record.streams[self.sizes].transfers(record.cycles))
        mask = (1 << (batch - 1).bit_length()) - 1
        sizes = [1 + ((payload or 0) & mask) for payload in payloads][:complete]
        groups = np.repeat(np.arange(len(sizes)), sizes)
        return groups[:, None], (np.arange(len(groups)) % batch)[:, None]


def taps(graph: Graph, plan: Plan, network: Network) -> list[Tap]:
    """The streams of all layers, in the order of the data."""
    names = {node.output: name for name, node in traced(graph).items()}
    found = []
    sizes: str | None = None
    for stage in pipeline(plan, network):
        if isinstance(stage.unit, FrameGather):
            sizes = f"{stage.name}.o1"
        result = _result(stage, network)
        if result is not None:
            made, bits, decode = result
            layer, folded = network.layers[stage.layer], plan.layers[stage.layer]
            own = sizes if folded.frames > 1 else None
            name = names.get(made.output, made.name)
            found.append(Tap(name, made, layer.name, f"{stage.name}.o", own, folded, bits, decode))
    return found


def watched(graph: Graph, plan: Plan, network: Network) -> list[str]:
    """The streams that have to be watched to see all tensors."""
    return list(dict.fromkeys(name for tap in taps(graph, plan, network) for name in tap.streams))


Result = tuple[Node, int, Callable[[Integers, Integers], Integers]]


def _result(stage: Stage, network: Network) -> Result | None:
    """The operation that a unit of a layer does, with the bits of its elements and their meaning; None for a unit that
    gives no tensor of the network."""
    unit, layer = stage.unit, network.layers[stage.layer]
    if not stage.part or not unit.gives:
        return None
    if isinstance(layer, LookupLayer):
        dtype = layer.given(final=layer is network.layers[-1])
        return layer.chain[-1], dtype.bits, _codes(dtype)
    if unit.gives == "sums":
        assert isinstance(layer, WeightedLayer)
        return layer.node, layer.width, _accumulator(layer)
    made: Node = layer.node
    if isinstance(layer, WeightedLayer):
        assert layer.threshold is not None
        made = layer.threshold
    if isinstance(unit, ThresholdUnit) and isinstance(made, Threshold) and len(made.table) > 1:
        return None  # it gives counts, and a table behind it the codes
    dtype = layer.given(final=layer is network.layers[-1])
    return made, dtype.bits, _codes(dtype)


def _accumulator(layer: WeightedLayer) -> Callable[[Integers, Integers], Integers]:
    """From what a matrix-vector unit gives, less its first threshold and divided, to the sum in the model file."""
    folded = layer.folded()
    signs = np.where(np.broadcast_to(layer.node.flip, (layer.mh,)), -1, 1)

    def decode(codes: Integers, channels: Integers) -> Integers:
        return folded.accumulators(as_signed(codes, layer.width), channels) * signs[channels]

    return decode


def _codes(dtype: DataType) -> Callable[[Integers, Integers], Integers]:
    return lambda codes, channels: dtype.decode(codes).astype(np.int64)
