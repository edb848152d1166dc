"""The engine of the overlay: what its PEs sum up, and what words it makes of a frame."""

from amaranth.hdl import (
    Array,
    Assert,
    Assume,
    Cat,
    ClockDomain,
    Const,
    Cover,
    Elaboratable,
    Module,
    Mux,
    Signal,
    signed,
)

from bnnhw.arithmetic.weight_coding import MatchCoding
from bnnhw.gateware.engine.frame_reader import FrameReader
from bnnhw.gateware.engine.pe import EnginePE
from proofs.case import RunCase
from proofs.harness import chosen


class PECheck(Elaboratable):
    """A PE's bits are those of sums that its words were added to, one after the other; doubling adds the sum as it was
    before the word before."""

    WORDS = ("count", "lane", "add", "double")

    def __init__(self, faults, lanes, width, family):
        self._faults, self._lanes, self._width, self._family = faults, lanes, width, family
        self._clock = ClockDomain("sync", reset_less=True)
        names = (*self.WORDS, "first", "toggle", "below", "fresh", "emit")
        self.inputs = {name: Signal(name=name) for name in names}
        self.words = [Signal(lanes, name=name) for name in ("activations", "weights")]
        self.ports = [self._clock.clk, *self.inputs.values(), *self.words]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self._clock
        m.submodules.unit = unit = EnginePE(self._lanes, self._width, family=self._family)
        x, w = self.words
        count, lane, add, double, first, *last = self.inputs.values()
        # Under a fault, the unit sees a bit of its inputs inverted.
        fault = chosen(m, "fault", 4) if self._faults else Const(15, 4)
        bent = Cat(wire ^ (fault == k) for k, wire in enumerate([*self.inputs.values(), x[0]]))
        coding = MatchCoding.of(self._lanes, self._family, spare=False)
        seen = [Cat(bent[9], x[1:]), w]
        coded = [coding.activations(list(seen[0])), coding.weights(list(seen[1]))]

        m.d.comb += [
            # One of the four at most; a word that is a number is so as it is.
            Assume(Cat(count, lane, add, double).as_unsigned() & (Cat(count, lane, add, double) - 1) == 0),
            unit.x.eq(Cat(side[k] for k in range(self._lanes) for side in coded)),
            unit.own.eq(Cat(seen[0][0], w[0])),
            unit.number.eq(w),
            *(getattr(unit, name).eq(bent[k]) for k, name in enumerate(self.WORDS)),
            unit.first.eq(later(m, bent[4], 1, "first")),
            *(
                getattr(unit, name).eq(later(m, bent[5 + k], 2, name))
                for k, name in enumerate(("toggle", "below", "fresh", "emit"))
            ),
        ]
        # The sums after the words that have come, the bit, and what was given.
        sum_, before = Signal(signed(self._width)), Signal(signed(self._width))
        equal = sum((x[k] == w[k] for k in range(self._lanes)), Const(0, 1))
        added = Mux(count, equal, Mux(lane, x[0] == w[0], Mux(add, w.as_signed(), Mux(double, before, 0))))
        new = Signal(signed(self._width))
        m.d.comb += new.eq(Mux(first, 0, sum_) + added)
        m.d.sync += [sum_.eq(new), before.eq(sum_)]
        toggle, below, fresh, emit = last
        bit, given = Signal(), Signal()
        turned = Mux(fresh, 0, bit) ^ Mux(below, new < 0, new >= 0)
        with m.If(toggle):
            m.d.sync += bit.eq(turned)
        with m.If(emit):
            m.d.sync += given.eq(turned)
        wrong, ever = Signal(), Signal()
        m.d.comb += wrong.eq(unit.o != later(m, given, 2, "given"))
        m.d.sync += ever.eq(ever | wrong)
        m.d.comb += Cover(ever) if self._faults else Assert(~ever)
        return m


