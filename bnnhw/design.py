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
    """

    graph: Graph
    plan: Plan

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
        """The module ``accelerator``."""
        from bnnhw.generate.verilog import verilog

        return verilog(self.plan, self.network)

    def save(self, folder: Path) -> None:
        """Writes the files of the design into `folder`; nothing at all if one of them cannot be made.

        Raises
        ------
        InputError
            If `folder` cannot be written.
        """
        texts = {
            ESTIMATE: json.dumps(self.estimate, indent=2) + "\n",
            VERILOG: self.verilog,
            PLAN: self.plan.to_json(),
        }
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
    graph = store.load(folder)
    plan = dataflow.load_plan(folder / PLAN)
    design = Design(graph, plan)
    if [layer.name for layer in plan.layers] != [layer.name for layer in design.network.layers]:
        raise InputError(f"{folder / PLAN}: the layers are not those of {folder / 'graph.json'}: compile again")
    if plan.digest != dataflow.digest(design.network, plan.layers):
        raise InputError(f"{folder / PLAN}: edited since it was compiled: compile again with --folding {folder / PLAN}")
    return design
