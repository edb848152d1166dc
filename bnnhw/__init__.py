"""Binary and ternary neural networks as FPGA accelerators, compared bit by bit with the software.

In a notebook::

    import bnnhw
    design = bnnhw.compile("digits-binary", board="icebreaker", folder="work")
    print(design.estimate["cycles_per_inference"])
    print(bnnhw.compare(design, samples=100))
    report = bnnhw.build(design, folder="work")
    bnnhw.program("work")

A model is named by the path of its QONNX file or, if it is shipped, by its name; wherever a verb takes `work`, that is
a model, a folder that `compile` wrote, or a `Design`. What the parts underneath import is loaded when a verb is called.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Python puts the module `bnnhw.build` under that name here when it is first imported: that must be before the verb.
from bnnhw import build as _build

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from bnnhw.design import Design
    from bnnhw.dtypes import DataType
    from bnnhw.ir.graph import Graph

    Work = str | Path | Design
    Progress = Callable[[str], AbstractContextManager[None]]


def _silent(step: str) -> AbstractContextManager[None]:
    """The progress of those who do not care: verbs enter what `progress` makes of a step's description."""
    return nullcontext()


def models() -> list[dict[str, Any]]:
    """The shipped models: name, title, size, accuracy (share of right classes), data and licence."""
    from bnnhw.shipped import shipped_models

    return [{"name": model.name, **model.facts} for model in shipped_models().values()]


def boards() -> list[dict[str, Any]]:
    """The boards: name, part and what it has, clocks in MHz, and how a computer is connected."""
    return [
        {
            "name": board.name,
            "title": board.title,
            "part": board.part,
            "lut4": board.device.lut4,
            "block_ram": board.device.block_ram,
            "block_ram_kbit": board.device.block_ram * board.device.block_ram_bits // 1024,
            "clock_mhz": board.clock_mhz,
            "host_link": board.host_link,
            "url": board.url,
        }
        for board in _build.all_boards()
    ]


def check(model: str | Path, *, input_format: DataType | None = None) -> dict[str, Any]:
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

    return check_model(model, input_format)


def load(model: str | Path, *, input_format: DataType | None = None) -> Graph:
    """The graph of a model as it was imported: float32 operations around matrices of integers.

    Parameters
    ----------
    model
        Name of a shipped model, or path of an .onnx or .onnx.gz file or of a BNN-PYNQ parameter folder or archive.
    input_format
        Format of the input's values, for a file that does not tell.

    Raises
    ------
    ModelError
        If something in the model does not map to hardware; it lists all of that.
    InputError
        If there is no such model.
    """
    from bnnhw.compiler import load_model

    return load_model(model, input_format)


def compile(
    model: str | Path | Graph,
    *,
    board: str | None = None,
    folder: str | Path | None = None,
    fps: float | None = None,
    clock_mhz: float | None = None,
    folding: str | Path | None = None,
    input_format: DataType | None = None,
    progress: Progress = _silent,
) -> Design:
    """Makes the network exact integers, folds it for a board, and writes the result if there is a `folder` for it.

    Parameters
    ----------
    board
        None for the smallest one that the network fits.
    folder
        Where graph.json, tensors.npz, plan.json, estimate.json and accelerator.v go.
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
            model, board=board, fps=fps, clock_mhz=clock_mhz, folding=folding, input_format=input_format
        )
    if folder is not None:
        with progress("generating Verilog"):
            design.save(Path(folder))
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
    from bnnhw.reference import encode_inputs
    from bnnhw.verify import RtlSimulation

    design = open_design(work, board=board, input_format=input_format, progress=progress)
    chosen = inputs_for(design.graph, inputs, samples)
    with progress(f"compiling the simulation with {simulator}"):
        simulation = RtlSimulation(
            design.plan, design.network, design.verilog, simulator=simulator, waves=waves is not None
        )
    with progress(f"simulating {len(chosen.values)} samples"):
        codes = encode_inputs(design.graph, chosen.values)
        result = simulation.run(codes, waves=None if waves is None else Path(waves))
    right = None if chosen.labels is None else float((result.labels == chosen.labels).mean())
    return {
        "model": design.plan.model,
        "part": design.plan.part,
        "simulator": simulator,
        "inputs": chosen.source,
        "samples": len(chosen.values),
        "prediction": result.labels.tolist(),
        "accuracy": right,
        "latency_cycles": result.latency_cycles,
        "cycles_per_inference": result.cycles_per_inference or None,
        "cycles": result.cycles,
        "seconds": round(result.seconds, 3),
    }


def compare(
    work: Work,
    *,
    inputs: str | Path | ArrayLike | None = None,
    samples: int | None = 100,
    levels: Sequence[str] = ("reference", "rtl"),
    board: str | None = None,
    folder: str | Path | None = None,
    simulator: str = "verilator",
    input_format: DataType | None = None,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Computes the same samples at several levels and counts what differs.

    Parameters
    ----------
    levels
        ``reference``: the integers in numpy, held against the imported float model and against arrays of another
        executor (``acc<i>``, ``act<i>``, ``outputs``, ``prediction``) in the file of `inputs`; ``rtl``: the simulated
        Verilog, held against the reference.
    inputs, samples, simulator
        As `simulate` takes them.
    folder
        Where compare.json goes.

    Returns
    -------
    dict
        What compare.json holds: ``mismatches`` in all, and ``levels``.

    Raises
    ------
    BnnhwError
        As `simulate`.
    """
    from bnnhw.compiler import open_design
    from bnnhw.files import write_text
    from bnnhw.inputs import inputs_for
    from bnnhw.verify import compare as compare_levels

    design = open_design(work, board=board, input_format=input_format, progress=progress)
    chosen = inputs_for(design.graph, inputs, samples)
    with progress(f"comparing {len(chosen.values)} samples"):
        comparison = compare_levels(
            design,
            chosen.values,
            chosen.labels,
            levels=levels,
            source=design.source,
            golden=chosen.golden,
            simulator=simulator,
        )
    result = {**comparison.to_dict(), "inputs": chosen.source}
    if folder is not None:
        write_text(Path(folder) / "compare.json", json.dumps(result, indent=2) + "\n")
    return result


