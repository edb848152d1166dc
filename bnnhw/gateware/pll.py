"""Clocks of a board: the oscillator for the link, a PLL for the accelerator, and the resets of both."""

from math import ceil

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer

# iCE40 block RAM reads zero for about 3 us after configuration: five times that.
RESET_SECONDS = 15e-6

ICE40_PORTS = (("i", "RESETB", Const(1)), ("i", "BYPASS", Const(0)))
ECP5_PORTS = tuple(("i", name, Const(0)) for name in ("RST", "STDBY", "PHASESEL0", "PHASESEL1", "PHASEDIR", "PHASESTEP", "PHASELOADREG", "PLLWAKESYNC", "ENCLKOP"))


class ClockGenerator(wiring.Component):
    """Makes the clock domains `sync` (the oscillator) and `accel` (the PLL's output), and resets them together.

    The PLL's dividers are parameters of one instance, named `pll`, so that they can be changed in a netlist.

    Parameters
    ----------
    pin : io.SingleEndedPort
        The oscillator's pin.
    clk_hz : int or float
        Its frequency.
    primitive : str or None
        ``"SB_PLL40_2_PAD"`` where the oscillator sits on the pin that belongs to an iCE40's PLL, ``"SB_PLL40_CORE"`` where it
        sits on another one, ``"EHXPLLL"`` for ECP5; None for no PLL: then `accel` is the oscillator too.
    parameters : dict
        The instance's parameters.

    Timing
    ------
    Both domains are in reset for 15 us after configuration and until the PLL has locked, and again whenever it loses its lock.
    `sync` leaves reset first, `accel` two of its cycles later.

    Raises
    ------
    ValueError
        If the primitive is unknown.
    """

    def __init__(self, pin, clk_hz, *, primitive=None, parameters=None):
        if primitive not in (None, "SB_PLL40_2_PAD", "SB_PLL40_CORE", "EHXPLLL"):
            raise ValueError(f"PLL must be SB_PLL40_2_PAD, SB_PLL40_CORE, EHXPLLL or None, not {primitive!r}")
        self._pin = pin
        self._clk_hz = clk_hz
        self._primitive = primitive
        self._parameters = parameters or {}
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        clock, fast, locked = Signal(), Signal(), Signal()
        # Without a reset of its own: what makes the resets must run first.
        m.domains += ClockDomain("startup", reset_less=True, local=True)
        m.domains.sync = ClockDomain()
        m.domains.accel = ClockDomain()
        m.d.comb += [
            ClockSignal("startup").eq(clock),
            ClockSignal("sync").eq(clock),
            ClockSignal("accel").eq(fast),
        ]
        if self._primitive == "SB_PLL40_2_PAD":
            # The pad's input buffer belongs to the PLL, which hands the clock through on its port A.
            self._add_pll(m, ("io", "PACKAGEPIN", self._pin.io), ("o", "PLLOUTGLOBALA", clock), ("o", "PLLOUTGLOBALB", fast), *ICE40_PORTS, ("o", "LOCK", locked))
        else:
            m.submodules.buffer = buffer = io.Buffer("i", self._pin)
            m.d.comb += clock.eq(buffer.i)
        if self._primitive == "SB_PLL40_CORE":
            self._add_pll(m, ("i", "REFERENCECLK", clock), ("o", "PLLOUTGLOBAL", fast), *ICE40_PORTS, ("o", "LOCK", locked))
        elif self._primitive == "EHXPLLL":
            feedback = Signal()
            self._add_pll(m, ("i", "CLKI", clock), ("o", "CLKOP", feedback), ("i", "CLKFB", feedback), ("o", "CLKOS", fast), *ECP5_PORTS, ("o", "LOCK", locked))
        elif self._primitive is None:
            m.d.comb += [fast.eq(clock), locked.eq(1)]

        stable, ready = Signal(), Signal()
        m.submodules.lock = FFSynchronizer(locked, stable, o_domain="startup")
        cycles = ceil(RESET_SECONDS * self._clk_hz)
        timer = Signal(range(cycles + 1))
        elapsed = timer == cycles
        with m.If(~elapsed):
            m.d.startup += timer.eq(timer + 1)
        m.d.startup += ready.eq(elapsed & stable)
        m.d.comb += ResetSignal("sync").eq(~ready)
        m.submodules.accel_reset = ResetSynchronizer(~ready, domain="accel")
        return m

    def _add_pll(self, m, *ports):
        parameters = (("p", name, value) for name, value in self._parameters.items())
        m.submodules.pll = Instance(self._primitive, *parameters, *ports)
