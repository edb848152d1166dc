"""Bus ``wishbone``: registers of 32 bits for a processor, after "WISHBONE B4" of OpenCores, classic cycles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Cat, ClockDomain, Const, DomainRenamer, Module, Mux, signed
from amaranth.hdl import Signal as Net
from amaranth.lib import wiring
from numpy.typing import NDArray

from bnnhw.dataflow import Network, Plan
from bnnhw.gateware.streams.result_cut import ResultCut
from bnnhw.generate.accelerator import Accelerator
from bnnhw.generate.ports import Ports
from bnnhw.generate.wrappers.base import Bus, Signal, counted, placed
from bnnhw.generate.wrappers.stream import members

WORD = 32
# Domains of the registers and of the accelerator, so that one of the registers can reset it; a domain around the
# wrapper must not have the same name.
BUS, CORE = "bnnhw_bus", "bnnhw_core"


@dataclass(frozen=True)
class Register:
    """A word of the register map.

    Parameters
    ----------
    index
        Its address in words; four times that in bytes.
    access
        What can be done: ``R``, ``W`` or ``R/W``.
    """

    name: str
    index: int
    access: str
    meaning: str

    @property
    def offset(self) -> int:
        """Its address in bytes."""
        return 4 * self.index


DIGEST_LOW = Register("DIGEST_LOW", 0, "R", "bits 31:0 of the design's digest")
DIGEST_HIGH = Register("DIGEST_HIGH", 1, "R", "bits 63:32 of it")
STATUS = Register(
    "STATUS",
    2,
    "R/W",
    "bit 0: INPUT takes a word; bit 1: RESULT has an integer; bit 2: an access was lost, see below. Writing 1 to bit 0 "
    "resets the module and clears bit 2",
)
INPUT = Register("INPUT", 3, "W", "the next word of a frame")
RESULT = Register("RESULT", 4, "R", "the next integer of a result, sign-extended; reading takes it")
CLASS = Register("CLASS", 5, "R", "the class of the result of which RESULT gave the last integer")
REGISTERS = (DIGEST_LOW, DIGEST_HIGH, STATUS, INPUT, RESULT, CLASS)
INPUT_READY, RESULT_READY, LOST = 1, 2, 4
ADDRESS_BITS = 3


class Wishbone(Bus):
    """A slave with the registers of `REGISTERS`.

    Members
    -------
    beat_words : int
        Words of a beat of the accelerator's input.
    frame_words : int
        Words of a frame.
    """

    name: ClassVar[str] = "wishbone"
    clock: ClassVar[Signal] = Signal("clk_i", 1, "input", "clock, rising edge")
    reset: ClassVar[Signal] = Signal("rst_i", 1, "input", "synchronous reset, active high")
    reset_active: ClassVar[int] = 1

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    @property
    def beat_words(self) -> int:
        return -(-self.ports.input.fields["data"] // WORD)

    @property
    def frame_words(self) -> int:
        return self.beat_words * self.ports.input.beats

    @property
    def signals(self) -> tuple[Signal, ...]:
        return (
            self.clock,
            self.reset,
            Signal("cyc_i", 1, "input", "a bus cycle is going on"),
            Signal("stb_i", 1, "input", "this slave is meant"),
            Signal("we_i", 1, "input", "1 to write, 0 to read"),
            Signal("adr_i", ADDRESS_BITS, "input", "the register: its offset in bytes without the two low bits"),
            Signal("sel_i", 4, "input", "bytes that are meant: all of them"),
            Signal("dat_i", WORD, "input", "data to write"),
            Signal("dat_o", WORD, "output", "data that is read, with `ack_o`"),
            Signal("ack_o", 1, "output", "the access is done"),
        )

    def sent(self, values: NDArray[np.integer]) -> list[list[int]]:
        """The words of each frame of integers (N, ...)."""
        mask = (1 << WORD) - 1
        return [
            [beat >> WORD * k & mask for beat in frame for k in range(self.beat_words)]
            for frame in self.ports.input.pack(values)
        ]

    @property
    def handshake(self) -> str:
        rows = "\n".join(f"| 0x{r.offset:02x} | {r.name} | {r.access} | {r.meaning} |" for r in REGISTERS)
        return (
            "A slave of Wishbone B4 for classic cycles, 32 bits wide, little-endian. Data port size and granularity: "
            "32 and 8 bits, of which only whole words are taken. Each access takes two cycles, and none waits: "
            "software asks STATUS first. A word that is written while INPUT takes none, an integer that is read while "
            "RESULT has none, and an access to part of a word are lost, which bit 2 of STATUS tells until the module "
            f"is reset.\n\n| offset | register | access | meaning |\n| --- | --- | --- | --- |\n{rows}"
        )

    @property
    def frame_layout(self) -> str:
        port = self.ports.input
        where = placed("element", port.lanes, port.dtype.bits, "beat")
        return (
            f"A frame is {counted(self.frame_words, 'word')} to INPUT, {self.beat_words} for each beat, the low one "
            f"first. The words of beat `b`, put together, carry {where}; bits above, and those past element "
            f"{port.elements - 1}, are ignored. The words are counted, so a frame is never too long; after a frame "
            "that was given up, reset the module."
        )

    @property
    def result_layout(self) -> str:
        return "RESULT gives them one at a time, and after the last one of a frame CLASS has the class."


class WishboneWrapper(wiring.Component):
    """The accelerator with the registers of `Wishbone`.

    Timing
    ------
    An access takes two cycles. A beat goes into the accelerator when its last word is written.
    """

    def __init__(self, plan: Plan, network: Network) -> None:
        self._accelerator: Any = Accelerator(plan, network)
        self._digest = int(plan.digest, 16)
        self.bus = Wishbone(self._accelerator.ports)
        super().__init__(members(self.bus.signals))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains += (bus := ClockDomain(BUS, local=True), core := ClockDomain(CORE, local=True))
        restart, read, write = Net(), Net(), Net()
        m.d.comb += [
            bus.clk.eq(self.clk_i),
            bus.rst.eq(self.rst_i),
            core.clk.eq(self.clk_i),
            core.rst.eq(self.rst_i | restart),
        ]
        output = self.bus.ports.output
        m.submodules.accelerator = DomainRenamer(CORE)(self._accelerator)
        cut = ResultCut(output.width, output.elements, output.lanes)
        m.submodules.cut = DomainRenamer(CORE)(cut)
        wiring.connect(m, self._accelerator.o, cut.i)

        access, whole = Net(), Net()
        m.d.comb += [
            access.eq(self.cyc_i & self.stb_i & ~self.ack_o & ~restart),
            whole.eq(self.sel_i.all()),
            read.eq(access & ~self.we_i & whole),
            write.eq(access & self.we_i & whole),
        ]
        m.d[BUS] += [self.ack_o.eq(access), restart.eq(0)]
        full = self._take(m, write & (self.adr_i == INPUT.index))
        m.d.comb += cut.o.ready.eq(read & (self.adr_i == RESULT.index))

        label, lost = Net(len(cut.o.payload.label)), Net()
        with m.If(cut.o.valid & cut.o.ready & cut.o.payload.last):
            m.d[CORE] += label.eq(cut.o.payload.label)
        with m.If((access & ~whole) | (write & (self.adr_i == INPUT.index) & full) | (cut.o.ready & ~cut.o.valid)):
            m.d[CORE] += lost.eq(1)
        with m.If(write & (self.adr_i == STATUS.index)):
            m.d[BUS] += restart.eq(self.dat_i[0])

        integer = Net(signed(WORD))
        m.d.comb += integer.eq(cut.o.payload.data)
        with m.If(read):
            with m.Switch(self.adr_i):
                for register, value in (
                    (DIGEST_LOW, Const(self._digest & 0xFFFFFFFF, WORD)),
                    (DIGEST_HIGH, Const(self._digest >> WORD, WORD)),
                    (STATUS, Cat(~full, cut.o.valid, lost)),
                    (RESULT, integer),
                    (CLASS, label),
                ):
                    with m.Case(register.index):
                        m.d[BUS] += self.dat_o.eq(value)
                with m.Default():
                    m.d[BUS] += self.dat_o.eq(0)
        return m

    def _take(self, m: Module, written: Any) -> Any:
        """Gathers the words that are `written` into beats; gives whether there is no place for one."""
        i, bus = self._accelerator.i, self.bus
        words = [Net(WORD, name=f"word{k}") for k in range(bus.beat_words)]
        index, beat, full = Net(range(bus.beat_words)), Net(range(bus.ports.input.beats)), Net()
        m.d.comb += [
            i.payload.data.eq(Cat(*words)),
            i.payload.last.eq(beat == bus.ports.input.beats - 1),
            i.valid.eq(full),
        ]
        with m.If(i.valid & i.ready):
            m.d[CORE] += [full.eq(0), beat.eq(_after(beat, bus.ports.input.beats))]
        with m.If(written & ~full):
            m.d[CORE] += [index.eq(_after(index, bus.beat_words)), full.eq(index == bus.beat_words - 1)]
            for k, word in enumerate(words):
                with m.If(index == k):
                    m.d[CORE] += word.eq(self.dat_i)
        return full


def _after(count: Any, end: int) -> Any:
    """The number after that of a counter from 0 to below `end`."""
    return Mux(count == end - 1, 0, count + 1)
