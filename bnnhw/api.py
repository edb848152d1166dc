"""The verbs: what the command line and a notebook call. Each imports what it needs when it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnnhw.files import claimed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from bnnhw.arithmetic.formats import DataType
    from bnnhw.design import Design
    from bnnhw.ir.graph import Graph
    from bnnhw.parts import Part

    Work = str | Path | Design
    Progress = Callable[[str], AbstractContextManager[None]]

# Samples of a comparison that nobody asks a number of.
COMPARED = 100


def _silent(step: str) -> AbstractContextManager[None]:
    """The progress of those who do not care: verbs enter what `progress` makes of a step's description."""
    return nullcontext()


def models(*, families: bool = False) -> list[dict[str, Any]]:
    """The shipped models: name, title, size, accuracy (share of right classes), data and licence.

    Parameters
    ----------
    families
        Instead the small ones that show a published family each: name, title, paper, idea, dialect, accuracy.
    """
    from bnnhw.shipped import family_models, shipped_models

    chosen = family_models() if families else shipped_models()
    return [{"name": model.name, **model.facts} for model in chosen.values()]


def boards() -> list[dict[str, Any]]:
    """The boards: name, part and what it has, clocks in MHz, and how a computer is connected."""
    from bnnhw.toolchain import all_boards

    return [board.to_dict() for board in all_boards()]


def check(
    model: str | Path, *, input_format: DataType | None = None, output_tensor: str | None = None
) -> dict[str, Any]:
    """What is in a model file, and what becomes of it.

    Returns
    -------
    dict
        ``model``, ``file``; ``maps`` and, where it does not, the ``problem``; ``nodes`` of the file, each with
        ``node``, ``op``, ``becomes`` (or why not) and ``ok``; ``layers`` of the hardware; ``notes``.

    Raises
    ------
    ModelError, InputError
        If the file cannot be read as a model at all.
    """
    from bnnhw.compiler import check_model

    return check_model(model, input_format, output_tensor)


def load(model: str | Path, *, input_format: DataType | None = None, output_tensor: str | None = None) -> Graph:
    """The graph of a model as it was imported: float32 operations around matrices of integers.

    Parameters
    ----------
    model
        Name of a shipped model, or path of an .onnx or .onnx.gz file or of a BNN-PYNQ parameter folder or archive.
    input_format
        Format of the input's values, for a file that does not tell.
    output_tensor
        Which of a file's outputs is the answer; None for the first, or the classes of a TopK.

    Raises
    ------
    ModelError
        If something in the model does not map to hardware; it lists all of that.
    InputError
        If there is no such model.
    """
    from bnnhw.compiler import load_model

    return load_model(model, input_format, output_tensor)


def compile(
    model: str | Path | Graph,
    *,
    board: str | None = None,
    part: str | Part | None = None,
    folder: str | Path | None = None,
    fps: float | None = None,
    clock_mhz: float | None = None,
    folding: str | Path | None = None,
    input_format: DataType | None = None,
    output_tensor: str | None = None,
    progress: Progress = _silent,
) -> Design:
    """Makes the network exact integers, folds it for a board, and writes the result if there is a `folder` for it.

    Parameters
    ----------
    board
        Its name or the path of its file; None for the smallest one of the three of the tables that the network fits.
    part
        The FPGA, in place of a board, where no bitstream is made: its name, or what `Part.at_most` gives.
    folder
        Where graph.json, tensors.npz, plan.json, estimate.json and accelerator.v go. What `build` and `compare` left
        there of another design is removed.
    fps, clock_mhz
        Inferences per second to reach with the fewest LUTs, at this clock; None for as many as fit.
    folding
        A plan.json, or part of one, that fixes layers.

    Raises
    ------
    ModelError
        If the model does not map to hardware.
    PlanError
        If it does not fit, or not as asked.
    InputError
        If the model, the board or the folding file does not exist, or `folder` cannot be written.
    """
    from bnnhw.compiler import make_design

    with progress(f"planning {getattr(model, 'name', model)}"):
        design = make_design(
            model,
            board=board,
            part=part,
            fps=fps,
            clock_mhz=clock_mhz,
            folding=folding,
            input_format=input_format,
            output_tensor=output_tensor,
        )
    if folder is not None:
        with progress("generating Verilog"), claimed(Path(folder)):
            removed = design.save(Path(folder))
        if removed:
            with progress(f"removed from {folder}, as of another design: {', '.join(removed)}"):
                pass
    return design


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
    progress: Progress = _silent,
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
    progress: Progress = _silent,
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
        What compare.json holds: ``mismatches`` in all, and ``levels``; and where `folder` refuses it, why, in
        ``not_written``.

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
    progress: Progress = _silent,
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


