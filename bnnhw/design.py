"""A compiled model, and the folder that holds it: graph.json, tensors.npz, plan.json, estimate.json, accelerator.v."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bnnhw import dataflow, files
from bnnhw.dataflow import Network, Plan
from bnnhw.errors import InputError
from bnnhw.ir import store
from bnnhw.ir.graph import Graph
from bnnhw.reading import read_verilog

PLAN, ESTIMATE, VERILOG = "plan.json", "estimate.json", "accelerator.v"


@dataclass(frozen=True, eq=False)
class Design:
    """A network, and the hardware that the plan makes of it.

    Parameters
    ----------
    graph
        The network of stage ``integer``.
    plan
        Its folding and memories for one part.
    source
        The graph as it was imported, where the model file was at hand.
    file
        The model file, where it was.
    folder
        Where the design was read from; its Verilog is taken as it is there.
    """

    graph: Graph
    plan: Plan
    source: Graph | None = None
    file: Path | None = None
    folder: Path | None = None

    @cached_property
    def network(self) -> Network:
        """The integers that the plan folds."""
        return Network.of(self.graph)

    @cached_property
    def estimate(self) -> dict[str, Any]:
        """Cycles, area and limits, as estimate.json holds them."""
        return dataflow.estimate(self.plan, self.network)

    @cached_property
    def verilog(self) -> str:
        """The module ``accelerator``: that of the folder, or made from the plan.

        Raises
        ------
        InputError
            If the folder has none.
        ToolError
            If it has to be made and Yosys is missing.
        """
        if self.folder is not None:
            return read_verilog(self.folder / VERILOG)
        from bnnhw.toolchain.verilog import accelerator_verilog

        return accelerator_verilog(self.plan, self.network)

    def save(self, folder: Path) -> None:
        """Writes the files of the design into `folder`; none of them if one cannot be made.

        Raises
        ------
        InputError
            If `folder` cannot be written.
        """
        texts = {ESTIMATE: json.dumps(self.estimate, indent=2) + "\n", VERILOG: self.verilog, PLAN: self.plan.to_json()}
        store.save(self.graph, folder)
        for name, text in texts.items():
            files.write_text(folder / name, text)


def is_design(folder: Path) -> bool:
    """Whether `folder` is one that `Design.save` wrote."""
    return (folder / PLAN).is_file()


def load_design(folder: Path) -> Design:
    """Reads what `Design.save` wrote.

    Raises
    ------
    InputError
        If a file is missing or damaged, or the plan is not that of the graph or was edited.
    """
    path = folder / PLAN
    design = Design(store.load(folder), dataflow.load_plan(path), folder=folder)
    if design.plan.digest != dataflow.digest(design.network, design.plan):
        raise InputError(f"{path}: edited, or of another model: compile again, with --folding {path} to keep the edits")
    dataflow.check_belongs(design.plan, design.network, str(path))
    return design
