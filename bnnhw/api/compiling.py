"""From a model file to a design."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bnnhw.extras import explained
from bnnhw.files import claimed
from bnnhw.progress import Progress, silent

if TYPE_CHECKING:
    from bnnhw.arithmetic.formats import DataType
    from bnnhw.design import Design
    from bnnhw.ir.graph import Graph
    from bnnhw.parts import Part

    Work = str | Path | Design


@explained
def check(
    model: str | Path,
    *,
    input_format: DataType | None = None,
    output_tensor: str | None = None,
    plot: str | Path | None = None,
) -> dict[str, Any]:
    """What is in a model file, and what becomes of it.

    Parameters
    ----------
    plot
        SVG file to draw the graph into: the network in integers with the shape and format of every tensor, or the nodes
        of a file that does not map.

    Returns
    -------
    dict
        ``model``, ``file`` and the name of its ``format``; ``maps`` and, where it does not, the ``problem``; ``nodes``
        of the file, each with ``node``, ``op``, ``becomes`` (or why not) and ``ok``; ``input``, see
        `bnnhw.numbers.input_facts`; ``layers`` of the hardware; ``notes``; ``plot``.

    Raises
    ------
    ModelError, InputError
        If the file cannot be read as a model at all, or `plot` cannot be written.
    """
    from bnnhw.compiler import check_model

    return check_model(model, input_format, output_tensor, None if plot is None else Path(plot))


@explained
def load(model: str | Path, *, input_format: DataType | None = None, output_tensor: str | None = None) -> Graph:
    """The graph of a model as it was imported: float32 operations around matrices of integers.

    Parameters
    ----------
    model
        Name of a shipped model, or path of an .onnx, .onnx.gz, .npz or .safetensors file, or of a BNN-PYNQ parameter
        folder or archive.
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


@explained
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
    encoder: Literal["host", "chip"] = "host",
    progress: Progress = silent,
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
    encoder
        Where the input is compared with the thresholds that make bits of it: on the ``host``, or on the ``chip``, where
        the format of the input's integers is known.

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
            encoder=encoder,
        )
    if folder is not None:
        with progress("generating Verilog"), claimed(Path(folder)):
            removed = design.save(Path(folder))
        if removed:
            with progress(f"removed from {folder}, as of another design: {', '.join(removed)}"):
                pass
    return design
