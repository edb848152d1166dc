"""The accelerator inside a design in Amaranth: the example, and the component with each bus."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

import bnnhw
from bnnhw.errors import InputError
from bnnhw.generate.wrappers import BUSES
from bnnhw.inputs import inputs_for
from bnnhw.reference import run
from tests.gateware.bench import add_clock
from tests.packaging.designs import dense

EXAMPLE = str(Path(bnnhw.__file__).parents[1] / "examples" / "amaranth_design.py")

pytestmark = pytest.mark.sim


def test_the_display_shows_what_the_reference_says() -> None:
    """Of digits, and of images that are none: the classes of these are others."""
    example = runpy.run_path(EXAMPLE)
    design = bnnhw.compile(example["MODEL"], part=example["PART"], fps=500_000)
    digits = inputs_for(design.graph, None, 2).values
    images = np.concatenate([digits, 16 - digits[:1], np.random.default_rng(1).integers(0, 17, (2, 64))])
    expected = run(design.graph, images)["prediction"].tolist()
    assert len({*expected}) > 2
    assert example["simulate"](example["DigitReader"](design), images) == expected


def test_as_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [EXAMPLE, "--samples", "1"])
    runpy.run_path(EXAMPLE, run_name="__main__")
    assert "the display shows [0], the reference says [0]" in capsys.readouterr().out


class Around(wiring.Component):
    """A design with a clock domain of its own."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        super().__init__({"blink": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.inner = self._inner
        m.d.sync += self.blink.eq(~self.blink)
        return m


@pytest.mark.parametrize("bus", [None, *BUSES])
def test_a_component_leaves_the_domains_around_it_alone(bus: str | None, tmp_path: Path) -> None:
    around = Around(dense(tmp_path).component(bus))
    seen = []

    async def bench(ctx: Any) -> None:
        for _ in range(3):
            seen.append(ctx.get(around.blink))
            await ctx.tick()

    simulator = Simulator(around)
    add_clock(simulator)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [0, 1, 0]


def test_no_such_bus(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--bus wishbon: no such bus, did you mean wishbone?"):
        dense(tmp_path).component("wishbon")
