"""From what a user calls a model, or from a folder, to a design."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bnnhw.arithmetic.formats import DataType
from bnnhw.artifacts import is_design
from bnnhw.dataflow import Network, load_folding, make_plan
from bnnhw.dataflow.folding_file import Folding
from bnnhw.dataflow.layers import Layer, MatrixLayer
from bnnhw.design import Design, load_design
from bnnhw.encoders import encoder_costs
from bnnhw.errors import InputError, ModelError, PlanError
from bnnhw.files import write_text
from bnnhw.graph_picture import file_boxes, graph_boxes, picture
from bnnhw.ir.graph import Graph
from bnnhw.numbers import input_facts
from bnnhw.parts import Part, find_part
from bnnhw.passes import Encoder, to_integers
from bnnhw.progress import Progress
from bnnhw.shipped import find_model, shipped_model
from bnnhw.toolchain import find_board

# The boards among which the smallest one is taken that a model fits, if a user names none: those of the tables.
UNASKED_BOARDS = ("icebreaker", "ice40-hx8k-b-evn", "ulx3s-85f")


def load_model(model: str | Path, input_format: DataType | None = None, output_tensor: str | None = None) -> Graph:
    """The imported graph of a model, under the name that the user gave it."""
    from bnnhw.frontend import load  # needs onnx, which what opens a compiled design does not

    name, path = find_model(model)
    return replace(load(path, input_format=input_format, output_tensor=output_tensor), name=name)


@dataclass(frozen=True, eq=False)
class Imported:
    """A model that is read and lowered, so that any number of plans can be made of it.

    Parameters
    ----------
    source, graph
        As it was imported, and in integers.
    network
        The layers that a plan folds.
    file
        The model's file, where it was read from one.
    """

    source: Graph
    graph: Graph
    network: Network
    file: Path | None

    def planned(
        self, part: Part, *, board: str, fps: float | None, clock_mhz: float | None, folding: Folding | None
    ) -> Design:
        """The design of `make_plan`.

        Raises
        ------
        PlanError
            As `make_plan`.
        """
        plan = make_plan(self.network, part, board=board, fps=fps, clock_mhz=clock_mhz, folding=folding)
        design = Design(self.graph, plan, self.source, self.file)
        vars(design)["network"] = self.network  # the cached property: of this one, the plan's cycles are known already
        return design


def import_model(
    model: str | Path | Graph,
    input_format: DataType | None,
    output_tensor: str | None,
    *,
    encoder: Encoder = "host",
) -> Imported:
    """What a user calls a model, or a graph of `load_model`, in integers.

    Raises
    ------
    ModelError, InputError
        As `load_model`; if what was imported does not map to hardware.
    """
    source = model if isinstance(model, Graph) else load_model(model, input_format, output_tensor)
    graph = to_integers(source, encoder=encoder)
    return Imported(source, graph, Network.of(graph), None if isinstance(model, Graph) else find_model(model)[1])


def check_model(
    model: str | Path, input_format: DataType | None, output_tensor: str | None, plot: Path | None = None
) -> dict[str, Any]:
    """See `bnnhw.check`."""
    from bnnhw.frontend import format_name, inspect

    name, path = find_model(model)
    rows = inspect(path, output_tensor=output_tensor)
    nodes = [{"node": row.node, "op": row.op, "becomes": row.becomes, "ok": row.ok} for row in rows]
    found: dict[str, Any] = {
        "model": name,
        "file": str(path),
        "format": format_name(path, rows),
        "maps": all(row.ok for row in rows),
        "problem": None,
        "nodes": nodes,
        "input": None,
        "layers": [],
        "notes": [],
        "plot": None if plot is None else str(plot),
    }
    try:
        source = load_model(model, input_format, output_tensor)
        graph = to_integers(source)
    except ModelError as error:
        if plot is not None:
            write_text(plot, picture(name, file_boxes(rows)))
        refused = sum(not row.ok for row in rows)
        problem = f"{refused} of {len(rows)} nodes do not map to hardware, as listed" if refused else str(error)
        return found | {"maps": False, "problem": problem}
    if plot is not None:
        write_text(plot, picture(name, graph_boxes(graph)))
    network = Network.of(graph)
    return found | {
        "input": input_facts(graph),
        "layers": [_layer_facts(layer) for layer in network.layers],
        "notes": [*graph.notes, *_same_weights(network.layers), *filter(None, [encoder_costs(source, network)])],
    }


def _layer_facts(layer: Layer) -> dict[str, Any]:
    """What `bnnhw.check` tells of a layer."""
    return {
        "name": layer.name,
        "kind": layer.kind,
        "inputs": layer.mw,
        "outputs": layer.mh,
        "vectors": layer.vectors,
        "weight": layer.weight.name if isinstance(layer, MatrixLayer) else "",
        "input": layer.input.name,
        "output": layer.unfolded().output or "integers",
        "macs": layer.macs,
        "weight_bits": layer.mw * layer.mh * layer.weight.bits if isinstance(layer, MatrixLayer) else 0,
    }


def _same_weights(layers: tuple[Layer, ...]) -> list[str]:
    """What to say of layers that multiply by one and the same matrix."""
    names: dict[tuple[object, ...], list[str]] = {}
    for layer in layers:
        if isinstance(layer, MatrixLayer):
            own = np.where(layer.node.flip[:, None], -layer.node.weight, layer.node.weight)
            names.setdefault((own.shape, own.tobytes()), []).append(layer.name)
    return [
        f"{', '.join(alike)}: layers with the same weights; each keeps them in a memory of its own"
        for alike in names.values()
        if len(alike) > 1
    ]


def make_design(
    model: str | Path | Graph,
    *,
    board: str | None,
    part: str | Part | None = None,
    fps: float | None = None,
    clock_mhz: float | None = None,
    folding: str | Path | None = None,
    input_format: DataType | None = None,
    output_tensor: str | None = None,
    encoder: Encoder = "host",
) -> Design:
    """See `bnnhw.compile`."""
    if board is not None and part is not None:
        raise InputError(f"--board {board} has a part of its own: give --board or --part, not both")
    if part is not None:
        targets = [("", part if isinstance(part, Part) else find_part(part))]
    else:
        chosen = [find_board(name) for name in ([board] if board is not None else UNASKED_BOARDS)]
        targets = [(one.name, one.device) for one in sorted(chosen, key=lambda one: one.device.lut4)]
    wanted = None if folding is None else load_folding(Path(folding))
    imported = import_model(model, input_format, output_tensor, encoder=encoder)

    def design_for(board: str, part: Part) -> Design:
        return imported.planned(part, board=board, fps=fps, clock_mhz=clock_mhz, folding=wanted)

    *smaller, largest = targets
    for target in smaller:
        try:
            return design_for(*target)
        except PlanError:
            continue
    return design_for(*largest)


def open_design(
    work: str | Path | Design,
    *,
    board: str | None,
    input_format: DataType | None,
    output_tensor: str | None,
    progress: Progress,
) -> Design:
    """The design that `work` is, holds, or has to be compiled to.

    Raises
    ------
    BnnhwError
        As `make_design`; if `work` is a folder with another board's design.
    """
    design = _made_design(work, board, output_tensor)
    if design is not None:
        return design
    assert not isinstance(work, Design)
    with progress(f"planning {work}"):
        return make_design(work, board=board, input_format=input_format, output_tensor=output_tensor)


def open_graph(
    work: str | Path | Design, *, board: str | None, input_format: DataType | None, output_tensor: str | None
) -> Graph:
    """The integers of what `open_design` opens, without planning any hardware.

    Raises
    ------
    BnnhwError
        As `open_design`.
    """
    design = _made_design(work, board, output_tensor)
    if design is not None:
        return design.graph
    assert not isinstance(work, Design)
    return to_integers(load_model(work, input_format, output_tensor))


def _made_design(work: str | Path | Design, board: str | None, output_tensor: str | None) -> Design | None:
    """The design that `work` is or holds; None for a model."""
    wanted = None if board is None else find_board(board).name
    if isinstance(work, Design):
        design = work
    elif shipped_model(work) is None and is_design(Path(work)):
        design = load_design(Path(work))
        if (shipped := shipped_model(design.graph.name)) is not None:
            design = replace(design, file=shipped.file)
    else:
        return None
    if output_tensor is not None:
        raise InputError(f"{work}: compiled already, for one output: give --output-tensor with the model")
    if wanted not in (None, design.plan.board):
        target = f"board {design.plan.board}" if design.plan.board else f"part {design.plan.part}"
        raise InputError(f"{work}: compiled for {target}, not for board {board}: compile the model for that one")
    return design
