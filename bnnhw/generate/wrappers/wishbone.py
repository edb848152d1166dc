"""Bus ``wishbone``: registers of 32 bits for a processor, after "WISHBONE B4" of OpenCores, classic cycles."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module
from amaranth.hdl import Signal as Net

from bnnhw.generate.wrappers.base import Signal
from bnnhw.generate.wrappers.registers import ADDRESS_BITS, BUS, REGISTERS, WORD, RegisterBus, RegisterWrapper


class Wishbone(RegisterBus):
    """A slave with the registers of `REGISTERS`."""

    name: ClassVar[str] = "wishbone"
    clock: ClassVar[Signal] = Signal("clk_i", 1, "input", "clock, rising edge")
    reset: ClassVar[Signal] = Signal("rst_i", 1, "input", "synchronous reset, active high")
    reset_active: ClassVar[int] = 1

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


class WishboneWrapper(RegisterWrapper):
    """The accelerator with the registers of `Wishbone`.

    Timing
    ------
    An access takes two cycles. A beat goes into the accelerator when its last word is written.
    """

    bus_type = Wishbone

    def connect(self, m: Module) -> None:
        registers = self.registers
        access, whole = Net(), Net()
        m.d.comb += [
            access.eq(self.cyc_i & self.stb_i & ~self.ack_o),
            whole.eq(self.sel_i.all()),
            registers.address.eq(self.adr_i),
            registers.read.eq(access & ~self.we_i & whole),
            registers.write.eq(access & self.we_i & whole),
            registers.partial.eq(access & ~whole),
            registers.w_data.eq(self.dat_i),
            self.dat_o.eq(registers.r_data),
        ]
        m.d[BUS] += self.ack_o.eq(access)
