"""FIFO: beats that wait between two units."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import ram_attributes


class StreamFifo(wiring.Component):
    """Keeps up to ``depth + 1`` beats in their order.

    Parameters
    ----------
    width : int
        Bits per beat.
    depth : int
        Beats in the memory; one more stands at the output.
    kind : str
        Kind of memory, see `VectorBuffer`.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``
    o : Out(stream), payload ``{data: width, last: 1}``

    Timing
    ------
    Latency 2 cycles where nothing waits, a beat per cycle. Input stalls while the memory is full.

    Raises
    ------
    ValueError
        If `depth` is not positive, or the kind of memory is unknown.
    """

    def __init__(self, width, depth, *, kind="block"):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"depth must be a positive integer, not {depth!r}")
        self._width = width
        self._depth = depth
        # No word is read while it is written: it waits for a cycle at least.
        self._attrs = {**ram_attributes(kind), "no_rw_check": 1}
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(width))),
                "o": Out(stream.Signature(frame_layout(width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._width + 1, depth=self._depth, init=[], attrs=self._attrs)
        write, read = memory.write_port(), memory.read_port(domain="sync")
        level = Signal(range(self._depth + 1))
        ready = self.o.ready | ~self.o.valid
        m.d.comb += [
            # A power of two is reached with the highest bit alone.
            self.i.ready.eq(~level[-1] if self._depth & (self._depth - 1) == 0 else level != self._depth),
            write.en.eq(self.i.valid & self.i.ready),
            write.data.eq(Cat(self.i.payload.data, self.i.payload.last)),
            read.en.eq((level != 0) & ready),
            Cat(self.o.payload.data, self.o.payload.last).eq(read.data),
        ]
        # Whether a beat leaves is known last: it chooses between two sums, and does not go through one.
        m.d.sync += level.eq(Mux(read.en, level + write.en - 1, level + write.en))
        for port in (write, read):
            with m.If(port.en):
                m.d.sync += port.addr.eq(Mux(port.addr == self._depth - 1, 0, port.addr + 1))
        with m.If(ready):
            m.d.sync += self.o.valid.eq(level != 0)
        return m
