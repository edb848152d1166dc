"""Units that hold beats and give them in another order, or several times."""

from amaranth.asserts import AnyConst
from amaranth.hdl import Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw import units
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.streams.frame_gather import FrameGather
from bnnhw.gateware.streams.frame_scatter import FrameScatter
from bnnhw.generate.circuits import circuit
from bnnhw.ir.geometry import Geometry
from proofs.case import StreamCase
from proofs.harness import Any, Spec
from proofs.models import windows


def buffer(unit, depth):
    """Case of a `VectorBuffer`: each group of vectors side by side, so often."""
    groups = [range(first, min(first + unit.vectors, unit.total)) for first in range(0, unit.total, unit.vectors)]
    plan = [(group, beat, repeat) for group in groups for repeat in range(unit.repeats) for beat in range(unit.beats)]

    def expected(name, k, seen):
        group, beat, repeat = plan[k]
        found = [seen["i"][vector * unit.beats + beat].data for vector in group]
        found += [Any(unit.width)] * (unit.vectors - len(group))
        return found, {"last": (beat, repeat) == (unit.beats - 1, unit.repeats - 1)}

    spec = Spec({"i": unit.total * unit.beats}, {"o": len(plan)}, expected, hang_cycles=4)
    sizes = f"{unit.beats} beats, {unit.repeats} times, {unit.vectors} of {unit.total} vectors side by side"
    return StreamCase(
        "VectorBuffer", sizes, lambda: circuit(unit), spec, depth, covers=(units.VectorBuffer,),
        fast=unit.vectors == 1,
    )  # fmt: skip


