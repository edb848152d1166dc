"""Reads the board's flash from an address on, byte by byte."""

from math import ceil

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.loading.image_loader import IMAGE_BYTE

WAKE, READ = 0xAB, 0x03
"""Commands of every serial flash: release from deep power-down, and read from an address on."""

WAKE_SECONDS = 50e-6
"""From the first command to the second: more than any flash takes to wake."""

MAX_CLK_HZ = 60e6
"""Half of it is the clock of the flash, which reads at up to 33 MHz with this command, the slowest of them."""

ADDRESS_BYTES = 3


class _State(enum.Enum, shape=3):
    WAKE = 0
    WAIT = 1
    COMMAND = 2
    READ = 3
    BYTE = 4
    END = 5


class FlashReader(wiring.Component):
    """Wakes the flash, which sleeps after the configuration of an iCE40, and reads it until it is told to stop.

    Parameters
    ----------
    address : int
        Of the first byte.
    clk_hz : int or float
        Frequency of `sync`.

    Members
    -------
    select, clk, copi : Out(1), cipo : In(1)
        The flash, SPI mode 0; `select` is active high, for a pin that inverts.
    o : Out(stream), payload `IMAGE_BYTE`
        What the flash holds, the byte at `address` being `first`.
    stop : In(1)
        No more bytes are wanted.
    done : Out(1)
        It has stopped, and left the flash.

    Timing
    ------
    The first byte comes 0.05 ms after reset and 84 cycles; then one every 17 cycles. A stall of `o` stops the clock of
    the flash. `done` comes 1 to 17 cycles after `stop`, or later where a byte waits at `o`.

    Raises
    ------
    ValueError
        If the address does not have 24 bits, or the clock is too fast.
    """

    def __init__(self, address, clk_hz):
        if not 0 <= address < 1 << 8 * ADDRESS_BYTES or not 0 < clk_hz <= MAX_CLK_HZ:
            raise ValueError(f"cannot read a flash from {address!r} on at {clk_hz!r} Hz")
        self._address = address
        self._wait = ceil(clk_hz * WAKE_SECONDS)
        super().__init__(
            {
                "select": Out(1),
                "clk": Out(1),
                "copi": Out(1),
                "cipo": In(1),
                "o": Out(stream.Signature(IMAGE_BYTE)),
                "stop": In(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        state = Signal(_State)
        bits = 8 * (1 + ADDRESS_BYTES)
        count = Signal(range(max(self._wait, bits)))  # bits of a command or a byte, or cycles that are waited
        byte = Signal(8, reset_less=True)
        first = Signal(init=1)
        command = Const(READ << 8 * ADDRESS_BYTES | self._address, bits)
        m.d.comb += [
            self.o.payload.data.eq(byte),
            self.o.payload.first.eq(first),
            self.o.valid.eq(state == _State.BYTE),
            self.done.eq(state == _State.END),
        ]

        def shift(pattern, length, following):
            """Two cycles a bit: the flash takes a bit when its clock rises, and gives the next when it falls."""
            last = length - 1
            m.d.sync += [self.select.eq(1), self.clk.eq(self.select & ~self.clk)]
            if pattern is not None:
                m.d.comb += self.copi.eq(pattern.bit_select(~count[: ceil_log2(length)], 1))  # the highest first
            with m.If(self.clk):
                m.d.sync += [count.eq(count + 1), byte.eq(Cat(self.cipo, byte))]
                with m.If(count == last):
                    m.d.sync += [count.eq(0), state.eq(following)]

        with m.Switch(state):
            with m.Case(_State.WAKE):
                shift(Const(WAKE, 8), 8, _State.WAIT)
            with m.Case(_State.WAIT):
                m.d.sync += [self.select.eq(0), count.eq(count + 1)]
                with m.If(count == self._wait - 1):
                    m.d.sync += [count.eq(0), state.eq(_State.COMMAND)]
            with m.Case(_State.COMMAND):
                shift(command, bits, _State.READ)
            with m.Case(_State.READ):
                shift(None, 8, _State.BYTE)
            with m.Case(_State.BYTE):
                with m.If(self.o.ready):
                    m.d.sync += [first.eq(0), state.eq(_State.READ)]
                    with m.If(self.stop):
                        m.d.sync += state.eq(_State.END)
            with m.Case(_State.END):
                m.d.sync += self.select.eq(0)
        return m
