"""What a model answers, at each level, and whether levels agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnnhw.progress import Progress, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from bnnhw.arithmetic.formats import DataType
    from bnnhw.design import Design

    Work = str | Path | Design


# Samples of a comparison that nobody asks a number of.
COMPARED = 100


def simulate(
    work: Work,
    *,
    inputs: str | Path | ArrayLike | None = None,
    samples: int | None = 10,
    board: str | None = None,
    simulator: str = "verilator",
    waves: str | Path | None = None,
    input_format: DataType | None = None,
    output_tensor: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Runs the Verilog of a model in a simulator, one frame behind the other.

    Parameters
    ----------
    inputs, samples
        Path of an .npz or an array, and how many of its samples (None: all). Without `inputs` a shipped model's own, or
        random ones.
    simulator
        ``verilator`` or ``icarus``.
    waves
        Waveform file to write.

    Returns
    -------
    dict
        ``prediction`` of each sample, ``accuracy`` or None, ``latency_cycles``, ``cycles_per_inference`` (back to
        back; None for a single sample), ``cycles`` and ``seconds`` in all.

    Raises
    ------
    BnnhwError
        As `compile`; if the inputs do not fit the model; if the simulator is missing or fails.
    """
    from bnnhw.compiler import open_design
    from bnnhw.inputs import inputs_for
    from bnnhw.verify.simulation import simulate as simulate_design

    design = open_design(work, board=board, input_format=input_format, output_tensor=output_tensor, progress=progress)
    return simulate_design(
        design,
        inputs_for(design.graph, inputs, samples),
        simulator=simulator,
        waves=None if waves is None else Path(waves),
        progress=progress,
    )


def compare(
    work: Work,
    *,
    inputs: str | Path | ArrayLike | None = None,
    samples: int | None = None,
    levels: Sequence[str] = ("reference", "rtl"),
    board: str | None = None,
    folder: str | Path | None = None,
    simulator: str = "verilator",
    trace: str | Path | None = None,
    port: str | None = None,
    input_format: DataType | None = None,
    output_tensor: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Computes the same samples at several levels and counts what differs.

    Parameters
    ----------
    levels
        ``source``: the model file in qonnx's executor, held against the reference; ``reference``: the integers in
        numpy, held against the imported float model and against arrays of another executor (``acc<i>``, ``act<i>``,
        ``outputs``, ``prediction``) in the file of `inputs`; ``rtl``: the simulated Verilog, held against the
        reference; ``netlist``: the same after synthesis; ``bitstream``: what the packed bits in the folder of a
        build hold, for iCE40; ``board``: a whole board over its host link.
    samples
        How many samples; None for 100, and fewer where a level is slow.
    inputs, simulator
        As `simulate` takes them.
    folder
        Where compare.json goes, and the waveform of the first difference of a level.
    trace
        .npz to write: the tensors of each level as ``<level>.<name>``, named as `infer` names them, those of the model
        file as the file does; of the levels behind ``rtl`` only the outputs.
    port
        Serial port of a board for ``board``; None for a simulated one, started for it.

    Returns
    -------
    dict
        What compare.json holds: ``mismatches`` in all, ``levels``, and in ``undecided`` the levels that compared
        nothing, since float32's rounding may decide every sample and some differ; and where `folder` refuses it, why,
        in ``not_written``.

    Raises
    ------
    BnnhwError
        As `simulate`.
    """
    from bnnhw.compiler import open_design
    from bnnhw.files import write_npz
    from bnnhw.inputs import inputs_for
    from bnnhw.verify import check_levels, written
    from bnnhw.verify import compare as compare_levels

    check_levels(levels)
    design = open_design(work, board=board, input_format=input_format, output_tensor=output_tensor, progress=progress)
    chosen = inputs_for(design.graph, inputs, COMPARED if samples is None else samples)
    with progress(f"comparing {len(chosen.values)} samples"):
        comparison = compare_levels(
            design,
            chosen.values,
            chosen.labels,
            levels=levels,
            samples=samples,
            golden=chosen.golden,
            simulator=simulator,
            folder=None if folder is None else Path(folder),
            trace=trace is not None,
            port=port,
        )
    if trace is not None:
        write_npz(Path(trace), comparison.tensors)
    result = {**comparison.to_dict(), "inputs": chosen.source}
    return result if folder is None else written(result, Path(folder))


def infer(
    work: Work,
    inputs: str | Path | ArrayLike,
    *,
    level: str = "reference",
    all_tensors: bool = False,
    port: str | None = None,
    board: str | None = None,
    input_format: DataType | None = None,
    output_tensor: str | None = None,
    progress: Progress = silent,
) -> dict[str, NDArray[np.generic]]:
    """The model's answers.

    Parameters
    ----------
    level
        One of those of `compare`.
    all_tensors
        Every accumulator ``acc<i>`` and activation ``act<i>`` as well, where the level shows them; at the level
        ``source`` the tensors of the model file instead, under their names there.
    port
        Serial port of a board for the level ``board``; None for a simulated one, started for it.

    Returns
    -------
    dict
        ``outputs`` (N, ...) what the source model itself outputs, ``integers`` (N, C) those of the last layer, which
        ``source`` has not, ``prediction`` (N,) the class.

    Raises
    ------
    BnnhwError
        As `simulate`.
    """
    from bnnhw import reference
    from bnnhw.compiler import open_design, open_graph
    from bnnhw.inputs import inputs_for
    from bnnhw.verify import Task, answers, check_level

    check_level(level, all_tensors)
    if level == "reference":  # needs no hardware, so it works for models that fit no board
        graph = open_graph(work, board=board, input_format=input_format, output_tensor=output_tensor)
        values = inputs_for(graph, inputs, None).values
        with progress(f"computing {len(values)} samples"):
            tensors = reference.trace(graph, values) if all_tensors else {}
            return {**reference.run(graph, values), **tensors}
    design = open_design(work, board=board, input_format=input_format, output_tensor=output_tensor, progress=progress)
    values = inputs_for(design.graph, inputs, None).values
    with progress(f"computing {len(values)} samples"):
        return answers(level, Task(design, values, trace=all_tensors, port=port))
