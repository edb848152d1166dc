"""Clocks of a board: the oscillator, or a part of it, for the link, a PLL for the accelerator; the resets of both."""

from math import ceil

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer

# iCE40 block RAM reads zero for about 3 us after configuration: five times that.
RESET_SECONDS = 15e-6

# What stays the same whatever the frequency is. On ECP5 the output CLKOP only closes the loop, so that the divider of
# the other output, CLKOS, is free.
_CONSTANT_PARAMETERS = {
    "SB_PLL40_CORE": {"FEEDBACK_PATH": "SIMPLE", "PLLOUT_SELECT": "GENCLK"},
    "SB_PLL40_2_PAD": {"FEEDBACK_PATH": "SIMPLE", "PLLOUT_SELECT_PORTB": "GENCLK"},
    "EHXPLLL": {
        "FEEDBK_PATH": "CLKOP",
        "CLKFB_DIV": 1,
        "CLKOP_ENABLE": "ENABLED",
        "CLKOP_CPHASE": 9,
        "CLKOP_FPHASE": 0,
        "CLKOS_ENABLE": "ENABLED",
        "CLKOS_CPHASE": 0,
        "CLKOS_FPHASE": 0,
        "OUTDIVIDER_MUXA": "DIVA",
        "OUTDIVIDER_MUXB": "DIVB",
        "OUTDIVIDER_MUXC": "DIVC",
        "OUTDIVIDER_MUXD": "DIVD",
        "PLLRST_ENA": "DISABLED",
        "INTFB_WAKE": "DISABLED",
        "STDBY_ENABLE": "DISABLED",
        "DPHASE_SOURCE": "DISABLED",
    },
}
# The loop filter of ECP5 is set by attributes; these are the values that Lattice's own tool writes.
_ATTRIBUTES = {
    "EHXPLLL": {"ICP_CURRENT": "12", "LPF_RESISTOR": "8", "MFG_ENABLE_FILTEROPAMP": "1", "MFG_GMCREF_SEL": "2"},
}
_CONSTANT_INPUTS = {
    "SB_PLL40_CORE": {"RESETB": 1, "BYPASS": 0},
    "SB_PLL40_2_PAD": {"RESETB": 1, "BYPASS": 0},
    "EHXPLLL": {
        "RST": 0,
        "STDBY": 0,
        "ENCLKOP": 0,
        "PHASESEL0": 0,
        "PHASESEL1": 0,
        "PHASEDIR": 1,
        "PHASESTEP": 1,
        "PHASELOADREG": 1,
        "PLLWAKESYNC": 0,
    },
}


class ClockGenerator(wiring.Component):
    """Drives the clock domains `sync` (the oscillator, divided) and `accel` (the PLL's output), and resets
    them together.

    The parent defines the two domains. The PLL is one instance, named `pll`: its dividers can be changed in a
    netlist, after place and route.

    Parameters
    ----------
    pin : io.SingleEndedPort
        The oscillator's pin.
    clk_hz : int or float
        Its frequency.
    divider : int
        Cycles of the oscillator per cycle of `sync`: 1, or a power of two.
    primitive : str or None
        ``"SB_PLL40_2_PAD"`` where the oscillator sits on the pin that an iCE40's PLL takes for itself,
        ``"SB_PLL40_CORE"`` where it sits on another one, ``"EHXPLLL"`` for ECP5. None for no PLL: then `accel` has the
        clock of `sync`.
    dividers : dict of str to int
        The parameters of the instance that make the frequency.

    Timing
    ------
    Both domains are in reset for 15 us after configuration and until the PLL has locked, and again when it loses its
    lock. They leave it within a few cycles of each other.

    Raises
    ------
    ValueError
        If the primitive is unknown, or the divider no power of two.
    """

    def __init__(self, pin, clk_hz, *, divider=1, primitive=None, dividers=None):
        if divider < 1 or divider & (divider - 1):
            raise ValueError(f"divider must be a power of two, not {divider!r}")
        if primitive is not None and primitive not in _CONSTANT_PARAMETERS:
            raise ValueError(f"PLL must be {', '.join(_CONSTANT_PARAMETERS)} or None, not {primitive!r}")
        self._pin = pin
        self._clk_hz = clk_hz
        self._divider = divider
        self._primitive = primitive
        self._dividers = dividers or {}
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        clock, slow, fast, locked = Signal(), Signal(), Signal(), Signal()
        # Never in reset: what makes the resets must run first.
        m.domains += ClockDomain("startup", reset_less=True, local=True)
        m.d.comb += [
            ClockSignal("startup").eq(slow),
            ClockSignal("sync").eq(slow),
            ClockSignal("accel").eq(fast),
        ]

        if self._primitive == "SB_PLL40_2_PAD":
            # The input buffer of the pin is the PLL's, which hands the clock through on its port A.
            ports = [
                ("io", "PACKAGEPIN", self._pin.io),
                ("o", "PLLOUTGLOBALA", clock),
                ("o", "PLLOUTGLOBALB", fast),
            ]
        else:
            m.submodules.buffer = buffer = io.Buffer("i", self._pin)
            m.d.comb += clock.eq(buffer.i)
            ports = [("i", "REFERENCECLK", clock), ("o", "PLLOUTGLOBAL", fast)]
        if self._primitive == "EHXPLLL":
            loop = Signal()
            ports = [("i", "CLKI", clock), ("o", "CLKOP", loop), ("i", "CLKFB", loop), ("o", "CLKOS", fast)]

        if self._divider == 1:
            m.d.comb += slow.eq(clock)
        else:
            m.domains += ClockDomain("oscillator", reset_less=True, local=True)
            phase = Signal(range(self._divider))
            m.d.oscillator += phase.eq(phase + 1)
            m.d.comb += [ClockSignal("oscillator").eq(clock), slow.eq(phase[-1])]

        if self._primitive is None:
            m.d.comb += [fast.eq(slow), locked.eq(1)]
        else:
            m.submodules.pll = Instance(
                self._primitive,
                *(("p", name, value) for name, value in _CONSTANT_PARAMETERS[self._primitive].items()),
                *(("p", name, value) for name, value in self._dividers.items()),
                *(("a", name, value) for name, value in _ATTRIBUTES.get(self._primitive, {}).items()),
                *(("i", name, Const(value, 1)) for name, value in _CONSTANT_INPUTS[self._primitive].items()),
                *ports,
                ("o", "LOCK", locked),
            )

        stable, ready = Signal(), Signal()
        m.submodules.lock = FFSynchronizer(locked, stable, o_domain="startup")
        cycles = ceil(RESET_SECONDS * self._clk_hz / self._divider)
        timer = Signal(range(cycles + 1))
        elapsed = timer == cycles
        with m.If(~elapsed):
            m.d.startup += timer.eq(timer + 1)
        m.d.startup += ready.eq(elapsed & stable)
        m.d.comb += ResetSignal("sync").eq(~ready)
        m.submodules.accel_reset = ResetSynchronizer(~ready, domain="accel")
        return m
