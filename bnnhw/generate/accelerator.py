"""Plan -> Accelerator: the units of every layer and the streams between them."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.dataflow.layers import INPUT
from bnnhw.dataflow.pipeline import contents, loaded_words, pipeline
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout, result_layout
from bnnhw.gateware.loading.image_loader import IMAGE_BYTE, ImageLoader
from bnnhw.generate.circuits import circuit
from bnnhw.generate.ports import Ports
from bnnhw.memory_image import head


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
    image : In(stream), payload `IMAGE_BYTE`; loaded : Out(1), failed : Out(1)
        Only of a plan that `loads`: where the image of its memories comes (`bnnhw.memory_image`), and what became of
        it. Until it is `loaded`, `i` is not ready. Another image may begin only when no frame is inside.

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
        byte = stream.Signature(IMAGE_BYTE)
        loading = {"image": In(byte), "loaded": Out(1), "failed": Out(1)} if plan.loads else {}
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(self._ports.input.fields["data"]))),
                "o": Out(stream.Signature(result_layout(output.width, output.elements, output.lanes))),
                **loading,
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
                given = self._frames(m) if source == INPUT else _output(built[source], output)
                wiring.connect(m, given, _input(unit, port))
            built.append(unit)
        wiring.connect(m, built[-1].o, wiring.flipped(self.o))
        if self._plan.loads:
            words = len(loaded_words(self._plan, self._network, stages))
            self._load(m, words, [unit for stage, unit in zip(stages, built, strict=True) if stage.unit.spram()])
        return m

    def _frames(self, m):
        """The frames that come in, once all memories are loaded."""
        if not self._plan.loads:
            return wiring.flipped(self.i)
        frames = stream.Signature(self.i.payload.shape()).create()
        m.d.comb += [
            frames.payload.eq(self.i.payload),
            frames.valid.eq(self.i.valid & self.loaded),
            self.i.ready.eq(frames.ready & self.loaded),
        ]
        return frames

    def _load(self, m, words, loaded):
        """Passes the words of the image from one to the next of the units that are `loaded`."""
        m.submodules.loader = loader = ImageLoader(head(bytes.fromhex(self._plan.digest)), words, words)
        # From here to the counters of the memories is a cycle's work, so that the way here must not be part of it.
        byte = data_register(m, loader.i.payload)
        m.d.sync += [byte.eq(self.image.payload), loader.i.valid.eq(self.image.valid)]
        m.d.comb += [self.image.ready.eq(1), self.loaded.eq(loader.loaded), self.failed.eq(loader.failed)]
        source = loader.o
        for unit in loaded:
            wiring.connect(m, source, unit.load)
            m.d.comb += unit.begin.eq(loader.begin)
            source = unit.rest


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
