"""UART, 8 data bits, no parity, 1 stop bit, at one of one or two rates."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from bnnhw.line import Divider


def _check(divider):
    if not isinstance(divider, Divider) or len(divider.steps) > 2:
        raise ValueError(f"a UART needs a Divider of one or two rates, not {divider!r}")


def _step(divider, fast):
    """Units that a clock cycle adds: a constant where there is one rate."""
    first, *second = divider.steps
    return Mux(fast, second[0], first) if second else Const(first)


class UARTReceiver(wiring.Component):
    """Takes bytes from a serial line.

    Parameters
    ----------
    divider : Divider
        Clock cycles per bit, of one rate or of two.

    Members
    -------
    rx : In(1)
        The line, not synchronised.
    fast : In(1)
        Whether the second rate counts.
    line : Out(1)
        The line, synchronised.
    o : Out(stream, always ready), payload 8 bits
    error : Out(1)
        High for one cycle instead of `o.valid` where the stop bit is missing. The next byte begins after the line was
        high, so that a break is one error.

    Timing
    ------
    `o.valid` is high for one cycle, in the middle of the stop bit: 9.5 bits (and 2 cycles of synchronisation) after the
    line fell, less up to a cycle of rounding. Bytes may follow each other without a gap.

    Raises
    ------
    ValueError
        If the divider has more than two rates.
    """

    def __init__(self, divider):
        _check(divider)
        self._divider = divider
        super().__init__(
            {
                "rx": In(1, init=1),
                "fast": In(1),
                "line": Out(1, init=1),
                "o": Out(stream.Signature(8, always_ready=True)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line, period, step = self.line, self._divider.period, _step(self._divider, self.fast)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        previous = Signal()
        m.d.sync += previous.eq(line)
        busy = Signal()
        timer = Signal(range(period))
        # Bits come in at the top. Once the start bit is at the bottom, the byte is above it and the stop bit is due.
        bits = Signal(9, init=0x1FF)
        m.d.comb += self.o.payload.eq(bits[1:])
        with m.If(~busy):
            m.d.sync += [busy.eq(previous & ~line), timer.eq(period // 2 - step)]
        with m.Elif(timer >= step):
            m.d.sync += timer.eq(timer - step)
        with m.Else():
            m.d.sync += [timer.eq(timer + (period - step)), bits.eq(Cat(bits[1:], line))]
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
    divider : Divider
        Clock cycles per bit, of one rate or of two.

    Members
    -------
    i : In(stream), payload 8 bits
    fast : In(1)
        Whether the second rate counts.
    tx : Out(1)
        The line, from a register.

    Timing
    ------
    One byte per 10 bits, without a gap while there are bytes. The start bit follows the cycle in which the byte is
    taken; an idle line takes a byte within the time of a bit. `i.ready` means that the line is idle.

    Raises
    ------
    ValueError
        If the divider has more than two rates.
    """

    def __init__(self, divider):
        _check(divider)
        self._divider = divider
        super().__init__({"i": In(stream.Signature(8)), "fast": In(1), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        period, step = self._divider.period, _step(self._divider, self.fast)
        timer = Signal(range(period))
        # Bits leave at the bottom; the stop bit stays there until the next byte.
        bits = Signal(10, init=1)
        sending = bits[1:].any()
        ends_bit = timer < step
        m.d.comb += [self.tx.eq(bits[0]), self.i.ready.eq(ends_bit & ~sending)]
        m.d.sync += timer.eq(timer + Mux(ends_bit, period - step, -step))
        with m.If(ends_bit & sending):
            m.d.sync += bits.eq(bits[1:])
        with m.Elif(self.i.ready & self.i.valid):
            m.d.sync += bits.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1)))
        return m
