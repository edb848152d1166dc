"""Units that pass beats on: nothing is computed, so every beat out is made of lanes that came in."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw import units
from bnnhw.arithmetic.formats import DataType
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.streams.concat import Concat
from bnnhw.gateware.streams.frame_guard import FrameGuard
from bnnhw.gateware.streams.frame_status import FrameStatus
from bnnhw.gateware.streams.ready_slice import ReadySlice
from bnnhw.gateware.streams.result_cut import ResultCut
from bnnhw.gateware.streams.shift_queue import ShiftQueue
from bnnhw.generate.circuits import circuit
from proofs.case import StreamCase
from proofs.harness import Spec
from proofs.models import lanes

UINT2 = DataType("uint", 2)


def same(name, k, seen):
    """A beat as it came."""
    return [seen["i"][k].data], {"last": seen["i"][k].last}


def concatenated(name, k, seen):
    beats = [*seen["i0"], *seen["i1"]]
    return [beats[k].data], {"last": k == len(beats) - 1}


def sliced(name, k, seen):
    """Of six beats the fourth and the last."""
    return [seen["i"][(3, 5)[k]].data], {"last": k}


def convert(unit):
    """Case of a `WidthConverter`: lanes in their order, those beyond the frame's elements are zero on both sides."""
    i_beats, o_beats = -(-unit.elements // unit.i_lanes), -(-unit.elements // unit.o_lanes)

    def elements(seen, vector):
        size = unit.i_lanes * unit.lane_bits
        found = [beat.data[vector * size : (vector + 1) * size] for beat in seen["i"]]
        return [beat[k * unit.lane_bits : (k + 1) * unit.lane_bits] for beat in found for k in range(unit.i_lanes)]

    def expected(name, k, seen):
        out = []
        for vector in range(unit.vectors):
            known = elements(seen, vector)[: unit.elements]
            known += [Const(0, unit.lane_bits)] * (o_beats * unit.o_lanes - unit.elements)
            out += known[k * unit.o_lanes : (k + 1) * unit.o_lanes]
        return out, {"last": k == o_beats - 1}

    def legal(name, payload):
        tail = unit.elements - (i_beats - 1) * unit.i_lanes
        beyond = [lane for k, lane in enumerate(lanes(payload, unit.lane_bits)) if k % unit.i_lanes >= tail]
        return ~payload.last | (Cat(beyond) == 0) if beyond else None

    chunks = i_beats + o_beats
    spec = Spec({"i": i_beats}, {"o": o_beats}, expected, hang_cycles=chunks, i_last=lambda name, k: k == i_beats - 1,
                legal=legal)  # fmt: skip
    sizes = f"{unit.elements} lanes, {unit.i_lanes} to {unit.o_lanes} per beat, {unit.vectors} side by side"
    return StreamCase(
        "WidthConverter", sizes, lambda: circuit(unit), spec, depth=2 * chunks + 6, covers=(units.WidthConverter,),
        fast=unit.elements == 5,
    )  # fmt: skip


def result(classes, per_beat):
    """Case of a `ResultCut`."""
    beats = -(-classes // per_beat)

    def expected(name, k, seen):
        beat = seen["i"][k // per_beat]
        fields = {"label": beat.label, "error": beat.error, "last": k == classes - 1}
        return [Value.cast(beat.data)[2 * (k % per_beat) :][:2]], fields

    spec = Spec({"i": beats}, {"o": classes}, expected, hang_cycles=2, i_last=lambda name, k: k == beats - 1)
    return StreamCase(
        "ResultCut", f"{classes} elements, {per_beat} per beat", lambda: ResultCut(2, classes, per_beat), spec,
        depth=2 * classes + 4,
    )  # fmt: skip


class Damaged(wiring.Component):
    """A `FrameGuard` and its `FrameStatus`, fed with frames of 1 to 4 beats where there should be `beats`.

    A beat in is a whole frame: its `length` less one, and bits of four beats of which `length` are sent.
    """

    def __init__(self, beats):
        self._beats = beats
        frame = data.StructLayout({"length": 2, "data": 8, "last": 1})
        super().__init__(
            {
                "i": In(stream.Signature(frame)),
                "o": Out(stream.Signature(frame_layout(2))),
                "status": Out(stream.Signature(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.guard = guard = FrameGuard(2, self._beats, tail=1)
        m.submodules.status = status = FrameStatus(2)
        wiring.connect(m, guard.status, status.i)
        wiring.connect(m, guard.o, wiring.flipped(self.o))
        wiring.connect(m, status.o, wiring.flipped(self.status))
        beat = Signal(2)
        ends = beat == self.i.payload.length
        m.d.comb += [
            guard.i.valid.eq(self.i.valid),
            guard.i.payload.data.eq(self.i.payload.data.word_select(beat, 2)),
            guard.i.payload.last.eq(ends),
            self.i.ready.eq(guard.i.ready & ends),
        ]
        with m.If(guard.i.valid & guard.i.ready):
            m.d.sync += beat.eq(Mux(ends, 0, beat + 1))
        return m


def guarded(beats):
    """Case of a guard: whole frames come out, filled with zeros or cut, and are marked."""

    def expected(name, k, seen):
        frame = seen["i"][0]
        if name == "status":
            return [frame.length != beats - 1], {}
        there = frame.length >= k
        bits = frame.data[2 * k : 2 * k + 2]
        # Of the last beat only the low bit belongs to the frame.
        known = Cat(bits[0] & there, 0 if k == beats - 1 else bits[1] & there)
        return [known], {"last": k == beats - 1}

    spec = Spec({"i": 1}, {"o": beats, "status": 1}, expected, hang_cycles=8)
    return StreamCase(
        "FrameGuard, FrameStatus",
        f"frames of {beats} beats, 1 to 4 come",
        lambda: Damaged(beats),
        spec,
        depth=18,
        covers=(units.FrameGuard, units.FrameStatus),
    )


def built(unit):
    return lambda: circuit(unit)


CASES = [
    StreamCase(
        "Fork", "2 readers", built(units.Fork(2, 2)),
        Spec({"i": 1}, {"o0": 1, "o1": 1}, same, hang_cycles=1), depth=10, covers=(units.Fork,), fast=True,
    ),
    StreamCase(
        "Concat", "2 inputs, 2 and 1 beats", lambda: Concat([UINT2, UINT2], 1, [2, 1], UINT2),
        Spec({"i0": 2, "i1": 1}, {"o": 3}, concatenated, hang_cycles=2, i_last=lambda name, k: k == (name == "i0")),
        depth=12, covers=(units.Concat,), fast=True,
    ),
    StreamCase(
        "Slice", "2 of 3 beats, of every other vector", built(units.Slice(2, (True, False, True), (False, True))),
        Spec({"i": 6}, {"o": 2}, sliced, hang_cycles=4, i_last=lambda name, k: k % 3 == 2), depth=16,
        covers=(units.Slice,), fast=True,
    ),
    StreamCase(
        "VectorSplit", "vectors of 3 beats", built(units.VectorSplit(2, 3)),
        Spec({"i": 3}, {"o": 3}, lambda name, k, seen: ([seen["i"][k].data], {"last": k == 2}), hang_cycles=1),
        depth=12, covers=(units.VectorSplit,), fast=True,
    ),
    StreamCase(
        "VectorJoin", "2 vectors of 2 beats", built(units.VectorJoin(2, 2)),
        Spec({"i": 4}, {"o": 4}, lambda name, k, seen: ([seen["i"][k].data], {"last": k == 3}), hang_cycles=1,
             i_last=lambda name, k: k % 2 == 1),
        depth=14, covers=(units.VectorJoin,), fast=True,
    ),
    StreamCase(
        "StreamFifo", "3 beats deep", built(units.StreamFifo(1, 3, "lutram")), Spec({"i": 1}, {"o": 1}, same, hang_cycles=3),
        depth=14, covers=(units.StreamFifo,),
    ),
    StreamCase(
        "StreamFifo as skid buffer", "2 beats deep", built(units.StreamFifo(1, 2, "registers")), Spec({"i": 1}, {"o": 1}, same, hang_cycles=3),
        depth=12, covers=(units.StreamFifo,), fast=True,
    ),
    StreamCase(
        "ReadySlice", "2 bits", lambda: ReadySlice(2),
        Spec({"i": 1}, {"o": 1}, lambda name, k, seen: ([seen["i"][0]], {}), hang_cycles=2), depth=10, fast=True,
    ),
    StreamCase(
        "ShiftQueue", "3 entries", lambda: ShiftQueue(2, 3),
        Spec({"i": 1}, {"o": 1}, lambda name, k, seen: ([seen["i"][0]], {}), hang_cycles=2), depth=12, fast=True,
    ),
    convert(units.WidthConverter(1, 6, 3, 1)),
    convert(units.WidthConverter(1, 4, 1, 2)),
    convert(units.WidthConverter(1, 5, 3, 2)),
    convert(units.WidthConverter(1, 3, 1, 2, vectors=2)),
    convert(units.WidthConverter(1, 16, 1, 16)),
    result(3, 2),
    guarded(2),
    StreamCase(
        "FrameStatus", "2 frames", lambda: FrameStatus(2),
        Spec({"i": 1}, {"o": 1}, lambda name, k, seen: ([seen["i"][0]], {}), hang_cycles=2), depth=12, fast=True,
        covers=(units.FrameStatus,),
    ),
]  # fmt: skip