class FrameCheck(Elaboratable):
    """Words that are written are those of the frame: a row's bits from its begin on, each pixel's the next ones."""

    MOST = 3  # columns, rows, and rows of a pixel's groups

    def __init__(self, faults, lanes, banks, depth):
        self._faults, self._lanes, self._banks, self._depth = faults, lanes, banks, depth
        self._clock = ClockDomain("sync", reset_less=True)
        self.inputs = {name: Signal(bits, name=name) for name, bits in (("data", lanes), ("last", 1), ("valid", 1))}
        self.ports = [self._clock.clk, *self.inputs.values()]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self._clock
        lanes = self._lanes
        m.submodules.unit = unit = FrameReader(lanes, self._banks)
        data, last, valid = self.inputs.values()
        fault = chosen(m, "fault", 3) if self._faults else Const(7, 3)
        # One less than what they say, as in a line; as many bits are kept as a word has at least.
        width, rows, groups = (chosen(m, name, 2) for name in ("width", "rows", "groups"))
        tail, keep = (chosen(m, name, (lanes - 1).bit_length()) for name in ("tail", "keep"))
        m.d.comb += Assume((width < self.MOST) & (rows < 2) & (groups < 2) & (keep >= tail))
        begun, over = Signal(), Signal()
        m.d.sync += begun.eq(1)
        m.d.comb += [
            unit.start.eq(~begun),
            unit.fields.width.eq(width),
            unit.fields.rows.eq(rows),
            unit.fields.groups.eq(groups ^ (fault == 0)),
            unit.fields.tail.eq(tail ^ (fault == 1)),
            unit.fields.keep.eq(keep ^ (fault == 2)),
            unit.i.valid.eq(valid),
            unit.i.payload.data.eq(data ^ (fault == 3)),
            unit.i.payload.last.eq(last ^ (fault == 4)),
        ]
        taken, written = Signal(), Signal()
        m.d.comb += [taken.eq(valid & unit.i.ready), written.eq(unit.write.any())]
        # What has come of the row that is on: what has not is zero.
        words = self.MOST
        row_bits = Signal(words * lanes)
        came, column, row, ended, damaged = Signal(range(words + 1)), Signal(2), Signal(2), Signal(), Signal()
        serial, group = Signal(), Signal()
        m.d.comb += serial.eq((group == groups) & (tail != lanes - 1))
        with m.If(taken):
            m.d.sync += ended.eq(last)
            with m.If(row <= rows):
                m.d.sync += [came.eq(came + 1), row_bits.word_select(came, lanes).eq(data)]
            with m.Else():
                m.d.sync += damaged.eq(1)
        # With bits, a pixel is written when all its words were there; else in the cycle in which it comes.
        now = Signal(words * lanes)
        m.d.comb += now.eq(row_bits)
        with m.If(taken & ~serial & (row <= rows)):
            m.d.comb += now.word_select(came, lanes).eq(data)
        past = Array(
            Cat(Const(0, lanes), now).bit_select(0, (words + 1) * lanes)[end : end + lanes]
            for end in range(words * lanes + 1)
        )
        end = (column + 1) * (tail + 1)
        newest = past[end]
        kept = Cat(newest[lanes - 1 - k] & (k <= keep) for k in range(lanes))
        expected = Mux(serial, kept, now.word_select(column, lanes))
        last_column = column == width
        need = Mux(serial, ((width + 1) * (tail + 1) + lanes - 1) // lanes, width + 1)
        there = came + (taken & ~serial)
        with m.If(written):
            m.d.sync += column.eq(column + 1)
            with m.If(last_column):
                m.d.sync += [
                    column.eq(0),
                    row.eq(row + 1),
                    came.eq(0),
                    row_bits.eq(0),
                    group.eq(Mux(group == groups, 0, group + 1)),
                ]
                with m.If(there != need):
                    m.d.sync += damaged.eq(1)
        with m.If(unit.done):
            m.d.sync += over.eq(1)
        idle = Signal(2)
        m.d.sync += idle.eq(Mux(begun & ~over & (valid | ended) & ~written & ~taken & ~unit.done, idle + 1, 0))
        wrong, ever = Signal(), Signal()
        m.d.comb += wrong.eq(
            (written & ((unit.word != expected) | (row > rows) | ~begun | over))
            | (written & (unit.write != 1 << (column % self._banks)))
            | (written & last_column & (there != need) & ~ended)
            | (unit.following != (written & (last_column | (column % self._banks == self._banks - 1))))
            | (taken & (ended | over | ~begun))
            | (unit.done & ((row <= rows) | ~ended | (unit.damaged != damaged)))
            | (idle == 3)
        )
        m.d.sync += ever.eq(ever | wrong)
        m.d.comb += Cover(ever) if self._faults else Assert(~ever)
        if self._faults:
            # Without one, the end of a frame of bits is reached.
            most = (width == self.MOST - 1) & (rows == 1) & (groups == 0) & (tail == lanes - 2)
            m.d.comb += Cover((fault == 7) & over & ~damaged & ~ever & most)
        return m


def later(m, value, cycles, name):
    """`value` as it was so many cycles ago, zero at first."""
    for k in range(cycles):
        held = Signal(len(value), name=f"{name}_{k}")
        m.d.sync += held.eq(value)
        value = held
    return value


def pe(lanes, width, family, depth, *, fast=False):
    return RunCase(
        "EnginePE", f"{lanes} lanes, sums of {width} bits, {family}", "the signs of the sums of what was added",
        lambda faults: PECheck(faults, lanes, width, family), depth, fast,
    )  # fmt: skip


def frame(lanes, banks, depth, *, fast=False):
    return RunCase(
        "FrameReader", f"words of {lanes} bits, {banks} banks", "the words of any frame of up to 3 x 2, whole or not",
        lambda faults: FrameCheck(faults, lanes, banks, depth), depth, fast,
    )  # fmt: skip


CASES = [pe(4, 6, "ice40", 8, fast=True), pe(5, 7, "ecp5", 8), frame(4, 2, 24, fast=True)]
