"""Frame gather: vectors of frames that follow each other, side by side."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import ram_attributes
from bnnhw.gateware.streams.vector_groups import count_repeats


class FrameGather(wiring.Component):
    """Gives up to `frames` vectors that are there side by side and several times over, so that a matrix-vector unit
    uses each of its weights for all of them.

    Whenever it has nothing to give, it takes what is complete as a group, be it a single vector: none ever waits for
    one that may not come. While a group goes out, up to `frames` more come in, so that groups are full where vectors
    come fast enough.

    Each vector has a lane of the output, in turn, whatever group it falls into: a group's first vector is in the lane
    after the last one of the group before. The other lanes of a group that is not full hold what was there before.

    Parameters
    ----------
    width : int
        Bits per beat.
    beats : int
        Beats per vector.
    repeats : int
        How often each group goes out.
    frames : int
        Vectors of a full group.
    kind : str
        Kind of memory, see `VectorBuffer`.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``
    o0 : Out(stream), payload ``{data: frames * width, last: 1}``
        Lane 0 is in the low bits; `last` closes the last repeat.
    o1 : Out(stream), payload ``{data: ceil_log2(frames), last: 1}``
        Vectors of each group, less one; offered from the group's first beat on. The group after it waits until it is
        taken.

    Timing
    ------
    The first beat goes out 2 cycles after a vector's last beat came in, if the group before is gone; then one beat per
    cycle, ``beats * repeats`` cycles per group, without a gap while there is a vector. Input stalls while
    ``2 * frames`` vectors are held.

    Raises
    ------
    ValueError
        If the kind of memory is unknown.
    """

    def __init__(self, width, beats, repeats, frames, *, kind="block"):
        self._width = width
        self._beats = beats
        self._repeats = repeats
        self._frames = frames
        self._attrs = ram_attributes(kind)
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(width))),
                "o0": Out(stream.Signature(frame_layout(width * frames))),
                "o1": Out(stream.Signature(frame_layout(ceil_log2(frames)))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        frames, depth = self._frames, 2 << ceil_log2(self._beats)
        lanes = []
        for k in range(frames):
            m.submodules[f"memory{k}"] = memory = Memory(shape=self._width, depth=depth, init=[], attrs=self._attrs)
            lanes.append((memory.write_port(), memory.read_port(domain="sync")))

        def address(beat, place):
            return Cat(beat, place) if self._beats > 1 else place

        held = Signal(range(2 * frames + 1))  # vectors that are complete and not yet read for the last time
        there, room = Signal(), Signal(init=1)  # whether there is one, and whether another may come
        came = Signal()

        # Vectors come into one lane after the other, and into each lane's two places in turn.
        filled, at_end = Signal(range(self._beats)), Signal(init=self._beats == 1)
        into, lane = Signal(), Signal(range(frames))
        taken = Signal()
        m.d.comb += [
            self.i.ready.eq(room),
            taken.eq(self.i.valid & self.i.ready),
            came.eq(taken & at_end),
        ]
        with m.If(taken):
            m.d.sync += [
                filled.eq(Mux(at_end, 0, filled + 1)),
                at_end.eq((filled == self._beats - 2) if self._beats > 1 else 1),
            ]
        with m.If(came):
            m.d.sync += lane.eq(lane + 1)
            with m.If(lane == frames - 1):
                m.d.sync += [lane.eq(0), into.eq(~into)]

        begun, noted, size = Signal(), Signal.like(held, reset_less=True), Signal.like(held)
        last, told = data_register(m, self.o0.payload.last), data_register(m, self.o1.payload.data)
        free, able, starts, moving, gone = Signal(), Signal(), Signal(), Signal(), Signal()
        beat, ends_group = count_repeats(m, moving, self._beats, self._repeats)
        m.d.comb += [
            free.eq(self.o0.ready | ~self.o0.valid),
            able.eq(begun | (there & (self.o1.ready | ~self.o1.valid))),
            starts.eq(free & able & ~begun),
            moving.eq(free & able),
            gone.eq(moving & ends_group),
            size.eq(Mux(begun, noted, Mux(held > frames, frames, held))),
        ]
        # Whether a vector comes and the group goes is known late in a cycle, and only chooses between what is there.
        less = held - size
        m.d.sync += [
            held.eq(Mux(came, Mux(gone, less + 1, held + 1), Mux(gone, less, held))),
            there.eq(came | Mux(gone, held != size, there)),
            room.eq(gone | (held != 2 * frames - came)),
        ]
        with m.If(free):
            m.d.sync += [self.o0.valid.eq(moving), last.eq(gone)]
        with m.If(starts):
            m.d.sync += [
                self.o1.valid.eq(1),
                told.eq(size - 1),
                noted.eq(size),
            ]
        with m.Elif(self.o1.ready):
            m.d.sync += self.o1.valid.eq(0)
        with m.If(moving):
            m.d.sync += begun.eq(~ends_group)
        # The group's first lane, and which of its places is read there; lanes below it are one place ahead.
        first, out_of, following = Signal(range(frames)), Signal(), Signal(range(2 * frames))
        m.d.comb += following.eq(first + size)
        with m.If(gone):
            m.d.sync += [
                first.eq(Mux(following >= frames, following - frames, following)),
                out_of.eq(out_of ^ (following >= frames)),
            ]
        m.d.comb += [self.o0.payload.data.eq(Cat(read.data for _, read in lanes)), self.o1.payload.last.eq(1)]
        for k, (write, read) in enumerate(lanes):
            m.d.comb += [
                write.addr.eq(address(filled, into)),
                write.data.eq(self.i.payload.data),
                write.en.eq(taken & (lane == k)),
                read.addr.eq(address(beat, out_of ^ (first > k))),
                read.en.eq(moving),
            ]
        return m
