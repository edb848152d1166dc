"""Plan -> Accelerator: the units of every layer and the streams between them."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.dataflow.layers import INPUT
from bnnhw.dataflow.pipeline import contents, pipeline
from bnnhw.gateware.arithmetic.label_select import result_layout
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.generate.circuits import circuit


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
        A frame is ``plan.input_beats`` beats, lane 0 in the low bits, `last` with the final one; a map comes pixel by
        pixel, row by row, its channels together. A shorter or longer frame is filled or cut, and answered with `error`;
        the frames after it are not touched.
    o : Out(stream), payload ``{data: output_lanes x signed(output width), label, error: 1, last: 1}``
        Integers of the last layer, ``plan.output_lanes`` per beat, the first in the low bits; `label` and `error` count
        with `last`. One frame for each that came in.

    Timing
    ------
    `bnnhw.dataflow.cycles` gives latency and interval of a plan, to the cycle. Frames may follow each other without
    a gap; any stall of `o` reaches `i` without loss.
    """

    def __init__(self, plan, network):
        self._plan = plan
        self._network = network
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(plan.input_simd * plan.input_dtype.bits))),
                "o": Out(stream.Signature(result_layout(self.output_width, plan.output_elements, plan.output_lanes))),
            }
        )

    @property
    def output_width(self):
        """Bits of an output integer."""
        return self._network.result.bits

    def elaborate(self, platform):
        m = Module()
        stages = pipeline(self._plan, self._network)
        held = contents(self._plan, self._network, stages)
        built: list[wiring.Component] = []
        for stage in stages:
            unit = circuit(stage.unit, held.get(stage.name))
            m.submodules[stage.name] = unit
            for port, (source, output) in enumerate(stage.inputs):
                given = wiring.flipped(self.i) if source == INPUT else _output(built[source], output)
                wiring.connect(m, given, _input(unit, port))
            built.append(unit)
        wiring.connect(m, built[-1].o, wiring.flipped(self.o))
        return m


def _input(unit, index):
    """Input `index` of a unit: `i` and `status`, or `i0`, `i1`, .."""
    if hasattr(unit, "i"):
        return unit.status if index else unit.i
    return getattr(unit, f"i{index}")


def _output(unit, index):
    """Output `index` of a unit: `o` and `status`, or `o0`, `o1`, .."""
    if hasattr(unit, "o"):
        return unit.status if index else unit.o
    return getattr(unit, f"o{index}")
