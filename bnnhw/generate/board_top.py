"""Accelerator -> everything on the board's FPGA: clocks, host link, accelerator, LEDs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import ClockDomain, DomainRenamer, Elaboratable, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer

from bnnhw.dataflow import Network, Plan
from bnnhw.dataflow.area import link_bytes
from bnnhw.gateware.link.board_link import BoardLink
from bnnhw.gateware.link.crossing import Crossing
from bnnhw.gateware.loading.flash_reader import FlashReader
from bnnhw.gateware.loading.image_loader import IMAGE_BYTE
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
    fast_baud : int or None
        Bits per second to which the host link can go; None for none.
    clock, uart : tuple of (str, int)
        Names and numbers of the platform's resources.
    link_divider : int
        Cycles of the oscillator per cycle of the host link, a power of two.
    leds : dict of str to tuple of (str, int)
        The platform's LED for ``"busy"``, ``"activity"`` and ``"error"`` of the link, as far as there is one.
    flash : tuple of ((str, int), int) or None
        The platform's resource of the flash, and where in it the image of the memories begins; None for no flash. Not
        touched by a plan that loads nothing.
    pll, dividers : str or None, dict of str to int
        As `ClockGenerator` takes them.

    Attributes
    ----------
    link : BoardLink
        The host link, which knows its speed and what it answers to IDENTIFY.

    Raises
    ------
    ValueError
        If the oscillator cannot give the rates of the line, or the network does not fit the link's protocol.
    """

    def __init__(
        self,
        plan: Plan,
        network: Network,
        *,
        clk_hz: float,
        fast_baud: int | None,
        clock: tuple[str, int],
        uart: tuple[str, int],
        leds: Mapping[str, tuple[str, int]],
        link_divider: int = 1,
        flash: tuple[tuple[str, int], int] | None = None,
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
        self._loads = plan.loads
        self._flash = flash
        self._pll = pll
        self._dividers = dividers
        self.link = BoardLink(
            clk_hz=clk_hz / link_divider,
            fast_baud=fast_baud,
            digest=bytes.fromhex(plan.digest),
            input_elements=ports.input.elements,
            input_bits=ports.input.dtype.bits,
            input_simd=ports.input.lanes,
            output_elements=ports.output.elements,
            output_width=ports.output.width,
            buffer_bytes=link_bytes(plan.device),
            loads=plan.loads,
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

        if self._loads:
            self._load(m, platform)

        pins = platform.request(*self._uart, dir="-")
        m.submodules.rx = rx = io.Buffer("i", pins.rx)
        m.submodules.tx = tx = io.Buffer("o", pins.tx)
        m.d.comb += [link.rx.eq(rx.i), tx.o.eq(link.tx)]

        lights = {"busy": link.busy, "activity": link.activity, "error": link.error}
        for role, resource in self._leds.items():
            m.submodules[f"led_{role}"] = led = io.Buffer("o", platform.request(*resource, dir="-"))
            m.d.comb += led.o.eq(lights[role])
        return m

    def _load(self, m: Module, platform: Any) -> None:
        """Brings the image of the memories to the accelerator: that of the flash, and if it is not good, the link's."""
        link, accelerator = self.link, self._accelerator
        loaded, failed = Signal(), Signal()
        m.submodules.loaded = FFSynchronizer(accelerator.loaded, loaded)
        m.submodules.failed = FFSynchronizer(accelerator.failed, failed)
        m.submodules.image = image = Crossing(IMAGE_BYTE, i_domain="sync", o_domain="accel")
        wiring.connect(m, image.o, accelerator.image)
        # The line is slow: a byte has crossed long before the next one comes, and if not, the checksum tells.
        byte, waits = Signal(IMAGE_BYTE, reset_less=True), Signal()
        m.d.comb += [link.loaded.eq(loaded), image.i.valid.eq(waits), image.i.payload.eq(byte)]
        with m.If(image.i.ready):
            m.d.sync += waits.eq(0)
        with m.If(link.load.valid):
            m.d.sync += [waits.eq(1), byte.eq(link.load.payload)]
        if self._flash is None:
            return
        resource, address = self._flash
        m.submodules.flash = flash = FlashReader(address, self._clk_hz / self._link_divider)
        m.d.comb += [flash.stop.eq(loaded | failed), link.loading.eq(~flash.done)]
        with m.If(~flash.done):
            m.d.comb += [image.i.valid.eq(flash.o.valid), image.i.payload.eq(flash.o.payload)]
            m.d.comb += flash.o.ready.eq(image.i.ready)
        pins = platform.request(*resource, dir="-")
        outputs = {"cs": (pins.cs, flash.select), "clk": (pins.clk, flash.clk), "copi": (pins.dq[0], flash.copi)}
        for name, (pin, level) in outputs.items():
            m.submodules[f"flash_{name}"] = buffer = io.Buffer("o", pin)
            m.d.comb += buffer.o.eq(level)
        m.submodules.flash_cipo = cipo = io.Buffer("i", pins.dq[1])
        m.d.comb += flash.cipo.eq(cipo.i)