def build(
    work: Work,
    *,
    folder: str | Path,
    board: str | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
    seeds: int = 1,
    jobs: int | None = None,
    input_format: DataType | None = None,
    output_tensor: str | None = None,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Makes the bitstream of a model, with the accelerator behind the board's host link, and its report.

    A few frames are simulated first; without a C++ compiler the report has the cycles of the cycle model, and says so.

    Parameters
    ----------
    folder
        Where the bitstream, report.json and the files of the design go.
    clock_mhz
        Not faster than this; None for as fast as timing allows.
    seed, seeds
        The first seed of the placer, and how many to try: the fastest route is taken. The same seeds give the same
        bitstream.
    jobs
        How many routes at the same time; None for as many as there are processors.

    Returns
    -------
    dict
        What report.json holds.

    Raises
    ------
    BnnhwError
        As `compile`; if it does not fit, or timing does not allow the clock; if a tool is missing or fails.
    """
    from bnnhw.compiler import open_design
    from bnnhw.toolchain import build_bitstream, find_board
    from bnnhw.verify.simulation import simulated_cycles

    design = open_design(work, board=board, input_format=input_format, output_tensor=output_tensor, progress=progress)
    # The bitstream is made from the plan, whatever was done to the Verilog in the folder that the plan lies in.
    design = replace(design, folder=None)
    with claimed(Path(folder)):
        cycles, simulated = simulated_cycles(design, progress)
        report = build_bitstream(
            design.plan,
            design.network,
            Path(folder),
            board=find_board(design.plan.board),
            cycles=cycles,
            simulated=simulated,
            model_file=design.file,
            clock_mhz=clock_mhz,
            seed=seed,
            seeds=seeds,
            jobs=jobs,
            progress=progress,
        )
        design.save(Path(folder))
    return report


def report(folder: str | Path) -> Path:
    """Makes a page with plots of what `build` left in `folder`: one HTML file that needs no network.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    InputError
        If there is no report, or it is damaged or not of the design in `folder`, or `folder` cannot be written.
    """
    from bnnhw.toolchain import write_page

    return write_page(Path(folder))


def program(folder: str | Path, *, board: str | None = None) -> None:
    """Loads the bitstream that `build` left in `folder` with the programmer of its board, or of the `board`'s file.

    Raises
    ------
    InputError
        If there is no bitstream, or it is another board's.
    ToolError
        If the programmer is missing or fails.
    """
    from bnnhw import toolchain

    toolchain.program(Path(folder), board)


def run(
    folder: str | Path,
    inputs: str | Path | ArrayLike | None = None,
    *,
    port: str,
    samples: int | None = None,
    timeout: float | None = None,
    count: Callable[[int, int], None] | None = None,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Inference on a board that `program` has loaded, or that `serve` simulates.

    Parameters
    ----------
    folder
        Of `build` or `compile`: the board must run this very design.
    inputs, samples
        As `simulate` takes them.
    port
        The board's serial port, such as ``/dev/ttyUSB1``.
    timeout
        Seconds of silence after which an answer is taken for lost; None for 2.
    count
        Called with the samples done and their number, after each answer.

    Returns
    -------
    dict
        ``arrays`` as `infer` gives them, ``labels`` or None, ``inputs`` in words, ``seconds`` and
        ``inferences_per_second`` with the link, and how many requests were ``retries``.

    Raises
    ------
    InputError
        If `folder` holds no design, or the inputs do not fit it.
    LinkError
        If the board does not answer, or runs another design.
    """
    from bnnhw.design import load_design
    from bnnhw.inputs import inputs_for
    from bnnhw.verify.board import infer_on_board

    design = load_design(Path(folder))
    chosen = inputs_for(design.graph, inputs, samples)
    with progress(f"running {len(chosen.values)} samples"):
        found = infer_on_board(design, chosen.values, port=port, timeout=timeout, count=count)
    return {**found.to_dict(design.graph), "labels": chosen.labels, "inputs": chosen.source}


def serve(
    folder: str | Path,
    *,
    ready: Callable[[str], None],
    link: str | Path | None = None,
    baud: int | None = None,
    progress: Progress = _silent,
) -> None:
    """Simulates the whole board behind a pseudo-terminal, until it is interrupted.

    Parameters
    ----------
    folder
        What `compile` or `build` wrote.
    ready
        Called with the name of the port once programs can open it.
    link
        Symbolic link to make to the pseudo-terminal; then this is its name. It is removed in the end.
    baud
        Bits per second of the simulated line, by the board's clock; None for those of the real one.

    Raises
    ------
    InputError
        If `folder` holds no design, or `link` exists.
    PlanError
        If the board cannot have a line of `baud`.
    ToolError
        If the simulator is missing or fails.
    """
    from bnnhw.design import load_design
    from bnnhw.verify.serve import serve as serve_board
    from bnnhw.verify.simulated_board import SimulatedBoard

    design = load_design(Path(folder))
    with progress("compiling the simulated board"):
        board = SimulatedBoard(design, baud=baud)
    serve_board(board, None if link is None else Path(link), ready)