def infer(
    work: Work,
    inputs: str | Path | ArrayLike,
    *,
    level: str = "reference",
    all_tensors: bool = False,
    board: str | None = None,
    input_format: DataType | None = None,
    progress: Progress = _silent,
) -> dict[str, NDArray[np.generic]]:
    """The model's answers.

    Parameters
    ----------
    level
        ``reference`` or ``rtl``.
    all_tensors
        Every accumulator ``acc<i>`` and activation ``act<i>`` as well; only the reference knows them.

    Returns
    -------
    dict
        ``outputs`` (N, ...) what the source model itself outputs, ``integers`` (N, C) those of the last layer,
        ``prediction`` (N,) the class.

    Raises
    ------
    BnnhwError
        As `simulate`.
    """
    from bnnhw import reference
    from bnnhw.compiler import open_design, open_graph
    from bnnhw.errors import InputError
    from bnnhw.inputs import inputs_for
    from bnnhw.verify import RtlSimulation, check_levels

    check_levels([level])
    if all_tensors and level != "reference":
        raise InputError(f"--all-tensors: level {level} shows only its outputs: use --level reference")
    if level == "reference":
        # Needs no hardware, so it works for models that fit no board.
        graph = open_graph(work, board=board, input_format=input_format)
        values = inputs_for(graph, inputs, None).values
        with progress(f"computing {len(values)} samples"):
            tensors = reference.trace(graph, values) if all_tensors else {}
            return {**reference.run(graph, values), **tensors}
    design = open_design(work, board=board, input_format=input_format, progress=progress)
    values = inputs_for(design.graph, inputs, None).values
    with progress(f"computing {len(values)} samples"):
        simulation = RtlSimulation(design.plan, design.network, design.verilog)
        answers = simulation.run(reference.encode_inputs(design.graph, values))
        return {**reference.finish(design.graph, answers.integers), "prediction": answers.labels}


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
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Makes the bitstream of a model, with the accelerator behind the board's host link, and its report.

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
    from bnnhw.dataflow import Cycles

    design = open_design(work, board=board, input_format=input_format, progress=progress)
    target = _build.find_board(design.plan.board)
    # Enough frames to fill the pipeline, so that the last ones come at its steady pace.
    frames = design.plan.group * (2 * len(design.plan.layers) + 4)
    run = simulate(design, samples=frames, progress=progress)
    cycles = Cycles(latency=run["latency_cycles"], interval=run["cycles_per_inference"])
    report = _build.build(
        design.plan,
        design.network,
        Path(folder),
        board=target,
        cycles=cycles,
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
    return _build.write_page(Path(folder))


def program(folder: str | Path) -> None:
    """Loads the bitstream that `build` left in `folder` with the board's programmer.

    Raises
    ------
    InputError
        If there is no bitstream.
    ToolError
        If the programmer is missing or fails.
    """
    _build.program(Path(folder))


def run(
    folder: str | Path,
    inputs: str | Path | ArrayLike | None = None,
    *,
    port: str,
    samples: int | None = None,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Inference on a board that `program` has loaded.

    Parameters
    ----------
    folder
        What `build` wrote: the board must run this very design.
    inputs, samples
        As `simulate` takes them.
    port
        The board's serial port, such as ``/dev/ttyUSB1``.

    Returns
    -------
    dict
        ``arrays`` as `infer` gives them, ``labels`` or None, ``inputs`` in words, and ``seconds``.

    Raises
    ------
    InputError
        If `folder` holds no design, or the inputs do not fit it.
    LinkError
        If the board does not answer, or runs another design.
    """
    from bnnhw import host, reference
    from bnnhw.design import load_design
    from bnnhw.errors import LinkError
    from bnnhw.inputs import inputs_for

    design = load_design(Path(folder))
    chosen = inputs_for(design.graph, inputs, samples)
    values = reference.encode_inputs(design.graph, chosen.values)
    codes = design.plan.input_dtype.encode(values.reshape(len(values), -1))
    opened = host.open_port(port, _build.find_board(design.plan.board).baud)
    driver = host.Driver(opened, digest=bytes.fromhex(design.plan.digest))
    started = time.monotonic()
    with progress(f"running {len(codes)} samples"):
        results = driver.infer(codes)
    if results.errors.any():
        raise LinkError(f"the board found {int(results.errors.sum())} of {len(codes)} frames damaged: program it again")
    arrays = {**reference.finish(design.graph, results.integers), "prediction": results.labels}
    seconds = round(time.monotonic() - started, 3)
    return {"arrays": arrays, "labels": chosen.labels, "inputs": chosen.source, "seconds": seconds}
