"""Plan -> Accelerator: the units of every layer and the streams between them."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.dataflow.layers import INPUT
from bnnhw.dataflow.pipeline import contents, pipeline
from bnnhw.gateware.frame_layout import frame_layout, result_layout
from bnnhw.generate.circuits import circuit
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
    `bnnhw.dataflow.cycles` gives latency and interval of a plan, to the cycle. Frames may follow each other without
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
