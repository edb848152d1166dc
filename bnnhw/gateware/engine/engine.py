"""Engine: the whole of it, a network in its memory."""

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.engine.core import EngineCore
from bnnhw.gateware.engine.loader import Loader
from bnnhw.gateware.engine.memory import EngineMemory
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.layer_table import EngineShape


class Engine(wiring.Component):
    """Runs the network whose program was loaded: frames in, integers and the class out.

    Parameters
    ----------
    shape : EngineShape
        What it is made of.

    Members
    -------
    program : In(stream), payload ``{data: lanes, last: 1}``
        A program's image. Whatever the engine does, it stops, and what it was told to do is gone.
    i : In(stream), payload ``{data: lanes, last: 1}``
        Frames, see `bnnhw.gateware.engine.frame_reader`; none is taken while there is no program.
    o : Out(stream), payload ``{data: lanes, last: 1}``
        Answers, see `bnnhw.gateware.engine.result_sender`. One that a new program breaks off ends with a word that
        tells of damage.
    stopped : Out(1)
        Whether there is no program.
    refused : Out(1)
        Whether what was loaded last is none for this engine, or was damaged.

    Timing
    ------
    `bnnhw.overlay.cycles` gives the cycles of a program from frame to frame, exactly.

    Raises
    ------
    TypeError
        If `shape` is none.
    """

    def __init__(self, shape):
        if not isinstance(shape, EngineShape):
            raise TypeError(f"an engine's shape must be an EngineShape, not {shape!r}")
        self._shape = shape
        words = stream.Signature(frame_layout(shape.lanes))
        super().__init__(
            {"program": In(words), "i": In(words), "o": Out(words), "stopped": Out(1, init=1), "refused": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        shape = self._shape
        core = EngineCore(
            shape.lanes, shape.pixels, shape.banks, shape.lines, shape.weights, shape.slots, shape.width,
            family=shape.family,
        )  # fmt: skip
        m.submodules.loader = loader = Loader(shape.lanes, shape.banks, shape.lines, fingerprint=shape.fingerprint)
        m.submodules.core = ResetInserter(loader.stop)(core)
        m.submodules.memory = memory = EngineMemory(shape.lanes, shape.banks, shape.lines, kind=shape.memory)
        wiring.connect(m, wiring.flipped(self.program), loader.i)
        m.d.comb += [
            loader.stalled.eq(self.o.valid & ~self.o.ready),
            self.stopped.eq(loader.stop),
            self.refused.eq(loader.refused),
            core.read.eq(memory.o),
        ]
        self._requests(m, core, loader, memory)
        self._frames(m, core, loader)
        self._answers(m, core, loader)
        return m

    def _requests(self, m, core, loader, memory):
        """The memory's ports: addresses get a register, and so do words that are written, but those of the array come
        when it has them."""
        given, word = Signal(), Signal(self._shape.lanes, reset_less=True)
        loading = Signal()
        addr = Signal.like(memory.addr, reset_less=True)
        m.d.sync += [
            given.eq(core.given & ~loading),
            word.eq(Mux(loading, loader.word, core.word)),
            memory.write.eq(Mux(loading, loader.write, core.write)),
            *(addr[bank].eq(Mux(loading, loader.line, core.addr[bank])) for bank in range(self._shape.banks)),
        ]
        # The first word of a program comes while the engine still runs.
        m.d.comb += [loading.eq(loader.stop | loader.write.any()), memory.addr.eq(addr)]
        for bank in range(self._shape.banks):
            m.d.comb += memory.i[bank].eq(Mux(given, core.results[bank % self._shape.pixels], word))

    def _frames(self, m, core, loader):
        """A frame that was broken off by a new program is dropped up to its end."""
        within, drop = Signal(), Signal()
        moved = self.i.valid & self.i.ready
        m.d.comb += [
            core.i.valid.eq(self.i.valid & ~drop & ~loader.stop),
            core.i.payload.eq(self.i.payload),
            self.i.ready.eq(Mux(loader.stop, 0, drop | core.i.ready)),
        ]
        with m.If(moved):
            m.d.sync += within.eq(~self.i.payload.last)
        with m.If(loader.stop):
            m.d.sync += drop.eq(within)
        with m.Elif(moved & self.i.payload.last):
            m.d.sync += drop.eq(0)

    def _answers(self, m, core, loader):
        """An answer that was broken off by a new program is closed, as one that is damaged."""
        within, close = Signal(), Signal()
        moved = self.o.valid & self.o.ready
        m.d.comb += [
            self.o.valid.eq(Mux(close, 1, core.o.valid & ~loader.stop)),
            self.o.payload.eq(core.o.payload),
            core.o.ready.eq(self.o.ready & ~close & ~loader.stop),
        ]
        with m.If(close):
            m.d.comb += [self.o.payload.data.eq(1 << (self._shape.lanes - 1)), self.o.payload.last.eq(1)]
        with m.If(moved):
            m.d.sync += within.eq(~self.o.payload.last)
        with m.If(close & moved):
            m.d.sync += close.eq(0)
        with m.Elif(loader.stop & within & ~moved):
            m.d.sync += close.eq(1)
