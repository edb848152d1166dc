"""Width conversion between streams of lanes, and so between the folding of one layer and the next."""

from math import gcd

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout

# Chunks of a beat from which on they are shifted into their places.
SHIFTED = 16


class WidthConverter(wiring.Component):
    """Regroups the lanes of a frame from `i_lanes` per beat to `o_lanes` per beat.

    A frame of `elements` lanes is ``ceil(elements / i_lanes)`` beats in and ``ceil(elements / o_lanes)`` beats out,
    lane 0 of a beat in its low bits. The lanes beyond `elements` of the last beat must be zero in, and are zero out.
    Lanes move in chunks of ``gcd(i_lanes, o_lanes)``; a beat in is cut into chunks where it stands, a beat out is
    collected in a register. Where the end of a frame is, the `last` of the input tells.

    Parameters
    ----------
    lane_bits : int
        Bits of one lane.
    elements : int
        Lanes of a frame.
    i_lanes, o_lanes : int
        Lanes of a beat.
    vectors : int
        Frames that come side by side in each beat, the first in the low bits, and so go out.

    Members
    -------
    i : In(stream), payload ``{data: vectors * lane_bits * i_lanes, last: 1}``
    o : Out(stream), payload ``{data: vectors * lane_bits * o_lanes, last: 1}``

    Timing
    ------
    Interval: one chunk per cycle, ``ceil(elements / gcd(i_lanes, o_lanes))`` cycles per frame, without a gap between
    frames. Latency: none where `o_lanes` divides `i_lanes` (the chunks are the beats out), else one cycle from the
    last chunk of a beat out to the beat. A stall of the output holds the input as soon as a beat out waits; a beat
    in is taken in the cycle in which its last chunk leaves. With as many lanes in as out it is wires.

    Raises
    ------
    ValueError
        If a parameter is not a positive integer.
    """

    def __init__(self, lane_bits, elements, i_lanes, o_lanes, *, vectors=1):
        parameters = {"lane_bits": lane_bits, "elements": elements, "i_lanes": i_lanes, "o_lanes": o_lanes}
        parameters["vectors"] = vectors
        for name, value in parameters.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        lanes = gcd(i_lanes, o_lanes)
        self._vectors = vectors
        self._chunk_bits = lane_bits * lanes
        self._chunks = -(-elements // lanes)
        self._i_chunks = i_lanes // lanes
        self._o_chunks = o_lanes // lanes
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(vectors * lane_bits * i_lanes))),
                "o": Out(stream.Signature(frame_layout(vectors * lane_bits * o_lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        chunks = self.i
        if self._i_chunks > 1:
            chunks = stream.Signature(frame_layout(self._vectors * self._chunk_bits)).create()
            self._cut(m, chunks)
        if self._o_chunks > 1:
            self._collect(m, chunks)
        else:
            wiring.connect(m, wiring.flipped(chunks) if chunks is self.i else chunks, wiring.flipped(self.o))
        return m

    def _cut(self, m, o):
        """The beats of `self.i` as a stream of chunks `o`."""
        vectors = [self.i.payload.data.word_select(k, self._i_chunks * self._chunk_bits) for k in range(self._vectors)]
        index = Signal(range(self._i_chunks))
        whole = self._i_chunks - 1
        # In the frame's last beat, chunks without any of its elements are left out.
        final = (self._chunks - 1) % self._i_chunks
        ends_beat = Signal()
        m.d.comb += [
            ends_beat.eq(index == (Mux(self.i.payload.last, final, whole) if final != whole else whole)),
            o.payload.data.eq(Cat(vector.word_select(index, self._chunk_bits) for vector in vectors)),
            o.payload.last.eq(self.i.payload.last & ends_beat),
            o.valid.eq(self.i.valid),
            self.i.ready.eq(o.ready & ends_beat),
        ]
        with m.If(o.valid & o.ready):
            m.d.sync += index.eq(Mux(ends_beat, 0, index + 1))

    def _collect(self, m, i):
        """The chunks of `i` as the beats of `self.o`."""
        index = Signal(range(self._o_chunks))
        bits = self._vectors * self._chunk_bits
        beat = [Signal(bits, name=f"chunk{k}", reset_less=True) for k in range(self._o_chunks)]
        last = data_register(m, self.o.payload.last)
        # Beats that are always full can be shifted in, without a place to choose for each chunk.
        shifted = self._o_chunks >= SHIFTED and self._chunks % self._o_chunks == 0
        # What the last beat of a frame leaves out was filled by the beat before, so each beat starts with it zero.
        final, whole = (self._chunks - 1) % self._o_chunks, self._o_chunks - 1
        ends_beat = Signal()
        m.d.comb += [
            ends_beat.eq((index == whole) | (i.payload.last if final != whole else 0)),
            self.o.payload.data.eq(
                Cat(chunk.word_select(k, self._chunk_bits) for k in range(self._vectors) for chunk in beat)
            ),
            i.ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(i.ready):
            m.d.sync += self.o.valid.eq(i.valid & ends_beat)
        with m.If(i.valid & i.ready):
            m.d.sync += [
                index.eq(Mux(ends_beat, 0, index + 1)),
                last.eq(i.payload.last),
            ]
            if shifted:
                m.d.sync += Cat(beat).eq(Cat(*beat[1:], i.payload.data))
            for k, chunk in enumerate(() if shifted else beat):
                with m.If(index == k):
                    m.d.sync += chunk.eq(i.payload.data)
                if k > final:
                    with m.Elif(index == 0):
                        m.d.sync += chunk.eq(0)
