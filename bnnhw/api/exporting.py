"""Packages for other people's designs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnnhw.files import claimed
from bnnhw.progress import Progress, silent

if TYPE_CHECKING:
    from bnnhw.arithmetic.formats import DataType
    from bnnhw.design import Design

    Work = str | Path | Design

# Frames of the bench that nobody asks a number of.
FRAMES = 10


def export(
    work: Work,
    *,
    folder: str | Path,
    bus: str = "stream",
    prefix: str | None = None,
    samples: int = FRAMES,
    board: str | None = None,
    input_format: DataType | None = None,
    output_tensor: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Writes a design as a package for designs of other people, on FPGAs of any maker.

    Parameters
    ----------
    folder
        Where the files go: the module in Verilog-2001, a template of an instance, a self-checking bench with frames and
        results of the reference, files for FuseSoC and LiteX, and a page in Markdown.
    bus
        ``stream``, ``axi-stream`` or ``wishbone``.
    prefix
        Of the names of all modules and files; None for the model's name.
    samples
        Frames of the bench: of a shipped model's own inputs, or random ones.

    Returns
    -------
    dict
        ``model``, ``digest``, ``bus``, ``prefix``, ``part``; ``frames`` of the bench and their ``inputs`` in words;
        ``latency_cycles``, ``cycles_per_inference``; the names of the ``files``.

    Raises
    ------
    BnnhwError
        As `compile`; if there is no such bus, or `prefix` cannot be the name of a module.
    """
    from bnnhw.compiler import open_design
    from bnnhw.packaging import check_choices, make_package

    check_choices(bus, prefix)
    design = open_design(work, board=board, input_format=input_format, output_tensor=output_tensor, progress=progress)
    with claimed(Path(folder)):
        with progress(f"exporting {design.graph.name}"):
            package = make_package(design, bus=bus, prefix=prefix, samples=samples)
        package.save(Path(folder))
    return package.facts
