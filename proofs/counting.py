"""What counts and multiplies: popcounts and PEs, against sums of bits and of products. Unbounded, by induction."""

import numpy as np
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

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.weight_coding import MatchCoding
from bnnhw.gateware.arithmetic.adder_chain import BIT, BOTH, MASKED, MATCH
from bnnhw.gateware.arithmetic.pe import PE
from bnnhw.gateware.arithmetic.popcount import Popcount
from proofs.case import CountCase
from proofs.harness import chosen
from proofs.models import legal_codes, number

KINDS = {"bits": BIT, "matches": MATCH, "ands": BOTH, "masked matches": MASKED}


class _Check(Elaboratable):
    """Free inputs, a clock, an enable that never stalls twice in a row, and a bit that must stay zero.

    Registers that hold while they are not enabled are the same after one stall and after many; without the limit an
    induction could begin in a state that no run reaches, and stay there.
    """

    def __init__(self, faults, inputs):
        self._clock = ClockDomain("sync", reset_less=True)
        self._faults = faults
        self.en = Signal()
        self.inputs = {name: Signal(shape, name=name) for name, shape in inputs.items()}
        self.ports = [self._clock.clk, self.en, *self.inputs.values()]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self._clock
        stalled = Signal()
        m.d.sync += stalled.eq(~self.en)
        m.d.comb += Assume(self.en | ~stalled)
        # Under a fault, the solver may invert one of the bits that the unit sees, and only that one.
        self.fault = chosen(m, "fault", 8) if self._faults else Const(255, 8)
        wrong = Signal()
        m.d.comb += wrong.eq(self.check(m))
        m.d.comb += Cover(wrong) if self._faults else Assert(~wrong)
        return m

    def bent(self, word):
        """What the unit sees of its input."""
        return word ^ Cat(self.fault == k for k in range(len(word))) if self._faults else word

    def delayed(self, m, value, cycles, name):
        """`value` after enabled cycles; at first as it is with all inputs zero, so it is compared from then on."""
        for k in range(cycles):
            register = Signal(len(value), name=f"{name}{k}")
            with m.If(self.en):
                m.d.sync += register.eq(value)
            value = register
        return value


class PopcountCheck(_Check):
    """A popcount's output is the number of lanes with a one, `latency` enabled cycles ago."""

    def __init__(self, faults, width, kind, family, levels, spare):
        self._width, self._kind, self._family, self._levels, self._spare = width, KINDS[kind], family, levels, spare
        super().__init__(faults, {f"x{k}": width for k in range(self._kind.arity)})

    def check(self, m):
        unit = Popcount(self._width, self._kind, levels=self._levels, spare=self._spare, family=self._family)
        m.submodules.unit = unit
        sides = list(self.inputs.values())
        ones = self.meaning(*sides)
        bent = [self.bent(sides[0]), *sides[1:]]
        if self._kind is MATCH:
            coding = MatchCoding.of(self._width, self._family, spare=self._spare)
            given = [coding.activations(list(bent[0])), coding.weights(list(bent[1]))]
        else:
            given = bent
        m.d.comb += [unit.i.eq(Cat(side[k] for k in range(self._width) for side in given)), unit.en.eq(self.en)]
        past = self.delayed(m, ones, unit.latency, "ones")
        filled = self.delayed(m, Const(1), unit.latency, "filled")
        counted = self._width
        found = unit.o
        if unit._counted < self._width:
            found = found + (unit.spare[0] == unit.spare[1])
        return filled & (found != sum(past[k] for k in range(counted)))

    def meaning(self, *sides):
        """For each lane, whether it counts."""
        if self._kind is BIT:
            return sides[0]
        if self._kind is BOTH:
            return sides[0] & sides[1]
        match = ~(sides[0] ^ sides[1])
        return match if self._kind is MATCH else match & sides[2]


