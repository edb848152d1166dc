"""A design's Verilog run for its own sake: what it answers, and how many cycles that takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bnnhw.dataflow import Cycles, measure, pipeline
from bnnhw.dataflow.cycles import Run
from bnnhw.design import Design
from bnnhw.errors import MissingCompilerError
from bnnhw.files import write_text
from bnnhw.inputs import Inputs, inputs_for
from bnnhw.progress import Progress
from bnnhw.reference import encode_inputs
from bnnhw.verify.profile import links, make_profile
from bnnhw.verify.profile_picture import picture
from bnnhw.verify.rtl import RtlSimulation


def simulate(
    design: Design,
    inputs: Inputs,
    *,
    simulator: str,
    waves: Path | None = None,
    profile: Path | None = None,
    progress: Progress,
) -> dict[str, Any]:
    """What `bnnhw.simulate` gives for `inputs`.

    Raises
    ------
    ToolError
        If the simulator is missing or fails.
    """
    with progress(f"compiling the simulation with {simulator}"):
        simulation = RtlSimulation(
            design.plan,
            design.network,
            design.verilog,
            simulator=simulator,
            waves=waves is not None,
            watch=[] if profile is None else [link.name for link in links(pipeline(design.plan, design.network))],
        )
    with progress(f"simulating {len(inputs.values)} samples"):
        result = simulation.run(encode_inputs(design.graph, inputs.values), waves=waves)
    stalls = None
    if profile is not None:
        assert result.record is not None
        seen = make_profile(design.plan, design.network, result.record, result.beat_cycles[:, -1].tolist())
        write_text(profile, picture(seen))
        stalls = {**seen.to_dict(), "file": str(profile)}
    right = None if inputs.labels is None else float((result.labels == inputs.labels).mean())
    return {
        "model": design.plan.model,
        "part": design.plan.part,
        "simulator": simulator,
        "inputs": inputs.source,
        "samples": len(inputs.values),
        "prediction": result.labels.tolist(),
        "accuracy": right,
        "latency_cycles": result.latency_cycles,
        "cycles_per_inference": result.cycles_per_inference or None,
        "cycles": result.cycles,
        "seconds": round(result.seconds, 3),
        "profile": stalls,
    }


def simulated_cycles(design: Design, progress: Progress) -> tuple[Cycles, bool]:
    """The cycles of a few frames, and whether they were simulated: where no C++ compiler is at hand they are those of
    the cycle model, which says the same to the cycle.

    Frames that come in groups may follow each other in a pattern that is longer than what is simulated. So where all of
    them end when the model says, its mean over the whole pattern is taken.

    Raises
    ------
    ToolError
        If the simulator is missing or fails.
    """
    # Enough frames to fill the pipeline, so that the last ones come at its steady pace.
    frames = design.plan.group * (2 * len(design.plan.layers) + 4)
    inputs = inputs_for(design.graph, None, frames)
    known = measure(design.plan, design.network)
    try:
        with progress("compiling the simulation with verilator"):
            simulation = RtlSimulation(design.plan, design.network, design.verilog)
    except MissingCompilerError:
        return known, False
    with progress(f"simulating {frames} samples"):
        result = simulation.run(encode_inputs(design.graph, inputs.values))
    ends = result.beat_cycles[:, -1]
    ends = ends - ends[0] + result.latency_cycles
    if ends.tolist() == Run(design.plan, design.network).ends(frames):
        return known, True
    return Cycles(latency=result.latency_cycles, interval=result.cycles_per_inference), True
