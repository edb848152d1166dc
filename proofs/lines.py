"""The serial line: bytes come out of a receiver as they went into a transmitter, and a board can be called back."""

from math import ceil

from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume, ClockDomain, Const, Cover, Elaboratable, Module, Signal

from bnnhw.gateware.link.line_rate import LineRate
from bnnhw.gateware.link.uart import UARTReceiver, UARTTransmitter
from bnnhw.line import CALL_BACK_BITS, Divider
from proofs.case import CountCase, RunCase
from proofs.harness import chosen


class LineRateCheck(Elaboratable):
    """The rate falls when the line was low for `CALL_BACK_BITS` of the base rate, and for nothing else; it rises only
    while the transmitter is idle."""

    def __init__(self, faults, bit_cycles):
        self._faults, self._bit_cycles = faults, bit_cycles
        self._clock = ClockDomain("sync", reset_less=True)
        self.inputs = {name: Signal(name=name) for name in ("line", "goes_fast", "idle")}
        self.ports = [self._clock.clk, *self.inputs.values()]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self._clock
        m.submodules.unit = unit = LineRate(self._bit_cycles)
        line, goes_fast, idle = self.inputs.values()
        # Under a fault, the unit sees one of its inputs inverted.
        fault = chosen(m, "fault", 4) if self._faults else Const(3, 2)
        m.d.comb += [
            unit.line.eq(line ^ (fault == 0)),
            unit.goes_fast.eq(goes_fast),
            unit.idle.eq(idle ^ (fault == 1)),
        ]
        cycles = ceil(CALL_BACK_BITS * self._bit_cycles)
        low, before, was_idle, begun = Signal(range(cycles + 1)), Signal(), Signal(), Signal()
        m.d.sync += [before.eq(unit.fast), was_idle.eq(idle), begun.eq(1)]
        with m.If(line):
            m.d.sync += low.eq(0)
        with m.Elif(low != cycles):
            m.d.sync += low.eq(low + 1)
        called = low == cycles
        wrong = Signal()
        m.d.comb += wrong.eq(
            begun & ((unit.fast & called) | (before & ~unit.fast & ~called) | (~before & unit.fast & ~was_idle))
        )
        m.d.comb += Cover(wrong) if self._faults else Assert(~wrong)
        return m


class UARTCheck(Elaboratable):
    """Any byte, handed over in any of the first cycles, comes out of a receiver within `depth` cycles, and nothing else."""

    def __init__(self, faults, divider, rate, depth):
        self._faults, self._divider, self._rate, self._depth = faults, divider, rate, depth
        self._clock = ClockDomain("sync", reset_less=True)
        self.offers = Signal()
        self.ports = [self._clock.clk, self.offers]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self._clock
        m.submodules.tx = tx = UARTTransmitter(self._divider)
        m.submodules.rx = rx = UARTReceiver(self._divider)
        byte = AnyConst(8)
        # Under a fault, one cycle of the line is inverted.
        fault = chosen(m, "fault", self._depth) if self._faults else Const(self._depth)
        cycle = Signal(range(self._depth + 2))
        with m.If(cycle != self._depth + 1):
            m.d.sync += cycle.eq(cycle + 1)
        sent, seen = Signal(), Signal()
        m.d.comb += [
            tx.fast.eq(self._rate),
            rx.fast.eq(self._rate),
            rx.rx.eq(tx.tx ^ (self._faults & (cycle == fault))),
            tx.i.payload.eq(byte),
            tx.i.valid.eq(self.offers & ~sent),
        ]
        bit = self._divider.period / self._divider.steps[self._rate]
        # It is handed over early enough to be over at the end.
        m.d.comb += Assume(sent | (cycle < ceil(2 * bit)))
        with m.If(tx.i.valid & tx.i.ready):
            m.d.sync += sent.eq(1)
        with m.If(rx.o.valid):
            m.d.sync += seen.eq(1)
        now, wrong = Signal(), Signal()
        m.d.comb += now.eq(
            rx.error
            | (rx.o.valid & (seen | ~sent | (rx.o.payload != byte)))
            | ((cycle == self._depth - 2) & (sent != seen))
        )
        m.d.sync += wrong.eq(wrong | now)
        m.d.comb += Cover(wrong) if self._faults else Assert(~wrong)
        return m


def line_rate(bit_cycles, *, fast=False):
    # Counters that induction begins anywhere, beyond their last count too, are where they should be after twice as many.
    depth = 2 * ceil(CALL_BACK_BITS * bit_cycles) + 2
    return CountCase(
        "LineRate", f"{bit_cycles:g} cycles a bit", "the base rate when it is called, and only then",
        lambda faults: LineRateCheck(faults, bit_cycles), depth, fast,
    )  # fmt: skip


def uart(divider, rate, *, fast=False):
    bit = divider.period / divider.steps[rate]
    depth = ceil(13 * bit) + 6
    return RunCase(
        "UARTTransmitter, UARTReceiver", f"{bit:.3g} cycles a bit", "the byte that was sent, and nothing else",
        lambda faults: UARTCheck(faults, divider, rate, depth), depth, fast,
    )  # fmt: skip


BOTH = Divider(12, (1, 3))
CASES = [
    *(line_rate(cycles, fast=cycles == 1.0) for cycles in (1.0, 1.5)),
    uart(BOTH, 1, fast=True),
    uart(BOTH, 0),
    uart(Divider(25, (1, 6)), 1),
    uart(Divider(25, (1, 3)), 1),
]
