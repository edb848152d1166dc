"""Puts faults into generated hardware, and tells which of the checks finds each one.

All faults of a netlist are in one simulated model, which is told at its start which of them is on. Each is put through
what `bnnhw compare` and the tests do: frames without a gap, whose answers, classes and cycles are compared; the same
with stalls on both sides and with frames cut and too long; a reset in mid-frame; and every input there is, or very
many, with and without stalls. The bench watches the rules of streams. What all this misses, the proof of the unit is
asked about.

Faults that were tried are kept in ``campaigns/results/mutants.json``, which is not part of the repository, so that an
interrupted run goes on where it stopped; the tables go to docs/mutants.md. The exit status is 1 if a fault is found by
nothing, is not proved to make no difference, and ``campaigns/mutation/unobservable.json`` does not say why it makes
none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.commands import add_again, add_only
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw import units
from bnnhw.dataflow import measure
from bnnhw.errors import ToolError
from bnnhw.generate.ports import Ports
from bnnhw.units import Unit
from bnnhw.verify import RtlResult, RtlSimulation
from bnnhw.verify.verilator import digest
from campaigns.mutation.designs import DESIGNS, Frames, Small
from campaigns.mutation.equivalence import equal
from campaigns.mutation.faults import STREAM_FAULTS, Faulty, Mutant
from campaigns.mutation.netlist import Mutated
from campaigns.mutation.simulation import FaultySimulation, compiled
from proofs.engine import solve
from proofs.table import STREAMS

FILE = ROOT / "campaigns" / "results" / "mutants.json"
REASONS = ROOT / "campaigns" / "mutation" / "unobservable.json"
PAGE = "docs/mutants.md"
STRUCTURAL, CHANGED = 90, 12  # faults in cells and in values at reset, in each design
EACH = 5  # of each named kind, in each design
EQUAL = "proved: the same answers, whatever comes in"
# A reset is tried at up to RESETS beats; frames in front of it, and after it with the one that is cut.
RESETS, BEFORE, AFTER = 40, 3, 4
# What the bench says, and what that is called in the table.
BENCH = {
    "payload changed": "stream rules",
    "valid dropped": "stream rules",
    "nothing moved": "no answer",
    "without an end": "no end",
    "output beats for": "frames",
}


class Trial:
    """A design's simulation, and what is expected of it."""

    def __init__(self, small: Small, verilog: str) -> None:
        self._small = small
        self._program = compiled(verilog)
        self.ports = Ports.of(small.plan, small.network)
        cycles = measure(small.plan, small.network)
        self._cycles = cycles.latency, cycles.interval
        # The output takes at most half as many frames as the accelerator could give, so that all units in front of it
        # have to wait again and again.
        slow = max(0.95, 1 - small.plan.output_frames.beats / (2 * cycles.interval))
        self._stalls = {"i_stall": 0.1, "o_stall": slow, "seed": 5}

    def caught_by(self, mutant: int) -> str:
        """The first check that finds something wrong with this fault, or ""; 0 is none."""
        simulation = self._simulation(mutant)
        try:
            return (
                self._answers(simulation)
                or self._damaged(simulation)
                or self._reset(simulation)
                or self._many(simulation)
                or self._late(simulation)
            )
        except ToolError as error:
            found = [name for said, name in BENCH.items() if said in str(error)]
            assert found, error
            return found[0]

    def _simulation(self, mutant: int) -> FaultySimulation:
        return FaultySimulation(self._small.plan, self._small.network, self._program, mutant)

    def _answers(self, simulation: RtlSimulation) -> str:
        found = simulation.run(self._small.frames.values)
        wrong = _differs(found, self._small.frames)
        if wrong or (found.latency_cycles, found.cycles_per_inference) == self._cycles:
            return wrong
        return "cycles"

    def _damaged(self, simulation: RtlSimulation) -> str:
        """Frames cut and too long, under long stalls."""
        frames, beats = self._small.frames, self._small.plan.input_frames.beats
        lengths, damaged = np.full(len(frames.values), beats), np.zeros(len(frames.values), np.bool_)
        for frame, wanted in ((2, 1), (3, beats + 3), (9, beats - 1), (len(lengths) - 2, 2 * beats)):
            lengths[frame], damaged[frame] = wanted, wanted != beats
        found = simulation.run(frames.values, lengths=lengths, **self._stalls)
        if (found.errors != damaged).any():
            return "damage flag"
        wrong = (found.integers != frames.integers).any(axis=1) | (found.labels != frames.classes)
        return "integers under stalls" if wrong[~damaged].any() else ""

    def _reset(self, simulation: RtlSimulation) -> str:
        """A reset of one cycle at each beat of two frames, or at many of these beats, while others are on their way,
        without stalls and with long ones, so that registers hold all there is. A cut frame goes on as a damaged one;
        between frames, all is as it was at the start, to the cycle."""
        beats = self._small.plan.input_frames.beats
        start = simulation.run(self._small.frames.values)
        for stalls in ({}, self._stalls):
            for at in range(BEFORE * beats, (BEFORE + 2) * beats + 1, max(1, 2 * beats // RESETS)):
                before, cut = divmod(at, beats)
                frames = self._small.frames.part(before, before + AFTER)
                found = simulation.run(self._small.frames.first(before + AFTER).values, reset_at=at, **stalls)
                if found.errors.tolist() != [cut > 0] + [False] * (AFTER - 1):
                    return "damage flag after reset"
                wrong = (found.integers != frames.integers).any(axis=1) | (found.labels != frames.classes)
                if wrong[cut > 0 :].any():
                    return "integers after reset"
                if not cut and not stalls and (found.beat_cycles != start.beat_cycles[:AFTER]).any():
                    return "cycles after reset"
        return ""

    def _many(self, simulation: RtlSimulation) -> str:
        """Every input that there is, or very many, without stalls and with long ones at the output."""
        many = self._small.many
        for stalls, when in (({}, ""), (self._stalls, " under stalls")):
            wrong = _differs(simulation.run(many.values, **stalls), many)
            if wrong:
                return f"{wrong}{when}, of {self._small.how_many}"
        return ""

    def _late(self, simulation: RtlSimulation) -> str:
        """Whether something comes earlier or later under stalls than without a fault. The cycle models of the units,
        which a test holds against them under stalls, say the same."""
        found, right = (
            some.run(self._small.frames.values, **self._stalls) for some in (simulation, self._simulation(0))
        )
        same = np.array_equal(found.beat_cycles, right.beat_cycles)
        return "" if same and np.array_equal(found.start_cycles, right.start_cycles) else "cycles under stalls"


def _differs(found: RtlResult, frames: Frames) -> str:
    if (found.integers != frames.integers).any():
        return "integers"
    if (found.labels != frames.classes).any():
        return "class"
    return "damage flag" if found.errors.any() else ""


def refuted(mutant: Mutant) -> str:
    """Whether a proof of the unit fails with this fault at the unit's output."""
    if mutant.kind not in STREAM_FAULTS:
        return ""
    return _refuted(getattr(units, mutant.place.split()[0]), mutant.kind)


@cache
def _refuted(unit: type[Unit], fault: str) -> str:
    case = min((case for case in STREAMS if case.covers == (unit,)), key=lambda case: case.depth, default=None)
    if case is None:
        return ""
    faulty = replace(case, make=lambda: Faulty(case.make(), fault))
    outcome = solve(faulty.bounded.make(), mode="bmc", depth=case.depth)
    assert outcome.status in ("PASS", "FAIL"), outcome.log
    return "proof of the unit" if outcome.status == "FAIL" else ""


def sampled(mutants: Sequence[Mutant], each: int) -> list[Mutant]:
    """Up to `each` of every kind, evenly from all places."""
    kinds: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        kinds.setdefault(mutant.kind, []).append(mutant)
    chosen = [found[:: max(1, len(found) // each)][:each] for found in kinds.values()]
    return [mutant for found in chosen for mutant in found]


def trials(name: str, known: Rows, jobs: int) -> Iterator[Row]:
    """Tries every fault of a design that is not `known`, `jobs` at a time, and gives the rows of all."""
    small = DESIGNS[name]()
    for origin in ("named", "structural"):
        with tempfile.TemporaryDirectory(prefix="bnnhw-mutants-") as scratch, ThreadPoolExecutor(jobs) as executor:
            folder = Path(scratch)
            if origin == "named":
                mutated = Mutated.named(small, folder)
                mutants = sampled(mutated.mutants, EACH)
            else:
                mutated = Mutated.structural(small, folder, count=STRUCTURAL, resets=CHANGED)
                mutants = mutated.mutants
            # Rows of other hardware than today's count for nothing.
            hardware = digest(mutated.verilog, small.many.values.tobytes())
            rows = [known[key(name, mutant),] for mutant in mutants if (key(name, mutant),) in known]
            rows = [row for row in rows if row["hardware"] == hardware]
            done = {row["key"] for row in rows}
            todo = [mutant for mutant in mutants if key(name, mutant) not in done]
            yield from rows
            if not todo:
                continue
            trial = Trial(small, mutated.verilog)
            wrong = trial.caught_by(0)
            assert not wrong, f"{name}: without a fault, {wrong} is wrong"
            for mutant, result in zip(todo, executor.map(partial(tried, trial, mutated), todo), strict=True):
                yield {
                    "key": key(name, mutant),
                    "hardware": hardware,
                    "design": name,
                    "origin": origin,
                    "kind": mutant.kind,
                    "place": mutant.place,
                    **result,
                }


def tried(trial: Trial, mutated: Mutated, mutant: Mutant) -> Row:
    """What finds a fault, and if nothing does, whether it is shown to make no difference."""
    caught_by = trial.caught_by(mutant.number) or refuted(mutant)
    return {
        "caught_by": caught_by,
        "equal": not caught_by and equal(mutated.verilog, mutant.number, trial.ports),
    }


def key(design: str, mutant: Mutant) -> str:
    """Names a mutant as long as it is the same."""
    return hashlib.sha256(f"{design} {mutant.kind} {mutant.place}".encode()).hexdigest()[:12]


def reason(row: Row, reasons: dict[str, str]) -> str:
    """Why a fault that nothing finds makes no difference, or ""."""
    return EQUAL if row.get("equal") else reasons.get(row["key"], "")


def caught_table(rows: Sequence[Row], reasons: dict[str, str]) -> str:
    """How many faults of each kind were found, and by what."""
    lines: list[list[str]] = []
    found: Counter[str] = Counter()
    for kind in sorted({(row["origin"], row["kind"]) for row in rows}):
        same = [row for row in rows if (row["origin"], row["kind"]) == kind]
        by = Counter(row["caught_by"].split(":")[0] for row in same if row["caught_by"])
        found += by
        silent = [row for row in same if not row["caught_by"]]
        explained = sum(bool(reason(row, reasons)) for row in silent)
        how = ", ".join(f"{name} {count}" for name, count in by.most_common())
        lines.append(
            [kind[1], str(len(same)), str(sum(by.values())), str(explained), str(len(silent) - explained), how]
        )
    designs = ", ".join(
        f"{small.name} ({small.what})"
        for small in (DESIGNS[name]() for name in dict.fromkeys(row["design"] for row in rows))
    )
    return f"""\
{len(rows)} faults in the accelerators {designs}, {sum(found.values())} of them found.

{markdown(["fault", "mutants", "found", "no difference", "missed", "found by"], lines)}
All together: {", ".join(f"{name} {count}" for name, count in found.most_common())}.
"""


def silent_table(rows: Sequence[Row], reasons: dict[str, str]) -> str:
    """The faults that nothing finds, and why."""
    silent = [row for row in rows if not row["caught_by"]]
    why = [[row["design"], row["kind"], row["place"], reason(row, reasons) or "**missed**"] for row in silent]
    return markdown(["design", "fault", "where", "why"], why)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "designs")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), metavar="N", help="faults at a time (all processors: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    if options.again:
        FILE.unlink(missing_ok=True)
    known = Rows(FILE, ["key"])
    reasons = json.loads(REASONS.read_text())
    rows = []
    for name in DESIGNS:
        if options.only not in name:
            continue
        for row in trials(name, known, options.jobs):
            rows.append(row)
            known.add(row)
            print(f"{len(rows)} {name}: {row['kind']}, {row['place']}: {row['caught_by'] or 'MISSED'}", flush=True)
    if options.only:
        print(f"{PAGE} stays as it is: it is of all designs")
    else:
        put(PAGE, "caught", caught_table(rows, reasons))
        put(PAGE, "silent", silent_table(rows, reasons))
    missed = [row for row in rows if not row["caught_by"] and not reason(row, reasons)]
    for row in missed:
        print(f"missed: {row['key']} {row['design']}: {row['kind']}, {row['place']}", file=sys.stderr)
    return 1 if missed else 0
