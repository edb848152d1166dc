"""Accelerator -> everything on the board's FPGA: clocks, host link, accelerator, LEDs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import ClockDomain, DomainRenamer, Elaboratable, Module
from amaranth.lib import io, wiring

from bnnhw.dataflow import Network, Plan
from bnnhw.gateware.link.board_link import BoardLink
from bnnhw.gateware.pll import ClockGenerator
from bnnhw.gateware.streams.ready_slice import ReadySlice
from bnnhw.gateware.streams.result_cut import ResultCut
from bnnhw.generate.accelerator import Accelerator


class BoardTop(Elaboratable):
    """The accelerator behind the host link of a board.

    The link runs at the oscillator's clock, domain `sync`, whatever clock the accelerator gets: domain `accel`.

    Parameters
    ----------
    plan : Plan
        Folding and memories.
    network : Network
        The integers that the plan folds.
    clk_hz : int or float
        Frequency of the oscillator.
    baud : int
        Bits per second of the host link.
    clock, uart : tuple of (str, int)
        Names and numbers of the platform's resources.
    link_divider : int
        Cycles of the oscillator per cycle of the host link, a power of two.
    leds : dict of str to tuple of (str, int)
        The platform's LED for ``"busy"``, ``"activity"`` and ``"error"`` of the link, as far as there is one.
    pll, dividers : str or None, dict of str to int
        As `ClockGenerator` takes them.

    Attributes
    ----------
    link : BoardLink
        The host link, which knows its speed and what it answers to IDENTIFY.

    Raises
    ------
    ValueError
        If the oscillator cannot give the baud rate, or the network does not fit the link's protocol.
    """

    def __init__(
        self,
        plan: Plan,
        network: Network,
        *,
        clk_hz: float,
        baud: int,
        clock: tuple[str, int],
        uart: tuple[str, int],
        leds: Mapping[str, tuple[str, int]],
        link_divider: int = 1,
        pll: str | None = None,
        dividers: Mapping[str, int] | None = None,
    ) -> None:
        self._accelerator: Any = Accelerator(plan, network)
        ports = self._accelerator.ports
        self._cut: Any = ResultCut(ports.output.width, ports.output.elements, ports.output.lanes)
        self._inward: Any = ReadySlice(self._accelerator.i.payload.shape())
        self._outward: Any = ReadySlice(self._accelerator.o.payload.shape())
        self._clk_hz = clk_hz
        self._clock = clock
        self._link_divider = link_divider
        self._uart = uart
        self._leds = leds
        self._pll = pll
        self._dividers = dividers
        self.link = BoardLink(
            clk_hz=clk_hz / link_divider,
            baud=baud,
            digest=bytes.fromhex(plan.digest),
            input_elements=ports.input.elements,
            input_bits=ports.input.dtype.bits,
            input_simd=ports.input.lanes,
            output_elements=ports.output.elements,
            output_width=ports.output.width,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains += [ClockDomain("sync"), ClockDomain("accel")]
        m.submodules.clocks = ClockGenerator(
            platform.request(*self._clock, dir="-"),
            self._clk_hz,
            divider=self._link_divider,
            primitive=self._pll,
            dividers=self._dividers,
        )
        m.submodules.accelerator = DomainRenamer("accel")(self._accelerator)
        m.submodules.link = link = self.link
        # No stall goes from the accelerator into the link or back within a cycle: a frame of constant layers is one
        # beat of hundreds of bits, all of which it would have to reach.
        m.submodules.inward = inward = DomainRenamer("accel")(self._inward)
        wiring.connect(m, link.o, inward.i)
        wiring.connect(m, inward.o, self._accelerator.i)
        m.submodules.cut = cut = DomainRenamer("accel")(self._cut)
        m.submodules.outward = outward = DomainRenamer("accel")(self._outward)
        wiring.connect(m, self._accelerator.o, outward.i)
        wiring.connect(m, outward.o, cut.i)
        wiring.connect(m, cut.o, link.i)

        pins = platform.request(*self._uart, dir="-")
        m.submodules.rx = rx = io.Buffer("i", pins.rx)
        m.submodules.tx = tx = io.Buffer("o", pins.tx)
        m.d.comb += [link.rx.eq(rx.i), tx.o.eq(link.tx)]

        lights = {"busy": link.busy, "activity": link.activity, "error": link.error}
        for role, resource in self._leds.items():
            m.submodules[f"led_{role}"] = led = io.Buffer("o", platform.request(*resource, dir="-"))
            m.d.comb += led.o.eq(lights[role])
        return m