class PECheck(_Check):
    """A PE's sum is its bias plus the products of a row's lanes, less a number that is that of the weights alone."""

    WIDTH = 8

    def __init__(self, faults, simd, x, weight, family, levels):
        self._simd, self._x, self._weight, self._family, self._levels = simd, x, weight, family, levels
        inputs = {"x": simd * x.bits, "w": simd * weight.bits, "first": 1, "valid": 1, "bias": self.WIDTH}
        super().__init__(faults, inputs)

    def check(self, m):
        product = Product(self._x, self._weight)
        divisor = product.divisor
        unit = PE(
            self._simd, self._x, self._weight, width=self.WIDTH, divisor=divisor, levels=self._levels,
            family=self._family,
        )  # fmt: skip
        m.submodules.unit = unit
        x, w = self.inputs["x"], self.inputs["w"]
        m.d.comb += [Assume(legal_codes(self._x, x)), Assume(legal_codes(self._weight, w))]
        prepared = unit.prepared(self.bent(x))
        stored = list(w)
        if product.matches:
            stored = MatchCoding.of(self._simd, self._family, spare=product.spare).weights(stored)
        late = unit.latency
        flags = Cat(self.inputs[name] for name in ("first", "valid", "bias"))
        flags = self.delayed(m, flags, late, "flags")
        first, valid, bias = flags[0], flags[1], flags[2:]
        filled = self.delayed(m, Const(1), late, "filled")
        m.d.comb += [
            unit.x.eq(prepared), unit.w.eq(Cat(stored)), unit.en.eq(self.en),
            unit.first.eq(first), unit.valid.eq(valid & filled), unit.bias.eq(bias.as_signed()),
        ]  # fmt: skip
        if product.shared:
            zeros = sum(~x[k + 1] for k in range(0, len(x), 2))
            kept = Signal(8)
            m.d.comb += kept.eq(zeros)
            before = product.latency(self._simd, self._levels) - (self._levels is not None)
            m.d.comb += unit.shared.eq(self.delayed(m, kept, before, "zeros"))
        bits = self.WIDTH + divisor.bit_length() - 1
        added, total, summed = Signal(signed(bits + 4)), Signal(bits), Signal()
        m.d.comb += added.eq(sum(self._term(x, w, lane, product) for lane in range(self._simd)))
        past = self.delayed(m, added, late, "added").as_signed()
        with m.If(self.en & valid & filled):
            m.d.sync += total.eq(Mux(first, bias * divisor, total) + past)
        with m.If(self.en & valid & filled & first):
            m.d.sync += summed.eq(1)
        return summed & ((unit.total * divisor)[:bits] != total)

    def _term(self, x, w, lane, product):
        """What a lane adds: its product less what counting leaves out, which `Product.constant` says of each weight."""
        x_code = x[lane * self._x.bits : (lane + 1) * self._x.bits]
        w_code = w[lane * self._weight.bits : (lane + 1) * self._weight.bits]
        left_out = []
        for code in range(1 << self._weight.bits):
            value = np.array([[int(self._weight.decode(code))]])
            left_out.append(Const(int(product.constant(value, 0)[0]), signed(8)))
        return number(self._x, x_code) * number(self._weight, w_code) - Array(left_out)[w_code]


def popcount(width, kind, family, levels=None, *, spare=False, fast=False):
    latency = Popcount(width, KINDS[kind], levels=levels, spare=spare, family=family).latency
    more = f", a register after {levels}" if levels else ""
    return CountCase(
        "Popcount", f"{width} {kind}, {family}{more}{', spare lane' if spare else ''}", "the number of lanes that are one",
        lambda faults: PopcountCheck(faults, width, kind, family, levels, spare), 2 * latency + 2, fast,
    )  # fmt: skip


def pe(simd, x, weight, family, levels=None, *, fast=False):
    latency = Product(x, weight).latency(simd, levels)
    more = f", a register after {levels}" if levels else ""
    return CountCase(
        "PE", f"{x} x {weight}, {simd} lanes, {family}{more}", "the sum of products",
        lambda faults: PECheck(faults, simd, x, weight, family, levels), 2 * latency + 3, fast,
    )  # fmt: skip


CASES = [
    *(popcount(width, kind, family, fast=width == 7 and kind == "matches") for family in ("ice40", "ecp5") for kind in KINDS for width in (1, 2, 3, 7, 12)),
    *(popcount(11, kind, family, 1) for family in ("ice40", "ecp5") for kind in ("bits", "matches")),
    *(popcount(16, "matches", family, 2, spare=True) for family in ("ice40", "ecp5")),
    *(
        pe(simd, x, weight, family, levels, fast=simd == 4 and family == "ecp5")
        for family in ("ice40", "ecp5")
        for x, weight, simd, levels in (
            (BIPOLAR, BIPOLAR, 4, None), (BIPOLAR, BIPOLAR, 8, None), (BIPOLAR, BIPOLAR, 7, 1),
            (BIPOLAR, TERNARY, 4, None), (TERNARY, BIPOLAR, 4, None), (TERNARY, BIPOLAR, 3, 1),
            (TERNARY, TERNARY, 4, None), (DataType("uint", 2), BIPOLAR, 3, None), (DataType("uint", 2), TERNARY, 3, 1),
            (DataType("int", 2), DataType("int", 3), 2, None), (DataType("uint", 2), DataType("int", 2), 2, 1),
        )
    ),
]  # fmt: skip
