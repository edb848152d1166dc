"""The whole design of a board in the simulator, with the driver of real boards."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bnnhw
from bnnhw import host
from bnnhw.compiler import make_design
from bnnhw.errors import LinkError, PlanError, ToolError
from bnnhw.host.protocol import encode_packet
from bnnhw.inputs import inputs_for
from bnnhw.line import BASE_BAUD
from bnnhw.packets import Request
from bnnhw.resources import folder
from bnnhw.verify import compare
from bnnhw.verify.board import infer_on_board
from bnnhw.verify.executable import executable
from bnnhw.verify.levels import Task, board, hardware
from bnnhw.verify.simulated_board import SimulatedBoard, levels_of
from campaigns.faults import FPS, MODEL
from tests.verify.boards import design, samples, start

pytestmark = pytest.mark.sim


@pytest.fixture
def simulated() -> Iterator[SimulatedBoard]:
    with start() as found:
        found.timeout = 30
        yield found


def driver_of(port: host.Port) -> host.Driver:
    return host.Driver(port, timeout=30, digest=bytes.fromhex(design().plan.digest))


def test_levels_are_those_of_a_uart() -> None:
    assert list(levels_of(b"\x05\x80")) == [0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]


def test_answers_are_those_of_the_reference(simulated: SimulatedBoard) -> None:
    driver = driver_of(simulated)
    identity = driver.identify()
    assert (identity.input_elements, identity.output_elements) == (64, 10)
    right = samples()
    integers, labels, errors = driver.infer(right.codes[:50])
    assert integers.tolist() == right.integers[:50].tolist()
    assert labels.tolist() == right.labels[:50].tolist()
    assert not errors.any()
    assert (driver.traffic.requests, driver.traffic.retries) == (3 + 12 + 2, 0)  # both rates, blocks of four, the rest


@pytest.mark.parametrize("max_baud, byte_cycles", [(BASE_BAUD, 120), (None, 40)], ids=["base", "fast"])
def test_speed_of_the_line(max_baud: int | None, byte_cycles: int) -> None:
    """A byte takes ten bits of 12 or 4 cycles each; the clock goes on while the host takes its time."""
    with SimulatedBoard(design()) as found:
        driver = host.Driver(found, timeout=30, max_baud=max_baud)
        driver.infer(samples().codes[:80])
        assert (driver.traffic.retries, driver.traffic.baud) == (0, max_baud or 3_000_000)
        cycles = found.close()
    request_bytes = 1 + 4 + 4 * 24 + 2
    assert cycles > byte_cycles * 20 * request_bytes


def test_clock_stands_still_between_requests(simulated: SimulatedBoard) -> None:
    driver_of(simulated).identify()
    assert simulated.read(1) == b""
    time.sleep(0.5)  # which would be millions of cycles
    assert 0 < simulated.close() < 200_000
    assert simulated.close() == 0


def test_end_of_the_simulation_is_noticed(simulated: SimulatedBoard) -> None:
    driver = driver_of(simulated)
    driver.identify()
    os.kill(simulated._process.pid, signal.SIGKILL)
    with pytest.raises(LinkError, match="the port failed while (sending|receiving): .*(ended|Broken pipe)"):
        driver.infer(samples().codes[:1])
    assert simulated.close() == 0


def test_line_that_the_oscillator_cannot_make() -> None:
    with pytest.raises(PlanError, match="board ice40-hx8k-b-evn cannot have --baud 5000000: a clock of 12 MHz"):
        SimulatedBoard(design(), baud=5_000_000)


def test_verilog_that_does_not_compile() -> None:
    with pytest.raises(ToolError, match="verilator cannot compile the simulation of board: %Error: "):
        executable("module board(input clk); nonsense endmodule", "board", folder("sim") / "board_harness.cpp")


def test_level_agrees_with_the_reference() -> None:
    chosen = inputs_for(design().graph, None, 30)
    found = compare(design(), chosen.values, chosen.labels, levels=["board"])
    level = found.levels["board"].to_dict()
    assert found.mismatches == 0
    assert level["samples"] == 30
    assert level["values"] == 30 * 11
    assert level["cycles"] > 0
    assert (level["port"], level["retries"]) == ("simulated board", 0)


def test_a_board_whose_carry_chains_are_vendor_cells() -> None:
    found = bnnhw.compare(make_design(MODEL, board="ulx3s-85f", fps=FPS), levels=["board"], samples=5)
    assert found["mismatches"] == 0
    assert found["levels"]["board"]["samples"] == 5


@pytest.mark.parametrize("inside", [None, {"tensor": "acc0", "layer": "l"}], ids=["agrees", "differs"])
def test_level_tells_whether_the_accelerator_differs(
    monkeypatch: pytest.MonkeyPatch, inside: dict[str, Any] | None
) -> None:
    monkeypatch.setattr(hardware, "first_difference", lambda *_: (inside, None))
    integers = np.arange(20).reshape(2, 10)
    answers = SimpleNamespace(
        results=host.Results(integers, integers.argmax(axis=1), np.zeros(2, np.bool_)),
        cycles=0,
        seconds=1.0,
        traffic=host.Traffic(),
    )
    monkeypatch.setattr(board, "infer_on_board", lambda *_, **__: answers)
    task = Task(design(), inputs_for(design().graph, None, 2).values, port="COM4")
    right = board.answer(task)
    assert right.facts == {"port": "COM4", "retries": 0}
    assert board.check(task, right, right).first_difference is None
    assert right.integers is not None
    wrong = replace(right, integers=right.integers + np.eye(2, 10, dtype=np.int64))
    first = board.check(task, wrong, right).first_difference
    assert first is not None
    if inside is None:
        assert (first["tensor"], first["sample"], first["element"]) == ("integers", 0, [0])
        assert first["note"] == "the accelerator's Verilog agrees: board differs from rtl"
    else:
        assert first == {**inside, "note": "the accelerator's Verilog differs as well, here first"}


def test_board_with_another_design_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(design().plan, digest="00" * 8)
    monkeypatch.setattr(host, "open_port", lambda *_: start())
    inputs = inputs_for(design().graph, None, 1).values
    with pytest.raises(LinkError, match="the board runs another design"):
        infer_on_board(replace(design(), plan=other), inputs, port="any")


def test_host_that_dies_in_a_packet(simulated: SimulatedBoard) -> None:
    right = samples()
    packet = encode_packet(Request.INFER, 9, bytes(24))
    for cut in (1, 3, 6, 20, len(packet) - 1):
        simulated.write(packet[:cut])
        driver = driver_of(simulated)
        assert driver.infer(right.codes[:3]).integers.tolist() == right.integers[:3].tolist()
        assert driver.traffic.silences == 0
