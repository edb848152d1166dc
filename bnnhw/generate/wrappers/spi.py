"""Bus ``spi``: the registers for a microcontroller, over four wires."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, Const, Module
from amaranth.hdl import Signal as Net
from amaranth.lib.cdc import FFSynchronizer

from bnnhw.generate.wrappers.base import Signal
from bnnhw.generate.wrappers.registers import (
    ADDRESS_BITS,
    BUS,
    INPUT,
    REGISTERS,
    RESULT,
    WORD,
    RegisterBus,
    RegisterWrapper,
)

BYTE = 8
TRANSFER = BYTE + WORD
WRITE = 0x80
"""Bit of the command that says that words are written."""

CLOCK_RATIO = 10
"""Cycles of the module's clock that one of the bus takes at least."""


class Spi(RegisterBus):
    """A slave with the registers of `REGISTERS`, modes 0 and 3."""

    name: ClassVar[str] = "spi"
    clock: ClassVar[Signal] = Signal("clk", 1, "input", "clock, rising edge")
    reset: ClassVar[Signal] = Signal("rst", 1, "input", "synchronous reset, active high")
    reset_active: ClassVar[int] = 1

    @property
    def signals(self) -> tuple[Signal, ...]:
        return (
            self.clock,
            self.reset,
            Signal("cs_n", 1, "input", "low: this slave is meant"),
            Signal("sck", 1, "input", f"clock of the bus, at most 1/{CLOCK_RATIO} of `clk`; need not be synchronous"),
            Signal("mosi", 1, "input", "from the master"),
            Signal("miso", 1, "output", "to the master"),
            Signal("miso_oe", 1, "output", "`miso` is to be driven; for a bus with several slaves"),
        )

    @property
    def handshake(self) -> str:
        rows = "\n".join(
            f"| {r.index} | {r.name} | {r.access} | {r.meaning.replace(', see below', ', which none is over SPI')} |"
            for r in REGISTERS
        )
        return (
            "An SPI slave for the modes 0 and 3: both ends sample at the rising edge of `sck`, the highest bit first. "
            f"A transaction, while `cs_n` is low, is a byte of command and any number of transfers of {TRANSFER} "
            f"bits. The command is the register's number, plus 0x{WRITE:02x} to write. A transfer is a byte of status "
            "from the module, which has the bits of STATUS, and a word of 32 bits: from the module, or to it. During "
            "the command the module gives its status as well.\n\n"
            "**The status of a transfer decides on its word.** A word to INPUT counts if bit 0 was set, and if all "
            "before it in the transaction counted: a master sends a whole frame at once, and sends again from the "
            "first word on that did not count. A word of RESULT is an integer if bit 1 was set, and is then taken. "
            f"Nothing is ever lost.\n\n| number | register | access | meaning |\n| --- | --- | --- | --- |\n{rows}"
        )


class SpiWrapper(RegisterWrapper):
    """The accelerator with the registers of `Spi`.

    Timing
    ------
    The wires are sampled by `clk`. What `miso` gives changes at most four cycles after a falling edge of `sck`. A word
    is written in the cycle in which its last bit is seen.
    """

    bus_type = Spi

    def connect(self, m: Module) -> None:
        registers = self.registers
        m.d.comb += self.miso_oe.eq(~self.cs_n)
        idle, sck, mosi = Net(init=1), Net(), Net()
        m.submodules.select = FFSynchronizer(self.cs_n, idle, init=1, o_domain=BUS)
        m.submodules.clock = FFSynchronizer(self.sck, sck, o_domain=BUS)
        m.submodules.data = FFSynchronizer(self.mosi, mosi, o_domain=BUS)
        before = Net()
        m.d[BUS] += before.eq(sck)

        # Bits of the command or of the transfer that were seen, and what was seen.
        count, commanded, seen = Net(range(TRANSFER)), Net(), Net(WORD)
        # Where the clock is high between transactions, it falls before the first bit as well: nothing moves then.
        moves = Net()
        gives = Net(TRANSFER)
        writes, address = Net(), Net(ADDRESS_BITS)
        # The status that a transfer began with, and whether a word before it did not count.
        takes, has, refused = Net(), Net(), Net()
        word = Cat(mosi, seen[:-1])
        m.d.comb += [
            self.miso.eq(gives[-1]),
            registers.address.eq(address),
            registers.w_data.eq(word),
        ]

        def begin() -> None:
            """Gives the status, and remembers it."""
            status = Cat(registers.input_ready, registers.result_ready, Const(0, BYTE - 2))
            m.d[BUS] += [
                gives.eq(Cat(Const(0, WORD), status)),
                takes.eq(registers.input_ready),
                has.eq(registers.result_ready),
            ]

        with m.If(idle):
            begin()
            m.d[BUS] += [count.eq(0), commanded.eq(0), refused.eq(0), moves.eq(0)]
        with m.Elif(sck & ~before):
            m.d[BUS] += [seen.eq(word), count.eq(count + 1), moves.eq(1)]
            with m.If(~commanded):
                with m.If(count == BYTE - 1):
                    m.d[BUS] += [count.eq(0), commanded.eq(1), address.eq(word), writes.eq(word[BYTE - 1])]
            with m.Else():
                with m.If((count == 0) & ~writes):
                    m.d.comb += registers.read.eq((address != RESULT.index) | has)
                with m.If(count == TRANSFER - 1):
                    m.d[BUS] += count.eq(0)
                    with m.If(writes & (address == INPUT.index)):
                        m.d.comb += registers.write.eq(takes & ~refused)
                        m.d[BUS] += refused.eq(refused | ~takes)
                    with m.Elif(writes):
                        m.d.comb += registers.write.eq(1)
        with m.Elif(~sck & before & moves):
            m.d[BUS] += [moves.eq(0), gives.eq(gives << 1)]
            with m.If(count == 0):
                begin()
            with m.Elif((count == BYTE) & commanded):
                m.d[BUS] += gives.eq(Cat(Const(0, BYTE), registers.r_data))
