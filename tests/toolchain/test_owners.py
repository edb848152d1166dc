"""Cells of a routed netlist find the unit that they are part of; the critical path is told in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bnnhw.toolchain import find_board, flow
from bnnhw.toolchain.critical_path import critical_path
from bnnhw.toolchain.owners import ACCELERATOR, BOARD, area_by_layer, owners
from tests.toolchain.networks import bipolar_network, folded

NETWORK = bipolar_network(24, 8, 4)
PLAN = folded(NETWORK, find_board("icebreaker"), (4, 8), (1, 4))
FIRST, SECOND = "dense0_mvu_1", "dense1_mvu_4"


def cell(
    kind: str = "ICESTORM_LC", *, i: list[Any] | None = None, o: int | None = None, flip_flop: bool = False
) -> Any:
    connections: dict[str, list[Any]] = {f"I{k}": [bit] for k, bit in enumerate(i or [])}
    connections |= {"O": [] if o is None else [o], "CLK": [1]}
    ways = {port: "output" if port == "O" else "input" for port in connections}
    parameters = {"DFF_ENABLE": f"{flip_flop:d}"} if kind == "ICESTORM_LC" else {}
    return {"type": kind, "connections": connections, "port_directions": ways, "parameters": parameters}


CELLS = {
    "clocks.pll": cell("ICESTORM_PLL", o=1),
    f"accelerator.{FIRST}.pe0.sum_SB_LUT4_O_LC": cell(i=[20], o=10),
    f"accelerator.{FIRST}.memory.0.0_RAM": cell("ICESTORM_RAM", o=20),
    # A register between units is of the one that feeds it, through another one without a name if need be.
    "accelerator.i__payload$3_SB_DFF_Q_DFFLC": cell(i=[12, "0"], o=11, flip_flop=True),
    "$nextpnr_ICESTORM_LC_0": cell(i=[10], o=12),
    f"accelerator.{SECOND}.pe0.sum_SB_LUT4_O_LC": cell(i=[11, 13], o=14, flip_flop=True),
    # What nothing feeds is of the one that it feeds.
    "$nextpnr_ICESTORM_LC_1": cell(o=13),
    "$nextpnr_ICESTORM_LC_2": cell(),
    "accelerator.lonely_LC": cell(),
    "link.sender_LC": cell(i=[14]),
    "led_error.buf0_LC": cell(),
    "accelerator.guard.i__valid_LC": cell(),
}


def test_owners() -> None:
    found = owners(CELLS, dict.fromkeys((FIRST, SECOND, "guard")))
    assert list(found.values()) == [
        BOARD, FIRST, FIRST, FIRST, FIRST, SECOND, SECOND, BOARD, ACCELERATOR, BOARD, BOARD, "guard",
    ]  # fmt: skip


def test_area_of_layers(tmp_path: Path) -> None:
    (tmp_path / flow.ROUTED).write_text(json.dumps({"modules": {"top": {"cells": CELLS}}}))
    area = area_by_layer(PLAN, NETWORK, tmp_path)
    none = {"spram": 0, "dsp": 0}
    assert area == {
        "layers": [
            {"name": "dense0", "cycles": PLAN.layers[0].cycles, "lut4": 3, "ff": 1, "block_ram": 1, **none},
            {"name": "dense1", "cycles": PLAN.layers[1].cycles, "lut4": 2, "ff": 1, "block_ram": 0, **none},
        ],
        "frames": {"lut4": 2, "ff": 0, "block_ram": 0, **none},
        "board": {"lut4": 3, "ff": 0, "block_ram": 0, **none},
    }


def path(*steps: tuple[str, float, str, str], clock: str = "accel_clk") -> Any:
    edge = f"posedge $glbnet$clocks.{clock}"
    listed = [{"type": t, "delay": d, "from": {"cell": a}, "to": {"cell": b}} for t, d, a, b in steps]
    return {"from": edge, "to": edge, "path": listed}


MVU, GUARD, BETWEEN = f"accelerator.{FIRST}.pe0.a_LC", "accelerator.guard.b_LC", "accelerator.i__payload_LC"
LINK = "link.converter.c_LC"


@pytest.mark.parametrize(
    ("steps", "units", "words"),
    [
        (
            [("clk-to-q", 1.0, MVU, MVU), ("routing", 2.25, MVU, BETWEEN), ("logic", 0.5, BETWEEN, BETWEEN),
             ("routing", 3.0, BETWEEN, GUARD), ("setup", 0.25, GUARD, GUARD)],
            [FIRST, "guard"],
            "from the matrix vector unit of dense0 to the frame guard: 7.00 ns, 1.75 ns in 3 cells and 5.25 ns on wires",
        ),
        (
            [("routing", 2.0, MVU, MVU + "2"), ("setup", 1.0, MVU + "2", MVU + "2")],
            [FIRST],
            "within the matrix vector unit of dense0: 3.00 ns, 1.00 ns in 2 cells and 2.00 ns on wires",
        ),
        (
            [("routing", 2.0, LINK, GUARD), ("setup", 1.0, GUARD, GUARD)],
            ["link.converter", "guard"],
            "from the converter of the host link to the frame guard: 3.00 ns, 1.00 ns in 2 cells and 2.00 ns on wires",
        ),
    ],
)  # fmt: skip
def test_critical_path(steps: Any, units: list[str], words: str, tmp_path: Path) -> None:
    slower_link = path(("routing", 40.0, LINK, LINK), clock="clk")
    (tmp_path / flow.ROUTE_REPORT).write_text(json.dumps({"critical_paths": [slower_link, path(*steps)]}))
    found = critical_path(PLAN, NETWORK, tmp_path)
    assert found is not None and (found["units"], found["words"]) == (units, words)
    assert found["ns"] == pytest.approx(found["logic_ns"] + found["wire_ns"])


def test_one_clock_and_no_path(tmp_path: Path) -> None:
    report = tmp_path / flow.ROUTE_REPORT
    report.write_text(json.dumps({"critical_paths": [path(("routing", 2.0, GUARD, GUARD), clock="clk")]}))
    found = critical_path(PLAN, NETWORK, tmp_path)
    assert found is not None and found["units"] == ["guard"]
    report.write_text(json.dumps({"critical_paths": []}))
    assert critical_path(PLAN, NETWORK, tmp_path) is None
