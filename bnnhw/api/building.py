"""Bitstreams, and the boards that run them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnnhw.files import claimed
from bnnhw.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from bnnhw.arithmetic.formats import DataType
    from bnnhw.design import Design

    Work = str | Path | Design


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
    progress: Progress = silent,
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
    from bnnhw.builder import build_design
    from bnnhw.compiler import open_design

    design = open_design(work, board=board, input_format=input_format, output_tensor=output_tensor, progress=progress)
    # The bitstream is made from the plan, whatever was done to the Verilog in the folder that the plan lies in.
    design = replace(design, folder=None)
    with claimed(Path(folder)):
        report = build_design(
            design, Path(folder), clock_mhz=clock_mhz, seed=seed, seeds=seeds, jobs=jobs, progress=progress
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
    progress: Progress = silent,
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
    progress: Progress = silent,
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
