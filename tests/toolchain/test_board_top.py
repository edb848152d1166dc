"""The whole top of a board in Amaranth's simulator: resets, link, accelerator and LEDs, driven over its pins alone."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal
from amaranth.lib import io
from amaranth.sim import Simulator

from bnnhw.gateware.pll import RESET_SECONDS, ClockGenerator
from bnnhw.generate.board_top import BoardTop
from bnnhw.host.protocol import Packet, Parser, encode_packet
from bnnhw.line import BASE_BAUD
from bnnhw.packets import Request, Status
from bnnhw.toolchain import find_board
from tests.toolchain.networks import bipolar_network, classes, folded

DIVISOR = 4  # cycles per bit: the fewest there are make the shortest simulation
CLOCK_HZ = DIVISOR * BASE_BAUD


class Pins:
    """Stands in for a board's platform: every pin is one of the simulator's."""

    def __init__(self) -> None:
        self.clock = io.SimulationPort("i", 1, name="clock")
        self.rx, self.tx = io.SimulationPort("i", 1, name="rx"), io.SimulationPort("o", 1, name="tx")
        self.leds = [io.SimulationPort("o", 1, name=f"led{k}") for k in range(3)]

    def request(self, name: str, number: int, *, dir: str) -> Any:
        assert dir == "-"
        return {"clk12": self.clock, "uart": SimpleNamespace(rx=self.rx, tx=self.tx), "led": self.leds[number]}[name]


class OnPins(Elaboratable):
    """A top whose platform is `pins`."""

    def __init__(self, top: BoardTop, pins: Pins) -> None:
        self._top, self._pins = top, pins

    def elaborate(self, platform: Any) -> Module:
        return self._top.elaborate(self._pins)


def test_a_board_answers_over_its_pins() -> None:
    network = bipolar_network(12, 6, 4)
    plan = folded(network, find_board("hx8k"), (2, 4), (1, 3))
    pins = Pins()
    roles = {role: ("led", k) for k, role in enumerate(("busy", "activity", "error"))}
    top = BoardTop(plan, network, clk_hz=CLOCK_HZ, fast_baud=None, clock=("clk12", 0), uart=("uart", 0), leds=roles)
    sent = np.random.default_rng(3).choice([-1, 1], (2, 12))
    integers, labels = classes(network, sent)
    half = 0.5 / CLOCK_HZ
    answers: list[Packet] = []
    lights: list[tuple[int, ...]] = []

    async def oscillator(ctx: Any) -> None:
        while True:
            await ctx.delay(half)
            ctx.set(pins.clock.i, ~ctx.get(pins.clock.i))

    async def send(ctx: Any, content: bytes) -> None:
        for byte in content:
            for bit in (0, *(byte >> k & 1 for k in range(8)), 1):
                ctx.set(pins.rx.i, bit)
                await ctx.delay(2 * half * DIVISOR)

    async def host(ctx: Any) -> None:
        ctx.set(pins.rx.i, 1)
        await ctx.delay(2 * RESET_SECONDS)
        lights.append(tuple(ctx.get(led.o) for led in pins.leds))
        requests = [encode_packet(Request.IDENTIFY, 1)]
        for k, sample in enumerate(sent):
            code = sum(int(value > 0) << bit for bit, value in enumerate(sample))
            requests.append(encode_packet(Request.INFER, 2 + k, code.to_bytes(2, "little")))
        requests.append(encode_packet(0x55, 9))
        for expected, request in enumerate(requests, start=1):
            await send(ctx, request)
            for _ in range(2000):
                if len(answers) == expected:
                    break
                await ctx.delay(2 * half)
            lights.append(tuple(ctx.get(led.o) for led in pins.leds))

    async def listen(ctx: Any) -> None:
        parser = Parser()
        while True:
            await ctx.negedge(pins.tx.o)
            await ctx.delay(half * DIVISOR)
            byte = 0
            for k in range(8):
                await ctx.delay(2 * half * DIVISOR)
                byte |= ctx.get(pins.tx.o) << k
            answers.extend(parser.feed(bytes([byte])))

    simulator = Simulator(OnPins(top, pins))
    simulator.add_testbench(oscillator, background=True)
    simulator.add_testbench(listen, background=True)
    simulator.add_testbench(host)
    simulator.run()

    assert [(answer.kind, answer.sequence) for answer in answers] == [
        (Status.IDENTITY, 1),
        (Status.RESULT, 2),
        (Status.RESULT, 3),
        (Status.UNKNOWN_KIND, 9),
    ]
    assert top.link.identity.pack() == answers[0].payload
    assert answers[0].payload[1:9] == bytes.fromhex(plan.digest)
    for k, answer in enumerate(answers[1:3]):
        assert list(struct.unpack("<4bHB", answer.payload)) == [*integers[k], labels[k], 0]
    activity, error = [state[1] for state in lights], [state[2] for state in lights]
    assert activity == [0, 1, 0, 1, 0]  # changes with every answer
    assert error == [0, 0, 0, 0, 1]


def test_reset_lasts_until_block_ram_reads() -> None:
    pins = Pins()
    m = Module()
    m.domains += [ClockDomain("sync"), ClockDomain("accel")]
    m.submodules.clocks = ClockGenerator(pins.clock, CLOCK_HZ)
    resets = {name: Signal(name=f"reset_{name}") for name in ("sync", "accel")}
    for name, wire in resets.items():
        m.d.comb += wire.eq(ResetSignal(name))
    released: dict[str, float] = {}

    async def watch(ctx: Any) -> None:
        for cycle in range(round(2 * RESET_SECONDS * CLOCK_HZ)):
            for name, wire in resets.items():
                if not ctx.get(wire):
                    released.setdefault(name, cycle / CLOCK_HZ)
            for level in (1, 0):
                ctx.set(pins.clock.i, level)
                await ctx.delay(0.5 / CLOCK_HZ)

    simulator = Simulator(m)
    simulator.add_testbench(watch)
    simulator.run()
    assert set(released) == {"sync", "accel"}
    for seconds in released.values():
        assert RESET_SECONDS <= seconds < 1.1 * RESET_SECONDS


@pytest.mark.parametrize("divider", [1, 2, 8])
def test_the_link_runs_at_a_part_of_the_oscillator(divider: int) -> None:
    pins = Pins()
    m = Module()
    m.domains += [ClockDomain("sync"), ClockDomain("accel")]
    m.submodules.clocks = ClockGenerator(pins.clock, CLOCK_HZ, divider=divider)
    clocks = {name: Signal(name=f"clock_{name}") for name in ("sync", "accel")}
    for name, wire in clocks.items():
        m.d.comb += wire.eq(ClockSignal(name))
    edges = dict.fromkeys(clocks, 0)

    async def watch(ctx: Any) -> None:
        for _ in range(8 * divider):
            for level in (1, 0):
                before = {name: ctx.get(wire) for name, wire in clocks.items()}
                ctx.set(pins.clock.i, level)
                await ctx.delay(0.5 / CLOCK_HZ)
                for name, wire in clocks.items():
                    edges[name] += ctx.get(wire) > before[name]

    simulator = Simulator(m)
    simulator.add_testbench(watch)
    simulator.run()
    assert edges == {"sync": 8, "accel": 8}


@pytest.mark.parametrize("divider", [0, 3])
def test_dividers_are_powers_of_two(divider: int) -> None:
    with pytest.raises(ValueError, match="divider must be a power of two"):
        ClockGenerator(Pins().clock, CLOCK_HZ, divider=divider)


def test_an_unknown_primitive() -> None:
    with pytest.raises(ValueError, match="PLL must be SB_PLL40_CORE, SB_PLL40_2_PAD, EHXPLLL or None, not 'MMCM'"):
        ClockGenerator(Pins().clock, CLOCK_HZ, primitive="MMCM")
