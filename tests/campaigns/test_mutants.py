"""Faults in a tiny accelerator, and the tables of the long run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.pages import ROOT, tables_of
from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.dataflow import pipeline
from bnnhw.errors import ToolError
from bnnhw.generate.ports import Ports
from bnnhw.units import UNITS
from bnnhw.verify import RtlSimulation
from campaigns import mutants
from campaigns.mutation.designs import DESIGNS, Frames, Small
from campaigns.mutation.equivalence import equal
from campaigns.mutation.faults import STREAM_FAULTS, Mutant
from campaigns.mutation.netlist import Mutated
from campaigns.mutation.simulation import FaultySimulation, compiled
from campaigns.random_networks import forward, layer_plan, plan_of, random_network, random_values


@pytest.fixture(scope="module")
def tiny() -> Small:
    rng = np.random.default_rng(3)
    network = random_network(rng, [6, 4, 2], weight=BIPOLAR, x=BIPOLAR, activation=BIPOLAR)
    layers = [layer_plan(layer, 2, 3, None, "block") for layer in network.layers]
    values = random_values(rng, BIPOLAR, (64, 6))
    many = Frames(values, *forward(network, values))
    return Small("tiny", "6-4-2", network, plan_of(network, layers), many, "64 inputs")


def number(mutated: Mutated, kind: str) -> int:
    """Of the first fault of a kind."""
    return next(mutant.number for mutant in mutated.mutants if mutant.kind == kind)


@pytest.mark.sim
def test_faults_are_found(tiny: Small, tmp_path: Path) -> None:
    mutated = Mutated.named(tiny, tmp_path)
    trial = mutants.Trial(tiny, mutated.verilog)
    assert trial.caught_by(0) == ""
    found = {}
    for kind in ("memory halves swapped", "valid stuck at one", "beat lost", "ready stuck at zero"):
        found[kind] = trial.caught_by(number(mutated, kind))
    assert all(found.values())
    assert found["ready stuck at zero"] == "no answer"


@pytest.mark.sim
@pytest.mark.parametrize("stalls", [{}, {"i_stall": 0.3, "o_stall": 0.8, "seed": 3}])
def test_the_harness_is_the_bench(tiny: Small, tmp_path: Path, stalls: dict[str, float]) -> None:
    """What takes a second without cocotb is what takes a minute with it, to the cycle."""
    verilog = Mutated.named(tiny, tmp_path).verilog
    bench = RtlSimulation(tiny.plan, tiny.network, verilog)
    harness = FaultySimulation(tiny.plan, tiny.network, compiled(verilog), 0)
    values, beats = tiny.frames.values, tiny.plan.input_frames.beats
    lengths = np.full(len(values), beats)
    lengths[3], lengths[5] = 1, beats + 2
    for options in ({}, {"lengths": lengths}, {"reset_at": 2 * beats}, {"reset_at": 4 * beats + 1}):
        expected, found = (simulation.run(values, **stalls, **options) for simulation in (bench, harness))
        for field in ("integers", "labels", "errors", "beat_cycles"):
            assert (getattr(found, field) == getattr(expected, field)).all()
        assert found.latency_cycles == expected.latency_cycles


@pytest.mark.sim
def test_the_harness_fails_as_the_bench_does(tiny: Small, tmp_path: Path) -> None:
    mutated = Mutated.named(tiny, tmp_path)
    hangs = number(mutated, "ready stuck at zero")
    simulation = FaultySimulation(tiny.plan, tiny.network, compiled(mutated.verilog), hangs)
    with pytest.raises(ToolError, match="nothing moved for"):
        simulation.run(tiny.frames.values)


@pytest.mark.synth
def test_equal_answers_are_proved(tiny: Small, tmp_path: Path) -> None:
    mutated = Mutated.named(tiny, tmp_path)
    ports = Ports.of(tiny.plan, tiny.network)
    assert equal(mutated.verilog, 0, ports)
    # A buffer counts the beats of what comes, and reads no marks.
    assert equal(mutated.verilog, number(mutated, "last inverted"), ports)
    assert not equal(mutated.verilog, number(mutated, "memory halves swapped"), ports)
    assert not equal(mutated.verilog, number(mutated, "ready stuck at zero"), ports)


@pytest.mark.parametrize("name", ["convolutional", "grouped", "branched"])
def test_nothing_is_always_the_same(name: str) -> None:
    """Faults hide behind channels and classes that never change."""
    small = DESIGNS[name]()
    assert np.bincount(small.many.classes, minlength=3).min() >= 0.1 * len(small.many.classes)
    assert (small.frames.integers.std(axis=0) > 0).all()


def test_faults_of_a_netlist(tiny: Small, tmp_path: Path) -> None:
    mutated = Mutated.structural(tiny, tmp_path, count=12, resets=3, seed=2)
    assert [mutant.number for mutant in mutated.mutants] == list(range(1, 16))
    assert sum(mutant.kind == "reset value changed" for mutant in mutated.mutants) == 3
    assert len({(mutant.kind, mutant.place) for mutant in mutated.mutants}) == 15
    assert all(f"mutant == 12'h{mutant.number:03x}" in mutated.verilog for mutant in mutated.mutants)


@pytest.mark.synth
def test_proofs_find_what_simulations_cannot_see() -> None:
    assert mutants.refuted(Mutant(1, "valid dropped in a stall", "VectorBuffer 0.o"))
    assert not mutants.refuted(Mutant(1, "memory bit flipped", "bank of 2 words of 3 bits, word 0, bit 0"))


def test_every_unit_gets_faults() -> None:
    designs = [make() for make in DESIGNS.values()]
    assert {type(stage.unit) for small in designs for stage in pipeline(small.plan, small.network)} == set(UNITS)


def test_sample_has_every_kind() -> None:
    many = [Mutant(k, kind, f"{k}") for k, kind in enumerate(STREAM_FAULTS * 20)]
    chosen = mutants.sampled(many, 3)
    assert len(chosen) == 3 * len(STREAM_FAULTS)
    assert {mutant.kind for mutant in chosen} == {*STREAM_FAULTS}


def test_tables(tmp_path: Path) -> None:
    found = {
        "key": "a",
        "design": "dense",
        "origin": "named",
        "kind": "beat lost",
        "place": "here",
        "caught_by": "integers",
    }
    rows = [
        found,
        {**found, "key": "b", "caught_by": ""},
        {**found, "key": "c", "caught_by": "", "equal": True},
        {**found, "key": "d", "caught_by": ""},
    ]
    reasons = {"b": "nobody looks"}
    assert "| beat lost | 4 | 1 | 2 | 1 | integers 1 |" in mutants.caught_table(rows, reasons)
    silent = mutants.silent_table(rows, reasons).splitlines()[2:]
    assert [line.split(" | ")[-1] for line in silent] == ["nobody looks |", f"{mutants.EQUAL} |", "**missed** |"]


def test_every_reason_is_in_the_page() -> None:
    text = tables_of(ROOT / mutants.PAGE)["silent"]
    assert all(f"| {reason} |" in text for reason in json.loads(mutants.REASONS.read_text()).values())
    assert "**missed**" not in text
