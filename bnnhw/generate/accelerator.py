"""Plan -> Accelerator: the units of every layer and the streams between them."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow import constant
from bnnhw.dataflow import structure as units
from bnnhw.dataflow.images import element_order, matrix_image, threshold_image
from bnnhw.dataflow.layers import INPUT
from bnnhw.gateware.arithmetic.add_streams import AddStreams
from bnnhw.gateware.arithmetic.constant_mvu import ConstantMatrixUnit
from bnnhw.gateware.arithmetic.label_select import LabelSelect
from bnnhw.gateware.arithmetic.mvu import MatrixVectorUnit
from bnnhw.gateware.arithmetic.threshold import ThresholdUnit
from bnnhw.gateware.arithmetic.threshold_difference import ThresholdDifference
from bnnhw.gateware.frame_layout import frame_layout, result_layout
from bnnhw.gateware.streams.concat import Concat
from bnnhw.gateware.streams.fork import Fork
from bnnhw.gateware.streams.frame_gather import FrameGather
from bnnhw.gateware.streams.frame_guard import FrameGuard
from bnnhw.gateware.streams.frame_scatter import FrameScatter
from bnnhw.gateware.streams.frame_status import FrameStatus
from bnnhw.gateware.streams.stream_fifo import StreamFifo
from bnnhw.gateware.streams.vector_buffer import VectorBuffer
from bnnhw.gateware.streams.vector_marks import VectorJoin, VectorSplit
from bnnhw.gateware.streams.vector_scatter import VectorScatter
from bnnhw.gateware.streams.width_converter import WidthConverter
from bnnhw.gateware.windows.pool import Pool
from bnnhw.gateware.windows.sliding_window import SlidingWindow
from bnnhw.generate.ports import Ports


class Accelerator(wiring.Component):
    """A whole network: frames of activations in, the last layer's integers and the class out.

    Parameters
    ----------
    plan : Plan
        Folding and memories.
    network : Network
        The integers that the plan folds.

    Members
    -------
    i : In(stream), payload as `bnnhw.generate.ports` has it
        A shorter or longer frame is filled or cut, and answered with `error`; the frames after it are not touched.
    o : Out(stream), payload as `bnnhw.generate.ports` has it
        One frame for each that came in.

    Timing
    ------
    `bnnhw.dataflow.timing` gives latency and interval of a plan, to the cycle. Frames may follow each other without
    a gap; any stall of `o` reaches `i` without loss.
    """

    def __init__(self, plan, network):
        self._plan = plan
        self._network = network
        self._ports = Ports.of(plan, network)
        output = self._ports.output
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(self._ports.input.fields["data"]))),
                "o": Out(stream.Signature(result_layout(output.width, output.elements, output.lanes))),
            }
        )

    @property
    def ports(self):
        """What goes over the streams."""
        return self._ports

    def elaborate(self, platform):
        m = Module()
        plan, ports = self._plan, self._ports
        m.submodules.guard = guard = FrameGuard(
            ports.input.fields["data"], ports.input.beats, tail=ports.input.tail_bits
        )
        stages = units.structure(plan, self._network)
        # Enough for every frame that the units can hold between input and output, so that it never stalls.
        frames = 4 * sum(layer.frames for layer in plan.layers) + 4
        for stage in stages:
            if isinstance(stage.unit, units.Constant):
                frames += constant.pipeline(stage.unit.layer, stage.unit.plan.popcount_levels).held
        m.submodules.status = status = FrameStatus(frames)
        m.submodules.label_select = label_select = LabelSelect(
            ports.output.width, self._network.score_scales, self._network.score_biases, ports.output.lanes
        )
        wiring.connect(m, wiring.flipped(self.i), guard.i)
        wiring.connect(m, guard.status, status.i)
        wiring.connect(m, status.o, label_select.status)

        built: list[wiring.Component] = []
        for k, stage in enumerate(stages):
            unit = build_unit(stage.unit, plan.device.family, last=self._network.layers[-1])
            m.submodules[f"{identifier(stage.name)}_{k}"] = unit
            for port, (source, output) in enumerate(stage.inputs):
                given = guard.o if source == INPUT else stream_port(built[source], "o", output)
                wiring.connect(m, given, stream_port(unit, "i", port))
            built.append(unit)
        wiring.connect(m, built[-1].o, label_select.i)
        wiring.connect(m, label_select.o, wiring.flipped(self.o))
        return m


def stream_port(unit, side, index):
    """Stream `index` of a unit's inputs or outputs: ``i`` or ``o`` where it has one, ``i0``, ``i1``, .. elsewhere."""
    return getattr(unit, side) if hasattr(unit, side) else getattr(unit, f"{side}{index}")


def build_unit(unit, family, *, last=None):
    """The gateware of a unit of the structure, for a part of `family`, in a network that ends with the layer `last`."""
    return _BUILDERS[type(unit)](unit, family, last)


def memory_kind(memory, family):
    """A memory that is written: what the plan calls ``lut`` is LUT RAM where the part has it."""
    if memory == "block":
        return memory
    return "lutram" if family == "ecp5" else "registers"


