"""Runs an accelerator's Verilog: frames of activations in, integers, classes and cycle numbers out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.dataflow.cycles import measure
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.pipeline import memory_image
from bnnhw.dataflow.plan import Plan
from bnnhw.errors import ToolError
from bnnhw.generate.ports import Ports
from bnnhw.verify.record import Record
from bnnhw.verify.simulator import Bench, job_file
from bnnhw.verify.verilator import QUICK

# An accelerator hangs, or stalls never end, if no beat goes in or out for this number of cycles and those of a frame.
HANG_CYCLES = 200_000


@dataclass(frozen=True, eq=False)
class RtlResult:
    """What the hardware answered.

    Parameters
    ----------
    integers
        (N, C) int64, the last layer's integers.
    labels
        (N,) int64, the class that the hardware chose.
    errors
        (N,) bool, frames flagged as damaged.
    latency_cycles
        From the first frame's first beat to its last output, on an idle accelerator.
    cycles_per_inference
        Between the last two frames' last outputs: frames come without a gap, so that this is the steady state once
        the pipeline is full; the mean of several where frames are worked on side by side. 0 for too few frames.
    cycles
        Of the whole run.
    seconds
        Of the run, compiling not counted.
    beat_cycles
        (N, beats) int64, when each beat of the answers was taken.
    start_cycles
        int64, when the first beat of each frame went in.
    record
        What was watched.
    """

    integers: NDArray[np.int64]
    labels: NDArray[np.int64]
    errors: NDArray[np.bool_]
    latency_cycles: int
    cycles_per_inference: float
    cycles: int
    seconds: float
    beat_cycles: NDArray[np.int64]
    start_cycles: NDArray[np.int64]
    record: Record | None = None


class RtlSimulation:
    """An accelerator's Verilog in a simulator.

    Parameters
    ----------
    plan, network
        What the Verilog was generated from: shapes and formats of its streams.
    verilog
        The module ``accelerator``.
    watch
        Streams that runs record: ``<instance>.<stream>``, or the stream alone where it is one of the accelerator's own.
    optimisation
        Of the C++ compiler, see `bnnhw.verify.verilator`.
    """

    def __init__(
        self,
        plan: Plan,
        network: Network,
        verilog: str,
        *,
        simulator: str = "verilator",
        waves: bool = False,
        watch: Sequence[str] = (),
        optimisation: str = QUICK,
    ) -> None:
        self._describe(plan, network, watch)
        self._bench = Bench(
            verilog, "accelerator", simulator=simulator, waves=waves, visible=watch, optimisation=optimisation
        )

    def _describe(self, plan: Plan, network: Network, watch: Sequence[str] = ()) -> None:
        self._plan = plan
        self._network = network
        self._ports = Ports.of(plan, network)
        self._watch = list(watch)

    def run(
        self,
        values: NDArray[np.integer],
        *,
        i_stall: float = 0.0,
        o_stall: float = 0.0,
        seed: int = 1,
        lengths: NDArray[np.integer] | None = None,
        reset_at: int = -1,
        waves: Path | None = None,
        image: bytes | None = None,
    ) -> RtlResult:
        """Sends the integer activations `values` (N, ...), one frame each, without a gap.

        Parameters
        ----------
        i_stall, o_stall, seed
            Share of the cycles in which input and output stall, at random.
        lengths
            (N,) beats to send of each frame instead of all: fewer cut it, more repeat its last beat.
        reset_at
            Number of beats after which the accelerator is reset, for one cycle; these beats' frames get no answer.
        waves
            Where to leave a waveform.
        image
            What is loaded after each reset, before the first beat; None for what the plan says, if anything.
        """
        image = memory_image(self._plan, self._network) if image is None else image
        port = self._ports.input
        i_last = port.position("last")
        payloads: list[int] = []
        for k, frame in enumerate(port.pack(values)):
            wanted = len(frame) if lengths is None else int(lengths[k])
            payloads += port.payloads((frame + frame[-1:] * max(0, wanted - len(frame)))[:wanted])
        frames = len(values) if reset_at < 0 else _frames_after(payloads, reset_at, i_last)
        with tempfile.TemporaryDirectory(prefix="bnnhw-frames-") as name:
            scratch = Path(name)
            if image is not None:
                (scratch / "image").write_bytes(image)
            (scratch / "beats").write_text("\n".join(f"{payload:x}" for payload in payloads))
            job = {
                "beats": str(scratch / "beats"),
                "answers": str(scratch / "answers"),
                "starts": str(scratch / "starts"),
                "image": str(scratch / "image") if image is not None else "",
                "i_last": i_last,
                "o_last": self._ports.output.position("last"),
                "frames": frames,
                "i_stall": i_stall,
                "o_stall": o_stall,
                "seed": seed,
                "reset_at": reset_at,
                "hang_cycles": HANG_CYCLES + measure(self._plan, self._network).latency,
                "watch": self._watch,
                "record": str(scratch / "record"),
            }
            started = time.monotonic()
            self._simulate(job, waves)
            seconds = time.monotonic() - started
            answers = [line.split() for line in (scratch / "answers").read_text().splitlines()]
            starts = [int(line) for line in (scratch / "starts").read_text().split()]
            watched = (scratch / "record").read_text() if self._watch else ""
        result = self._result(answers, starts, frames, seconds)
        return replace(result, record=Record.of(watched, result.cycles) if self._watch else None)

    def _simulate(self, job: Mapping[str, Any], waves: Path | None) -> None:
        """Does a job of ``sim/accelerator_bench.py``, whose files lie in one folder."""
        scratch = Path(job["beats"]).parent
        self._bench.run("accelerator_bench", {"BNNHW_JOB": str(job_file(scratch, job))}, waves=waves)

    def _result(self, answers: list[list[str]], starts: list[int], frames: int, seconds: float) -> RtlResult:
        beats = self._ports.output.beats
        if len(answers) != frames * beats:
            raise ToolError(f"the simulation gave {len(answers)} output beats for {frames} frames of {beats}")
        if not starts:
            raise ToolError(f"the simulation gave {len(answers)} output beats for no frame that it took")
        results = self._ports.output.unpack([int(answer[1], 16) for answer in answers])
        taken = [int(answer[0], 16) for answer in answers]
        cycles = taken[beats - 1 :: beats]
        return RtlResult(
            **results._asdict(),
            latency_cycles=cycles[0] - starts[0],
            cycles_per_inference=_mean_interval(cycles, self._plan.group),
            cycles=cycles[-1] + 1,
            seconds=seconds,
            beat_cycles=np.array(taken, np.int64).reshape(frames, beats),
            start_cycles=np.array(starts, np.int64),
        )


def _mean_interval(cycles: list[int], frames: int) -> float:
    """Mean of the last `frames` intervals."""
    if len(cycles) <= frames:
        return 0
    total = cycles[-1] - cycles[-1 - frames]
    return total / frames if total % frames else total // frames


def _frames_after(payloads: list[int], reset_at: int, last: int) -> int:
    return sum(payload >> last & 1 for payload in payloads[reset_at:])
