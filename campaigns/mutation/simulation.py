"""An accelerator with faults in it, as a program that simulates it: see ``harness.cpp``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from bnnhw.dataflow import Network, Plan
from bnnhw.errors import ToolError
from bnnhw.resources import folder
from bnnhw.verify import RtlSimulation
from bnnhw.verify.executable import executable

HARNESS = Path(__file__).with_name("harness.cpp")
PATTERN = 100_003  # cycles after which stalls repeat
HANG = 20_000  # cycles without a beat, of an accelerator that takes a few hundred for a frame
BEATS = 2  # times the beats of all answers: an accelerator that gives more has no end


class FaultySimulation(RtlSimulation):
    """An accelerator's Verilog with one of its faults on.

    It runs what `RtlSimulation` runs, in the same cycles, without cocotb.

    Parameters
    ----------
    plan, network
        What the Verilog was generated from.
    program
        From `compiled`.
    mutant
        Number of the fault, 0 for none.
    """

    def __init__(self, plan: Plan, network: Network, program: Path, mutant: int) -> None:
        self._describe(plan, network)
        self._program = program
        self._mutant = mutant

    def _simulate(self, job: Mapping[str, Any], waves: Path | None) -> None:
        scratch = Path(job["beats"]).parent
        stalls = {}
        for name, seed in (("i_stall", job["seed"]), ("o_stall", job["seed"] + 1)):
            stalls[name] = scratch / name
            stalls[name].write_text(_pattern(seed, job[name]))
        most = BEATS * job["frames"] * self._ports.output.beats
        arguments = [
            self._mutant, job["beats"], job["answers"], job["starts"], stalls["i_stall"], stalls["o_stall"],
            job["i_last"], job["o_last"], job["frames"], job["reset_at"], HANG, most, *filter(None, [job["image"]]),
        ]  # fmt: skip
        done = subprocess.run([str(self._program), *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"the simulation failed: {done.stderr.strip() or f'exit status {done.returncode}'}")


def compiled(verilog: str) -> Path:
    """The program that simulates the module ``accelerator``, which has an input ``mutant``."""
    return executable(verilog, "accelerator", HARNESS, defines=("LOADS",) if "image__valid" in verilog else ())


@cache
def _pattern(seed: int, rate: float) -> str:
    """When the benches stall, cycle by cycle; nothing for never."""
    if rate <= 0:
        return ""
    sys.path.insert(0, str(folder("sim")))
    try:
        from streams import stalls
    finally:
        sys.path.pop(0)
    return "".join("01"[stall] for stall in islice(stalls(seed, rate), PATTERN))
