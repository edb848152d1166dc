"""Store and forward: frames go on to the accelerator only once they are whole and checked."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.frame_layout import frame_layout


class FrameBuffer(wiring.Component):
    """Holds a few frames in block RAM, each in a slot of its own.

    Frames are written byte by byte to the free slots, and count once they are committed; frames that are not committed
    are written over by the next ones. There is no check for room: the writer must not have more than `slots` frames
    on the way.

    Parameters
    ----------
    frame_bytes : int
        Bytes of every frame.
    slots : int
        Frames, a power of two.

    Members
    -------
    offset : In(ceil_log2(frame_bytes)), data : In(8), write : In(1)
        Writes one byte of the frame.
    begin : In(1)
        What was not committed is forgotten. Not in the cycle of a `write` or `commit`.
    commit : In(1)
        The frames written since `begin` are whole and right.
    o : Out(stream), payload ``{data: 8, last: 1}``
        The frames, in order.

    Timing
    ------
    The first byte is offered 2 cycles after `commit`, then one byte every 2 cycles. A stall of `o` holds the byte.

    Raises
    ------
    ValueError
        If there is nothing to hold or the slots are not a power of two.
    """

    def __init__(self, frame_bytes, slots):
        if frame_bytes < 1 or slots < 1 or slots & (slots - 1):
            raise ValueError(f"cannot hold {slots!r} frames (a power of two) of {frame_bytes!r} bytes (at least 1)")
        self._frame_bytes = frame_bytes
        self._slots = slots
        super().__init__(
            {
                "offset": In(ceil_log2(frame_bytes)),
                "data": In(8),
                "write": In(1),
                "begin": In(1),
                "commit": In(1),
                "o": Out(stream.Signature(frame_layout(8))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        offset_bits, slot_bits = len(self.offset), ceil_log2(self._slots)
        # Slots start at powers of two, so that offset and slot beside each other are the address.
        memory = Memory(shape=8, depth=self._slots << offset_bits, init=[], attrs={"ram_style": "block"})
        m.submodules.memory = memory
        w_port, r_port = memory.write_port(), memory.read_port()
        # Frames ever filled, committed and read: one bit more than a slot's number tells full from empty.
        filled, written, read = Signal(slot_bits + 1), Signal(slot_bits + 1), Signal(slot_bits + 1)
        offset = Signal(offset_bits)
        m.d.comb += [
            w_port.addr.eq(Cat(self.offset, filled[:slot_bits])),
            w_port.data.eq(self.data),
            w_port.en.eq(self.write),
            r_port.addr.eq(Cat(offset, read[:slot_bits])),
            r_port.en.eq(1),
            self.o.payload.data.eq(r_port.data),
            self.o.payload.last.eq(offset == self._frame_bytes - 1),
        ]
        taken = self.o.valid & self.o.ready
        # After a byte was taken, the memory needs a cycle to read the next one.
        m.d.sync += self.o.valid.eq((written != read) & ~taken)
        with m.If(taken):
            m.d.sync += offset.eq(offset + 1)
            with m.If(self.o.payload.last):
                m.d.sync += [offset.eq(0), read.eq(read + 1)]
        with m.If(self.begin):
            m.d.sync += filled.eq(written)
        with m.Elif(self.write & (self.offset == self._frame_bytes - 1)):
            m.d.sync += filled.eq(filled + 1)
        with m.If(self.commit):
            m.d.sync += written.eq(filled)
        return m