def scatter(unit, depth):
    """Case of a `VectorScatter`: the vectors of each group one after the other."""
    groups = -(-unit.total // unit.vectors)

    def expected(name, k, seen):
        vector, beat = divmod(k, unit.beats)
        group, lane = divmod(vector, unit.vectors)
        word = seen["i"][group * unit.beats + beat].data
        return [word[lane * unit.width : (lane + 1) * unit.width]], {"last": beat == unit.beats - 1}

    spec = Spec({"i": groups * unit.beats}, {"o": unit.total * unit.beats}, expected, hang_cycles=4)
    sizes = f"{unit.beats} beats, {unit.vectors} of {unit.total} vectors side by side"
    return StreamCase(
        "VectorScatter", sizes, lambda: circuit(unit), spec, depth, covers=(units.VectorScatter,)
    )  # fmt: skip


class Regrouped(wiring.Component):
    """A `FrameGather` and the `FrameScatter` that undoes it; of the repeats of each group one goes on, any of them."""

    def __init__(self, width, beats, repeats, frames, groups):
        self._gather = FrameGather(width, beats, repeats, frames, kind="registers")
        self._scatter = FrameScatter(width, beats, frames, groups, kind="registers")
        self._beats, self._repeats = beats, repeats
        layout = frame_layout(width)
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.gather, m.submodules.scatter = gather, scatter = self._gather, self._scatter
        wiring.connect(m, wiring.flipped(self.i), gather.i)
        wiring.connect(m, gather.o1, scatter.i1)
        wiring.connect(m, scatter.o, wiring.flipped(self.o))
        wanted, repeat, beat = Signal(range(self._repeats)), Signal(range(self._repeats)), Signal(range(self._beats))
        passes = repeat == wanted
        moved = gather.o0.valid & gather.o0.ready
        m.d.comb += [
            wanted.eq(AnyConst(len(wanted))),
            scatter.i0.payload.eq(gather.o0.payload),
            scatter.i0.valid.eq(gather.o0.valid & passes),
            gather.o0.ready.eq(scatter.i0.ready | ~passes),
        ]
        with m.If(moved):
            m.d.sync += beat.eq(beat + 1)
            with m.If(beat == self._beats - 1):
                m.d.sync += [beat.eq(0), repeat.eq(repeat + 1)]
                with m.If(gather.o0.payload.last):
                    m.d.sync += repeat.eq(0)
        return m


def regrouped(beats, repeats, frames, depth):
    spec = Spec(
        {"i": beats}, {"o": beats},
        lambda name, k, seen: ([seen["i"][k].data], {"last": k == beats - 1}), hang_cycles=2 * beats * repeats + 8,
    )  # fmt: skip
    return StreamCase(
        "FrameGather, FrameScatter", f"{beats} beats, {repeats} times, {frames} frames side by side",
        lambda: Regrouped(1, beats, repeats, frames, 3), spec, depth, covers=(units.FrameGather, units.FrameScatter),
    )  # fmt: skip


def window(height, width, geometry, depth, *, channels=1, per_beat=1, channels_outer=False, fill=1, tall=False):
    """Case of a `SlidingWindow`, of 1 bit per channel, and 1 or a mark outside the map."""
    unit = units.SlidingWindow(1, channels, per_beat, height, width, geometry, fill, channels_outer, tall, 0, "lutram")
    chunks, (kh, kw) = channels // per_beat, geometry.kernel
    beats = []  # of each window: the taps of each beat, its chunk, and whether it is the last
    for taps in windows(height, width, geometry):
        if tall:
            columns = [taps[x::kw] for x in range(kw)]
            order = [(column, chunk) for column in columns for chunk in range(chunks)]
        elif channels_outer:
            order = [([tap], chunk) for chunk in range(chunks) for tap in taps]
        else:
            order = [([tap], chunk) for tap in taps for chunk in range(chunks)]
        group = kh * kw if channels_outer else len(order)
        beats += [(*entry, k % group == group - 1) for k, entry in enumerate(order)]

    def expected(name, k, seen):
        taps, chunk, last = beats[k]
        found = []
        for tap in taps:
            if tap is None:
                found.append(Any(per_beat) if fill is None else (1 << per_beat) - 1)
            else:
                found.append(seen["i"][(tap[0] * width + tap[1]) * chunks + chunk].data)
        skip = {"skip": taps[0] is None} if fill is None else {}
        return [_bits(lane, per_beat) for lane in found], {"last": last, **skip}

    spec = Spec({"i": height * width * chunks}, {"o": len(beats)}, expected, hang_cycles=4)
    order = "columns" if tall else "taps of a channel" if channels_outer else "taps"
    order += ", marked outside" if fill is None else ""
    pads = f", pads {geometry.pads}" if any(geometry.pads) else ""
    step = f" by {geometry.strides}" if geometry.strides != (1, 1) else ""
    apart = f" dilated by {geometry.dilations}" if geometry.dilations != (1, 1) else ""
    sizes = f"{height}x{width} map of {channels}, windows {kh}x{kw}{step}{apart}{pads}, {order}"
    return StreamCase("SlidingWindow", sizes, lambda: circuit(unit), spec, depth, covers=(units.SlidingWindow,))


def _bits(lane, width):
    return Const(lane, width) if isinstance(lane, int) else lane


CASES = [
    buffer(units.VectorBuffer(1, 2, 2, 1, 1, "lutram"), 18),
    buffer(units.VectorBuffer(1, 1, 2, 2, 3, "lutram"), 20),
    buffer(units.VectorBuffer(1, 3, 1, 1, 1, "lutram"), 16),
    scatter(units.VectorScatter(1, 2, 2, 3, "lutram"), 18),
    regrouped(1, 1, 2, 14),
    regrouped(1, 2, 2, 20),
    window(3, 2, Geometry((2, 2)), 24),
    window(3, 3, Geometry((1, 1), (2, 2)), 30),
    window(1, 2, Geometry((2, 2), pads=(1, 1, 0, 0)), 30),
    window(2, 1, Geometry((2, 1), (2, 1), pads=(1, 0, 1, 0)), 20),
    window(3, 1, Geometry((2, 1), dilations=(2, 1)), 16),
    window(1, 2, Geometry((1, 2), pads=(0, 1, 0, 0)), 26, channels=2),
    window(1, 3, Geometry((1, 2)), 28, channels=2, channels_outer=True, fill=None),
    window(1, 2, Geometry((1, 2), pads=(0, 1, 0, 0)), 26, channels=2, channels_outer=True),
    window(2, 2, Geometry((2, 1), pads=(1, 0, 0, 0)), 18, tall=True),
    window(3, 2, Geometry((2, 2)), 18, tall=True),
]
