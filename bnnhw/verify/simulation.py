"""A design's Verilog run for its own sake: what it answers, and how many cycles that takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bnnhw.dataflow import Cycles, measure
from bnnhw.design import Design
from bnnhw.errors import MissingCompilerError
from bnnhw.inputs import Inputs, inputs_for
from bnnhw.progress import Progress
from bnnhw.reference import encode_inputs
from bnnhw.verify.rtl import RtlSimulation


def simulate(
    design: Design, inputs: Inputs, *, simulator: str, waves: Path | None = None, progress: Progress
) -> dict[str, Any]:
    """What `bnnhw.simulate` gives for `inputs`.

    Raises
    ------
    ToolError
        If the simulator is missing or fails.
    """
    with progress(f"compiling the simulation with {simulator}"):
        simulation = RtlSimulation(
            design.plan, design.network, design.verilog, simulator=simulator, waves=waves is not None
        )
    with progress(f"simulating {len(inputs.values)} samples"):
        result = simulation.run(encode_inputs(design.graph, inputs.values), waves=waves)
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
    }


def simulated_cycles(design: Design, progress: Progress) -> tuple[Cycles, bool]:
    """The cycles of a few frames, and whether they were simulated: where no C++ compiler is at hand they are those of
    the cycle model, which says the same to the cycle.

    Raises
    ------
    ToolError
        If the simulator is missing or fails.
    """
    # Enough frames to fill the pipeline, so that the last ones come at its steady pace.
    frames = design.plan.group * (2 * len(design.plan.layers) + 4)
    inputs = inputs_for(design.graph, None, frames)
    try:
        run = simulate(design, inputs, simulator="verilator", progress=progress)
    except MissingCompilerError:
        return measure(design.plan, design.network), False
    return Cycles(latency=run["latency_cycles"], interval=run["cycles_per_inference"]), True
