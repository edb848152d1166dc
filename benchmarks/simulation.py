"""How long Verilator's model of an accelerator takes to compile and to run, with different options.

Writes ``benchmarks/simulation.json`` and a table of docs/speed.md. Seconds of processor time, of all processors
together, so that other work on the machine does not count; only the ratios mean something on another one.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import bnnhw
from benchmarks.commands import add_again, add_only
from benchmarks.entries import TFC_1W1A, Entry
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw.inputs import random_inputs
from bnnhw.reference import encode_inputs
from bnnhw.verify import RtlSimulation, simulator, verilator

FILE = ROOT / "benchmarks" / "simulation.json"
PAGE = "docs/speed.md"
DESIGNS = (Entry("digits-binary", "icebreaker"), Entry(TFC_1W1A, "ulx3s-85f"))
# Samples of each run; a run of more cycles is made shorter, and its time multiplied.
SAMPLES = (10, 100, 10_000)
MAX_CYCLES = 100_000


@dataclass(frozen=True)
class Variant:
    """Options in words, and how they differ from those in use."""

    name: str
    optimise: str = verilator.QUICK
    headers: tuple[str, ...] = tuple(verilator.PRECOMPILED)
    verilator: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


VARIANTS = (
    Variant("as it is, compiler -O0"),
    Variant("compiler -O1", optimise="-O1"),
    Variant("compiler -O2", optimise="-O2"),
    Variant("compiler -Os", optimise="-Os"),
    Variant("compiler -O1 -march=native", optimise="-O1 -march=native"),
    Variant(
        "compiler -O1, headers precompiled for each design",
        optimise="-O1",
        headers=("CFG_CXXFLAGS_PCH_I=-include",),
    ),
    Variant("two threads", verilator=("--threads", "2")),
    Variant("unknown values unique", without=("--x-assign", "fast", "--x-initial")),
    Variant("files of 5,000 statements", verilator=("--output-split", "5000")),
    Variant("functions of 500 statements", verilator=("--output-split-cfuncs", "500")),
    Variant("no inlining of modules", verilator=("-fno-inline",)),
    Variant("one group of files", verilator=("--output-groups", "1")),
)


def spent() -> float:
    """Processor time of the programs that were run and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(entry: Entry, variant: Variant) -> Row:
    """Seconds to compile the model, and to run it for each of SAMPLES."""
    design = bnnhw.compile(entry.source, board=entry.board)
    design.verilog  # noqa: B018  made before the clock runs
    kept = verilator.OPTIONS, verilator.PRECOMPILED
    with tempfile.TemporaryDirectory() as cache:
        os.environ["BNNHW_CACHE"] = cache
        try:
            verilator.OPTIONS = [word for word in kept[0] if word not in variant.without]
            verilator.OPTIONS += variant.verilator
            verilator.PRECOMPILED = list(variant.headers)
            optimise = variant.optimise
            # What is kept from the first compilation on does not count.
            simulator.Bench(f"{design.verilog}// once before\n", "accelerator", optimisation=optimise)
            started = spent()
            simulation = RtlSimulation(design.plan, design.network, design.verilog, optimisation=optimise)
            seconds = [spent() - started]
            for samples in SAMPLES:
                count = min(samples, int(MAX_CYCLES // design.estimate["cycles_per_inference"]))
                codes = encode_inputs(design.graph, random_inputs(design.graph, count).values)
                started = spent()
                simulation.run(codes)
                seconds.append((spent() - started) * samples / count)
        finally:
            verilator.OPTIONS, verilator.PRECOMPILED = kept
            del os.environ["BNNHW_CACHE"]
    runs = {str(samples): round(value, 2) for samples, value in zip(SAMPLES, seconds[1:], strict=True)}
    return {"design": entry.name, "options": variant.name, "compile_seconds": round(seconds[0], 2), "run_seconds": runs}


def results() -> Rows:
    """What is known."""
    wanted = ((entry.name, variant.name) for entry in DESIGNS for variant in VARIANTS)
    return Rows(FILE, ("design", "options"), wanted)


def table(rows: Sequence[Row]) -> str:
    """Seconds of each design and variant."""
    header = ("design", "options", "compile, s", *(f"{samples:,} samples, s" for samples in SAMPLES))
    lines = []
    for row in rows:
        runs = (f"{row['run_seconds'][str(samples)]:.1f}" for samples in SAMPLES)
        lines.append([row["design"], row["options"], f"{row['compile_seconds']:.1f}", *runs])
    return markdown(header, lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "designs and variants")


def run(options: argparse.Namespace) -> int:
    rows = results()
    cases = [
        ((entry.name, variant.name), partial(measure, entry, variant))
        for entry in DESIGNS
        for variant in VARIANTS
        if entry.present and options.only in f"{entry.name}: {variant.name}"
    ]
    rows.fill(cases, again=options.again)
    put(PAGE, "simulation", table(rows.all))
    return 0