def _buffer(unit, family, last):
    kind = memory_kind(unit.memory, family)
    return VectorBuffer(unit.width, unit.beats, unit.repeats, vectors=unit.vectors, total=unit.total, kind=kind)


def _scatter(unit, family, last):
    return VectorScatter(unit.width, unit.beats, unit.vectors, unit.total, kind=memory_kind(unit.memory, family))


def _frame_gather(unit, family, last):
    return FrameGather(unit.width, unit.beats, unit.repeats, unit.frames, kind=memory_kind(unit.memory, family))


def _frame_scatter(unit, family, last):
    kind = memory_kind(unit.memory, family)
    return FrameScatter(unit.width, unit.beats, unit.frames, unit.groups, kind=kind)


def _matrix(unit, family, last):
    layer, plan = unit.layer, unit.plan
    image = matrix_image(layer, plan, family)
    return MatrixVectorUnit(
        pe=plan.pe,
        simd=plan.simd,
        input_dtype=layer.input,
        weight_dtype=layer.weight,
        weights=image.weights,
        biases=image.biases,
        width=layer.width,
        divisor=layer.divisor,
        levels=plan.popcount_levels,
        vectors=plan.reuse,
        weight_memory=plan.weight_memory,
        weight_latency=unit.weight_latency,
        bias_memory=plan.threshold_memory,
        registered=unit.registered,
        family=family,
    )


def _constant(unit, family, last):
    layer, plan = unit.layer, unit.plan
    return ConstantMatrixUnit(
        constant.netlist(layer),
        layer.input,
        width=layer.width,
        # The element that is each column's, where the table has the column that is each element's.
        order=element_order(layer, plan).argsort().tolist(),
        levels=plan.popcount_levels,
        kind=memory_kind(plan.buffer_memory, family),
        family=family,
    )


def _thresholds(unit, family, last):
    image = threshold_image(unit.layer, unit.plan, final=unit.layer is last)
    return ThresholdUnit(
        pe=unit.plan.pe,
        width=unit.layer.width,
        thresholds=image.thresholds,
        codes=image.codes,
        bits=image.bits,
        tail=image.tail,
        vectors=unit.plan.reuse,
        memory=unit.plan.threshold_memory,
    )


def _offset(unit, family, last):
    layer = unit.layer
    offsets = [int(t) for t in layer.threshold.thresholds[:, 0]]
    return ThresholdDifference(
        layer.input, unit.plan.pe, offsets=offsets, signs=[int(s) for s in layer.signs], width=layer.width
    )


def _slide(unit, family, last):
    return SlidingWindow(
        unit.bits,
        unit.channels,
        unit.lanes,
        unit.height,
        unit.width,
        unit.geometry,
        fill=unit.fill,
        channels_outer=unit.channels_outer,
        tall=unit.tall,
        depth=unit.depth,
        kind=memory_kind(unit.memory, family),
    )


def _output_format(layer, last):
    """The format in which a layer without weights gives its integers: a number at the network's end, else codes."""
    return DataType("int", units.final_bits(layer)) if layer is last else layer.dtype


def _pool(unit, family, last):
    layer, lanes = unit.layer, unit.plan.pe
    return Pool(
        layer.input,
        lanes,
        layer.mh // lanes,
        operation=layer.operation,
        minimum=layer.minimum,
        out_dtype=_output_format(layer, last),
    )


def _add(unit, family, last):
    layer = unit.layer
    return AddStreams(list(layer.i_dtypes), list(layer.coefficients), unit.plan.pe, _output_format(layer, last))


def _concat(unit, family, last):
    layer = unit.layer
    channels = [shape[-1] for shape in layer.i_shapes]
    return Concat(list(layer.i_dtypes), unit.plan.pe, channels, _output_format(layer, last))


_BUILDERS: dict[type[units.Unit], Any] = {
    units.Buffer: _buffer,
    units.Scatter: _scatter,
    units.FrameGather: _frame_gather,
    units.FrameScatter: _frame_scatter,
    units.Matrix: _matrix,
    units.Constant: _constant,
    units.Thresholds: _thresholds,
    units.Offset: _offset,
    units.Slide: _slide,
    units.Pool: _pool,
    units.Add: _add,
    units.Concat: _concat,
    units.Convert: lambda unit, family, last: WidthConverter(
        unit.bits, unit.elements, unit.i_lanes, unit.o_lanes, vectors=unit.vectors
    ),
    units.Split: lambda unit, family, last: VectorSplit(unit.width, unit.beats),
    units.Join: lambda unit, family, last: VectorJoin(unit.width, unit.vectors),
    units.Fork: lambda unit, family, last: Fork(unit.width, unit.readers),
    units.Fifo: lambda unit, family, last: StreamFifo(unit.width, unit.depth, kind=memory_kind("lut", family)),
    units.Slack: lambda unit, family, last: StreamFifo(unit.width, 2, kind="registers"),
}


def identifier(name: str) -> str:
    """`name` as a Verilog identifier."""
    text = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
    return text if text[:1].isalpha() else f"layer_{text}"
