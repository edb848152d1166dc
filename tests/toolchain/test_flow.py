"""What is read from the tools' reports, and what is changed after the route."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bnnhw.errors import PlanError, ToolError
from bnnhw.toolchain import find_board, flow

ICE40, ECP5 = find_board("icebreaker"), find_board("ulx3s-85f")


def report(
    folder: Path, *, fmax: dict[str, float] | None = None, used: dict[str, tuple[int, int]] | None = None
) -> None:
    content = {
        "fmax": {name: {"achieved": value, "constraint": 12.0} for name, value in (fmax or {}).items()},
        "utilization": {name: {"used": a, "available": b} for name, (a, b) in (used or {}).items()},
    }
    (folder / flow.ROUTE_REPORT).write_text(json.dumps(content))


@pytest.mark.parametrize(
    "names",
    [
        ("accel_clk", "clk"),
        ("$glbnet$accelerator.dense0_buffer.accel_clk", "$glbnet$link.outward.clk"),
        ("clocks.accel_clk_$glb_clk", "clk_$glb_clk"),
    ],
)
def test_timing_tells_the_clocks_apart(names: tuple[str, str], tmp_path: Path) -> None:
    report(tmp_path, fmax=dict(zip(names, (33.5, 40.25), strict=True)))
    assert flow.timing(tmp_path) == flow.Timing(accel_mhz=33.5, link_mhz=40.25)


def test_timing_of_one_clock(tmp_path: Path) -> None:
    report(tmp_path, fmax={"clk": 14.5})
    assert flow.timing(tmp_path) == flow.Timing(accel_mhz=14.5, link_mhz=14.5)


def test_what_does_not_fit_is_listed() -> None:
    used = {"ICESTORM_LC": {"used": 6100, "available": 5280}, "ICESTORM_RAM": {"used": 30, "available": 30}}
    with pytest.raises(PlanError, match="too large for ice40-up5k on board icebreaker: it needs 6100 of 5280 LUTs;"):
        flow.check_capacity(ICE40, used)
    used["ICESTORM_LC"]["used"] = 5280
    flow.check_capacity(ICE40, used)


def test_utilization_of_ice40(tmp_path: Path) -> None:
    report(tmp_path, used={"ICESTORM_LC": (100, 5280), "ICESTORM_RAM": (3, 30), "ICESTORM_SPRAM": (1, 4)})
    cells = {"SB_DFF": 10, "SB_DFFESR": 20, "SB_CARRY": 7, "SB_LUT4": 60}
    (tmp_path / flow.STATISTICS).write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
    assert flow.utilization(ICE40, tmp_path) == {
        "lut4": {"used": 100, "available": 5280},
        "ff": {"used": 30, "available": 5280},
        "carry": {"used": 7, "available": 5280},
        "block_ram": {"used": 3, "available": 30},
        "spram": {"used": 1, "available": 4},
        "dsp": {"used": 0, "available": 0},
    }


def test_utilization_of_ecp5(tmp_path: Path) -> None:
    used = {"TRELLIS_COMB": (90, 83640), "TRELLIS_FF": (40, 83640), "DP16KD": (5, 208), "MULT18X18D": (0, 156)}
    report(tmp_path, used=used)
    (tmp_path / flow.STATISTICS).write_text(json.dumps({"design": {"num_cells_by_type": {"CCU2C": 8}}}))
    assert flow.utilization(ECP5, tmp_path) == {
        "lut4": {"used": 90, "available": 83640},
        "ff": {"used": 40, "available": 83640},
        "carry": {"used": 16, "available": 83640},
        "block_ram": {"used": 5, "available": 208},
        "spram": {"used": 0, "available": 0},
        "dsp": {"used": 0, "available": 156},
    }


def test_dividers_of_ecp5_are_words_of_the_configuration(tmp_path: Path) -> None:
    before = "word: CLKI_DIV 0000000\nword: CLKOP_DIV 0010111\nword: CLKOS_DIV 0000111\nword: CLKOS2_DIV 0000111\n"
    (tmp_path / flow.CONFIGURATION).write_text(before)
    flow.set_dividers(ECP5, tmp_path, {"CLKI_DIV": 2, "CLKOP_DIV": 64, "CLKOS_DIV": 13})
    after = "word: CLKI_DIV 0000001\nword: CLKOP_DIV 0111111\nword: CLKOS_DIV 0001100\nword: CLKOS2_DIV 0000111\n"
    assert (tmp_path / flow.CONFIGURATION).read_text() == after


def fails(monkeypatch: pytest.MonkeyPatch, used: dict[str, tuple[int, int]]) -> None:
    """Makes every route fail, and every packing report `used`."""

    def run(tool: Any, arguments: list[str], folder: Path, **heard: object) -> None:
        if "--pack-only" not in arguments:
            raise ToolError("nextpnr-ice40 failed: ERROR: no place")
        report(folder / Path(arguments[arguments.index("--report") + 1]).parent, used=used)

    monkeypatch.setattr(flow.tools, "run", run)


def test_a_route_that_fails_for_want_of_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, {"ICESTORM_LC": (9, 5280), "ICESTORM_RAM": (33, 30)})
    with pytest.raises(PlanError, match="needs 33 of 30 block RAMs"):
        flow.route(ICE40, tmp_path, seed=1)


def test_a_route_that_fails_for_another_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, {"ICESTORM_LC": (9, 5280)})
    with pytest.raises(ToolError, match="no place"):
        flow.route(ICE40, tmp_path, seed=1)


@pytest.mark.parametrize(
    ("luts", "carries", "router"), [(4_000, 500, None), (4_000, 501, "router2"), (19_000, 501, "router1")]
)
def test_a_large_design_is_placed_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, luts: int, carries: int, router: str | None
) -> None:
    given: list[str] = []
    cells = {"LUT4": luts, "CCU2C": carries}
    (tmp_path / flow.STATISTICS).write_text(json.dumps({"design": {"num_cells_by_type": cells}}))

    def run(tool: Any, arguments: list[str], folder: Path, **heard: object) -> None:
        given.extend(arguments)
        report(folder / "seed1", fmax={"accel_clk": 60.0, "clk": 25.0})

    monkeypatch.setattr(flow.tools, "run", run)
    flow.route(ECP5, tmp_path, seed=1)
    assert (given[given.index("--router") + 1] if "static" in given else None) == router
