"""Generated Verilog under cocotb and Verilator, against plain numpy."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.dataflow import Network, Plan, measure
from bnnhw.errors import InputError, ToolError
from bnnhw.toolchain.verilog import accelerator_verilog
from bnnhw.verify import RtlSimulation, rtl
from campaigns.random_networks import forward, layer_plan, plan_of, random_network, random_values

pytestmark = pytest.mark.sim

CASES = {
    "binary": (BIPOLAR, BIPOLAR, BIPOLAR, False),
    "ternary": (TERNARY, TERNARY, TERNARY, True),
    "mixed": (DataType("int", 3), DataType("int", 8), DataType("uint", 4), False),
}
FRAMES = 24


def design(case: str) -> tuple[Network, Plan]:
    weight, x, activation, affine = CASES[case]
    rng = np.random.default_rng(list(CASES).index(case))
    network = random_network(rng, [21, 11, 7, 5], weight=weight, x=x, activation=activation, affine=affine)
    foldings = [(4, 5), (3, 4), (5, 2)]
    layers = [layer_plan(layer, *f, 2, "block") for layer, f in zip(network.layers, foldings, strict=True)]
    # In one case frames go side by side, through the first two layers.
    batches = (3, 3, 1) if case == "ternary" else (1, 1, 1)
    return network, plan_of(network, [replace(layer, batch=n) for layer, n in zip(layers, batches, strict=True)])


@pytest.fixture(scope="module", params=CASES)
def built(request: pytest.FixtureRequest) -> tuple[Network, Plan, RtlSimulation]:
    network, plan = design(request.param)
    return network, plan, RtlSimulation(plan, network, accelerator_verilog(plan, network))


def values_of(plan: Plan, frames: int = FRAMES) -> np.ndarray:
    return random_values(np.random.default_rng(9), plan.input_dtype, (frames, plan.input_elements))


def test_answers_and_cycles(built: tuple[Network, Plan, RtlSimulation]) -> None:
    network, plan, simulation = built
    values = values_of(plan)
    integers, classes = forward(network, values)
    found = simulation.run(values)
    assert (found.integers == integers).all()
    assert (found.labels == classes).all()
    assert not found.errors.any()
    cycles = measure(plan, network)
    assert (found.latency_cycles, found.cycles_per_inference) == (cycles.latency, cycles.interval)


def test_frames_that_take_long(built: tuple[Network, Plan, RtlSimulation], monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow an accelerator is, it does not count as one that hangs."""
    monkeypatch.setattr(rtl, "HANG_CYCLES", 8)
    network, plan, simulation = built
    values = values_of(plan, 1)
    assert (simulation.run(values).integers == forward(network, values)[0]).all()
    monkeypatch.setattr(rtl, "HANG_CYCLES", -measure(plan, network).latency + 3)
    with pytest.raises(ToolError, match="nothing moved for 3 cycles"):
        simulation.run(values)


@pytest.mark.parametrize("stall", [(0.5, 0.0), (0.0, 0.5), (0.3, 0.3)])
def test_stalls_on_both_sides(built: tuple[Network, Plan, RtlSimulation], stall: tuple[float, float]) -> None:
    network, plan, simulation = built
    values = values_of(plan)
    found = simulation.run(values, i_stall=stall[0], o_stall=stall[1], seed=5)
    assert (found.integers == forward(network, values)[0]).all()


def test_damaged_frames(built: tuple[Network, Plan, RtlSimulation]) -> None:
    network, plan, simulation = built
    values = values_of(plan)
    lengths = np.full(FRAMES, plan.input_frames.beats)
    damaged = np.zeros(FRAMES, bool)
    for frame, beats in (
        (2, 1),
        (3, plan.input_frames.beats + 3),
        (9, plan.input_frames.beats - 1),
        (FRAMES - 2, 2 * plan.input_frames.beats),
    ):
        lengths[frame], damaged[frame] = beats, True
    found = simulation.run(values, lengths=lengths, i_stall=0.2, o_stall=0.2)
    assert (found.errors == damaged).all()
    assert (found.integers[~damaged] == forward(network, values)[0][~damaged]).all()


def test_reset_in_mid_frame(built: tuple[Network, Plan, RtlSimulation]) -> None:
    network, plan, simulation = built
    values = values_of(plan)
    frames = 3
    found = simulation.run(values, reset_at=frames * plan.input_frames.beats)
    assert (found.integers == forward(network, values)[0][frames:]).all()
    # A frame cut by the reset leaves nothing behind: what is sent after it is a frame of its own, if a short one.
    cut = simulation.run(values, reset_at=frames * plan.input_frames.beats + 1)
    assert cut.errors.tolist() == [True] + [False] * (FRAMES - frames - 1)
    assert (cut.integers[1:] == forward(network, values)[0][frames + 1 :]).all()


def test_waveform(tmp_path: Path) -> None:
    network, plan = design("binary")
    file = tmp_path / "deep" / "run.vcd"
    simulation = RtlSimulation(plan, network, accelerator_verilog(plan, network), waves=True)
    simulation.run(values_of(plan, 2), waves=file)
    text = file.read_text()
    assert "$enddefinitions" in text
    assert "fc0_mvu" in text


def test_icarus() -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    network, plan = design("ternary")
    values = values_of(plan)
    found = RtlSimulation(plan, network, accelerator_verilog(plan, network), simulator="icarus").run(values)
    assert (found.integers == forward(network, values)[0]).all()


def test_unknown_simulator() -> None:
    network, plan = design("binary")
    with pytest.raises(InputError, match="--simulator modelsim: no such simulator; there are verilator, icarus"):
        RtlSimulation(plan, network, "", simulator="modelsim")


def test_missing_icarus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    network, plan = design("binary")
    with pytest.raises(ToolError, match="install Debian's package iverilog"):
        RtlSimulation(plan, network, "", simulator="icarus")


def test_verilog_that_does_not_compile() -> None:
    network, plan = design("binary")
    with pytest.raises(ToolError, match="verilator cannot compile the Verilog"):
        RtlSimulation(plan, network, "module accelerator(input clk; endmodule")


def test_a_wrong_accelerator_is_noticed() -> None:
    """One weight bit less than the design has: the answers differ, so the comparison can fail."""
    network, plan = design("binary")
    other = random_network(np.random.default_rng(77), [21, 11, 7, 5], weight=BIPOLAR, x=BIPOLAR, activation=BIPOLAR)
    values = values_of(plan)
    found = RtlSimulation(plan, network, accelerator_verilog(plan, other)).run(values)
    assert (found.integers != forward(network, values)[0]).any()
