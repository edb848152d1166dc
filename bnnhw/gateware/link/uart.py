"""UART, 8 data bits, no parity, 1 stop bit."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out


def _check_divisor(divisor):
    if not isinstance(divisor, int) or divisor < 4:
        raise ValueError(f"UART divisor must be an integer of at least 4 clock cycles per bit, not {divisor!r}")


class UARTReceiver(wiring.Component):
    """Takes bytes from a serial line.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit.

    Members
    -------
    rx : In(1)
        The line, not synchronised.
    o : Out(stream, always ready), payload 8 bits
    error : Out(1)
        High for one cycle instead of `o.valid` where the stop bit is missing. The next byte begins after the line was
        high, so that a break is one error.

    Timing
    ------
    `o.valid` is high for one cycle, in the middle of the stop bit, ``9.5 * divisor`` cycles (and 2 of synchronisation)
    after the line fell. Bytes may follow each other without a gap.

    Raises
    ------
    ValueError
        If the divisor is not an integer of at least 4.
    """

    def __init__(self, divisor):
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__(
            {
                "rx": In(1, init=1),
                "o": Out(stream.Signature(8, always_ready=True)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        previous = Signal()
        m.d.sync += previous.eq(line)
        busy = Signal()
        timer = Signal(range(self._divisor))
        # Bits come in at the top. Once the start bit is at the bottom, the byte is above it and the stop bit is due.
        bits = Signal(9, init=0x1FF)
        m.d.comb += self.o.payload.eq(bits[1:])
        with m.If(~busy):
            m.d.sync += [busy.eq(previous & ~line), timer.eq(self._divisor // 2 - 1)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(self._divisor - 1), bits.eq(Cat(bits[1:], line))]
            with m.If(~bits[0]):
                m.d.sync += [busy.eq(0), bits.eq(bits.init)]
                m.d.comb += [self.o.valid.eq(line), self.error.eq(~line)]
            with m.Elif(bits.all() & line):
                m.d.sync += busy.eq(0)  # the start bit was a glitch
        return m


class UARTTransmitter(wiring.Component):
    """Puts bytes on a serial line.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit.

    Members
    -------
    i : In(stream), payload 8 bits
    tx : Out(1)
        The line, from a register.

    Timing
    ------
    One byte per ``10 * divisor`` cycles, without a gap while there are bytes. The start bit follows the cycle in which
    the byte is taken; an idle line takes a byte within `divisor` cycles.

    Raises
    ------
    ValueError
        If the divisor is not an integer of at least 4.
    """

    def __init__(self, divisor):
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self._divisor))
        # Bits leave at the bottom; the stop bit stays there until the next byte.
        bits = Signal(10, init=1)
        sending = bits[1:].any()
        ends_bit = timer == 0
        m.d.comb += [self.tx.eq(bits[0]), self.i.ready.eq(ends_bit & ~sending)]
        m.d.sync += timer.eq(Mux(ends_bit, self._divisor - 1, timer - 1))
        with m.If(ends_bit & sending):
            m.d.sync += bits.eq(bits[1:])
        with m.Elif(self.i.ready & self.i.valid):
            m.d.sync += bits.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1)))
        return m
