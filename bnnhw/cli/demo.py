"""``demo``: the whole path, from the model file to the bitstream, on real data."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.building import report_text
from bnnhw.cli.compiling import estimate_text
from bnnhw.cli.running import MISMATCH, comparison_text
from bnnhw.cli.terminal import shortened, write
from bnnhw.progress import shown

MODEL, BOARD = "digits-binary", "icebreaker"
SIMULATED, COMPARED = 20, 100


def add_commands(commands: options.Commands) -> None:
    summary = f"the whole path: {MODEL} becomes a bitstream for {BOARD}, simulated and compared on the way"
    parser = options.add_command(commands, "demo", demo, summary)
    options.add_output(parser, default=Path("bnnhw-demo"))


def demo(arguments: Namespace) -> int:
    folder = arguments.output
    narrator = Narrator(silent=arguments.json)
    with narrator.step(f"import {MODEL}"):
        graph = bnnhw.load(MODEL)
        narrator.say(f"{len(graph.nodes)} operations, input {graph.tensors[graph.input].shape}")
    with narrator.step(f"compile for {BOARD}"):
        design = bnnhw.compile(graph, board=BOARD, folder=folder, progress=shown)
        narrator.say(estimate_text(design.estimate))
    with narrator.step(f"simulate the Verilog on {SIMULATED} handwritten digits, with cocotb"):
        simulated = bnnhw.simulate(design, samples=SIMULATED, progress=shown)
        narrator.say(f"predicted {shortened(simulated['prediction'])}")
    with narrator.step(f"compare hardware and software on {COMPARED} digits"):
        comparison = bnnhw.compare(design, samples=COMPARED, folder=folder, progress=shown)
        narrator.say(comparison_text(comparison))
    with narrator.step(f"bitstream for {BOARD}"):
        report = bnnhw.build(design, folder=folder, progress=shown)
        narrator.say(report_text(report))
    result = {"folder": str(folder), "estimate": design.estimate, "simulation": simulated, "comparison": comparison}
    done = f"\nEverything is in {folder}; with the board connected, `bnnhw program {folder}` loads it."
    write(arguments.json, {**result, "report": report, "seconds": narrator.seconds}, done)
    return MISMATCH if comparison["mismatches"] else 0


class Narrator:
    """Tells the steps of the demo on stdout as they end, numbered and with their time."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step; what it says goes under its title."""
        self.say(f"\n{len(self.seconds) + 1}. {title}\n")
        started = time.monotonic()
        yield
        self.seconds[title] = round(time.monotonic() - started, 1)
        self.say(f"\n   ({self.seconds[title]:.1f} s)")

    def say(self, text: str) -> None:
        """Prints `text`, at once."""
        if not self._silent:
            print(text)
            sys.stdout.flush()
