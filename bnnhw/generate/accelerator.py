"""Plan -> Accelerator: the units of every layer, one behind the other."""

from amaranth.hdl import Module
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.dataflow.images import LayerImage, layer_image
from bnnhw.dataflow.layers import Layer
from bnnhw.dataflow.plan import LayerPlan
from bnnhw.gateware.frame_guard import FrameGuard
from bnnhw.gateware.label_select import LabelSelect, result_layout
from bnnhw.gateware.mvu import MatrixVectorUnit
from bnnhw.gateware.streams import frame_layout
from bnnhw.gateware.threshold import ThresholdUnit
from bnnhw.gateware.vector_buffer import VectorBuffer
from bnnhw.gateware.width_converter import WidthConverter


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
    i : In(stream), payload ``{data: input_simd * input bits, last: 1}``
        A frame is ``plan.input_beats`` beats, lane 0 in the low bits, `last` with the final one. A shorter or longer
        frame is
        filled or cut, and answered with `error`; the frames after it are not touched.
    o : Out(stream), payload ``{data: signed(output width), label, error: 1, last: 1}``
        One integer of the last layer per beat; `label` and `error` count with `last`. One frame for each that came in.

    Timing
    ------
    `bnnhw.dataflow.timing` gives latency and interval of a plan, to the cycle. Frames may follow each other without
    a gap; any stall of `o` reaches `i` without loss.
    """

    def __init__(self, plan, network):
        layers = network.layers
        self._plan = plan
        self._network = network
        self._chain = []
        images = [
            layer_image(layer, folded, final=k == len(layers) - 1)
            for k, (layer, folded) in enumerate(zip(layers, plan.layers, strict=True))
        ]
        for k, (layer, folded, image) in enumerate(zip(layers, plan.layers, images, strict=True)):
            self._chain += layer_units(layer, folded, image, plan.device.family)
            lanes = plan.layers[k + 1].simd if k + 1 < len(layers) else 1
            self._chain.append((f"converter_{k}", WidthConverter(image.element_bits, layer.mh, folded.pe, lanes)))
        self._output_width = images[-1].element_bits
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(plan.input_simd * plan.input_dtype.bits))),
                "o": Out(stream.Signature(result_layout(self._output_width, plan.output_elements))),
            }
        )

    @property
    def output_width(self):
        """Bits of an output integer."""
        return self._output_width

    def elaborate(self, platform):
        m = Module()
        plan, bits = self._plan, self._plan.input_dtype.bits
        tail = (plan.input_elements - (plan.input_beats - 1) * plan.input_simd) * bits
        m.submodules.guard = guard = FrameGuard(plan.input_simd * bits, plan.input_beats, tail=tail)
        # Deep enough for every frame that the units can hold between input and output, so that it never stalls.
        m.submodules.status = status = fifo.SyncFIFOBuffered(width=1, depth=4 * len(plan.layers) + 4)
        m.submodules.label_select = label_select = LabelSelect(
            self._output_width, self._network.score_scales, self._network.score_biases
        )
        wiring.connect(m, wiring.flipped(self.i), guard.i)
        wiring.connect(m, guard.status, status.w_stream)
        wiring.connect(m, status.r_stream, label_select.status)
        source = guard.o
        for name, unit in self._chain:
            m.submodules[name] = unit
            wiring.connect(m, source, unit.i)
            source = unit.o
        wiring.connect(m, source, label_select.i)
        wiring.connect(m, label_select.o, wiring.flipped(self.o))
        return m


def layer_units(layer: Layer, plan: LayerPlan, image: LayerImage, family: str) -> list[tuple[str, wiring.Component]]:
    """The units of one layer with their names, in the order of the data: the table of builders of a dense layer."""
    name = identifier(layer.name)
    units: list[tuple[str, wiring.Component]] = []
    if plan.nf > 1:
        width = plan.simd * layer.input.bits
        in_luts = "lutram" if family == "ecp5" else "registers"
        kind = plan.buffer_memory if plan.buffer_memory == "block" else in_luts
        units.append((f"{name}_buffer", VectorBuffer(width, plan.sf, plan.nf, kind=kind)))
    units.append(
        (
            f"{name}_mvu",
            MatrixVectorUnit(
                pe=plan.pe,
                simd=plan.simd,
                input_dtype=layer.input,
                weight_dtype=layer.weight,
                weights=image.weights,
                biases=image.biases,
                width=image.width,
                divisor=image.divisor,
                levels=plan.popcount_levels,
                weight_memory=plan.weight_memory,
                bias_memory=plan.threshold_memory,
            ),
        )
    )
    # Without thresholds the sums go on as they are; those of rows past the matrix are dropped by the width converter.
    if layer.threshold is not None:
        unit = ThresholdUnit(
            pe=plan.pe,
            width=image.width,
            thresholds=image.thresholds,
            codes=image.codes,
            bits=image.element_bits,
            tail=image.tail,
            memory=plan.threshold_memory,
        )
        units.append((f"{name}_thresholds", unit))
    return units


def identifier(name: str) -> str:
    """`name` as a Verilog identifier."""
    text = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
    return text if text[:1].isalpha() else f"layer_{text}"
