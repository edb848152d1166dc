"""The registers of 32 bits that the buses of processors and microcontrollers share, and what lies behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, DomainRenamer, Module, Mux, ResetSignal, signed
from amaranth.hdl import Signal as Net
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from bnnhw.dataflow import Network, Plan
from bnnhw.gateware.streams.result_cut import ResultCut
from bnnhw.generate.accelerator import Accelerator
from bnnhw.generate.ports import Ports
from bnnhw.generate.wrappers.base import Bus, counted, placed
from bnnhw.generate.wrappers.stream import members

WORD = 32
# The whole wrapper, and what a register can reset; domains around the wrapper must not have the same names.
BUS = "bnnhw_bus"
CORE = "bnnhw_core"


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


class RegisterBus(Bus):
    """A bus on which `REGISTERS` are read and written.

    Members
    -------
    beat_words : int
        Words of a beat of the accelerator's input.
    frame_words : int
        Words of a frame.
    """

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    @property
    def beat_words(self) -> int:
        return -(-self.ports.input.fields["data"] // WORD)

    @property
    def frame_words(self) -> int:
        return self.beat_words * self.ports.input.beats

    def sent(self, values: NDArray[np.integer]) -> list[list[int]]:
        """The words of each frame of integers (N, ...)."""
        mask = (1 << WORD) - 1
        return [
            [beat >> WORD * k & mask for beat in frame for k in range(self.beat_words)]
            for frame in self.ports.input.pack(values)
        ]

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


class Registers(wiring.Component):
    """The accelerator behind `REGISTERS`, one access a cycle.

    Members
    -------
    address : In(ADDRESS_BITS)
        The register's index.
    read, write, partial : In(1)
        An access: one that reads, one that writes `w_data`, one that is not of a whole word and is lost.
    w_data : In(WORD), r_data : Out(WORD)
    input_ready, result_ready : Out(1)
        Bits 0 and 1 of STATUS.

    Timing
    ------
    `r_data` holds what was read from the cycle after `read` on. A beat goes into the accelerator when its last word is
    written. A reset by STATUS takes the cycle after the write.
    """

    def __init__(self, plan: Plan, network: Network) -> None:
        self._accelerator: Any = Accelerator(plan, network)
        self._digest = int(plan.digest, 16)
        self.ports: Ports = self._accelerator.ports
        self._input_words = -(-self.ports.input.fields["data"] // WORD)
        super().__init__(
            {
                "address": In(ADDRESS_BITS),
                "read": In(1),
                "write": In(1),
                "partial": In(1),
                "w_data": In(WORD),
                "r_data": Out(WORD),
                "input_ready": Out(1),
                "result_ready": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # What a write to STATUS resets, which is all but the register that does it.
        m.domains += (core := ClockDomain(CORE, local=True))
        restart = Net()
        m.d.comb += [core.clk.eq(ClockSignal()), core.rst.eq(ResetSignal() | restart)]
        m.d.sync += restart.eq(self.write & (self.address == STATUS.index) & self.w_data[0])
        output = self.ports.output
        m.submodules.accelerator = DomainRenamer(CORE)(accelerator := self._accelerator)
        m.submodules.cut = DomainRenamer(CORE)(cut := ResultCut(output.width, output.elements, output.lanes))
        wiring.connect(m, accelerator.o, cut.i)
        full = self._take(m, self.write & (self.address == INPUT.index))
        m.d.comb += [
            cut.o.ready.eq(self.read & (self.address == RESULT.index)),
            self.input_ready.eq(~full),
            self.result_ready.eq(cut.o.valid),
        ]

        label, lost = Net(len(cut.o.payload.label)), Net()
        with m.If(cut.o.valid & cut.o.ready & cut.o.payload.last):
            m.d[CORE] += label.eq(cut.o.payload.label)
        refused = (self.write & (self.address == INPUT.index) & full) | (cut.o.ready & ~cut.o.valid)
        with m.If(self.partial | refused):
            m.d[CORE] += lost.eq(1)

        integer = Net(signed(WORD))
        m.d.comb += integer.eq(cut.o.payload.data)
        with m.If(self.read):
            with m.Switch(self.address):
                for register, value in (
                    (DIGEST_LOW, Const(self._digest & 0xFFFFFFFF, WORD)),
                    (DIGEST_HIGH, Const(self._digest >> WORD, WORD)),
                    (STATUS, Cat(~full, cut.o.valid, lost)),
                    (RESULT, integer),
                    (CLASS, label),
                ):
                    with m.Case(register.index):
                        m.d.sync += self.r_data.eq(value)
                with m.Default():
                    m.d.sync += self.r_data.eq(0)
        return m

    def _take(self, m: Module, written: Any) -> Any:
        """Gathers the words that are `written` into beats; gives whether there is no place for one."""
        i, beats = self._accelerator.i, self.ports.input.beats
        words = [Net(WORD, name=f"word{k}") for k in range(self._input_words)]
        index, beat, full = Net(range(self._input_words)), Net(range(beats)), Net()
        m.d.comb += [
            i.payload.data.eq(Cat(*words)),
            i.payload.last.eq(beat == beats - 1),
            i.valid.eq(full),
        ]
        with m.If(i.valid & i.ready):
            m.d[CORE] += [full.eq(0), beat.eq(_after(beat, beats))]
        with m.If(written & ~full):
            m.d[CORE] += [index.eq(_after(index, self._input_words)), full.eq(index == self._input_words - 1)]
            for k, word in enumerate(words):
                with m.If(index == k):
                    m.d[CORE] += word.eq(self.w_data)
        return full


def _after(count: Any, end: int) -> Any:
    """The number after that of a counter from 0 to below `end`."""
    return Mux(count == end - 1, 0, count + 1)


class RegisterWrapper(wiring.Component):
    """The accelerator with the registers of a bus, all in the domain `BUS` of its clock and reset."""

    bus_type: ClassVar[type[RegisterBus]]

    def __init__(self, plan: Plan, network: Network) -> None:
        self.registers: Any = Registers(plan, network)
        self.bus = self.bus_type(self.registers.ports)
        super().__init__(members(self.bus.signals))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains += (bus := ClockDomain(BUS, local=True))
        m.submodules.registers = DomainRenamer(BUS)(self.registers)
        clock, reset = (getattr(self, signal.name) for signal in (self.bus.clock, self.bus.reset))
        m.d.comb += [bus.clk.eq(clock), bus.rst.eq(reset)]
        self.connect(m)
        return m

    def connect(self, m: Module) -> None:
        """Connects the bus with the registers."""
        raise NotImplementedError
