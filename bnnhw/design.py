"""A compiled model, and the folder that holds it: graph.json, tensors.npz, plan.json, estimate.json, accelerator.v."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bnnhw import artifacts, dataflow, files
from bnnhw.artifacts import ESTIMATE, PLAN, VERILOG
from bnnhw.dataflow import Network, Plan
from bnnhw.errors import InputError
from bnnhw.ir import store
from bnnhw.ir.graph import Graph
from bnnhw.reading import read_verilog


@dataclass(frozen=True, eq=False, repr=False)
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

    def __repr__(self) -> str:
        return f"<Design {self.plan.model} on {self.plan.board or self.plan.part}: digest {self.plan.digest}>"

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
            If the folder has none, or one of another design.
        ToolError
            If it has to be made and Yosys is missing.
        """
        if self.folder is not None:
            path = self.folder / VERILOG
            text = read_verilog(path)
            artifacts.check_stamp(text, self.plan.digest, path)
            return text
        from bnnhw.toolchain.verilog import accelerator_verilog

        return artifacts.stamped(accelerator_verilog(self.plan, self.network), self.plan.digest)

    @cached_property
    def image(self) -> bytes | None:
        """What is loaded into memories that a bitstream does not hold (`bnnhw.memory_image`); None where there are
        none."""
        return dataflow.memory_image(self.plan, self.network)

    def component(self, bus: str | None = None) -> Any:
        """The accelerator for a design in Amaranth: a new ``wiring.Component`` at each call, to be a submodule of it.

        Without a `bus` it has two streams, ``i`` for frames and ``o`` for results, in domain ``sync``, whose reset
        empties it. Their payloads are structures:

        * ``i.payload.data``: the storage codes of ``ports.input.lanes`` elements, the first in the low bits;
          ``i.payload.last``.
        * ``o.payload.data``: a signed integer, or an array of ``ports.output.lanes`` of them; ``o.payload.last``, and
          with it the class in ``o.payload.label``, and in ``o.payload.error`` whether the frame was too short or too
          long.

        Its attribute ``ports`` (`bnnhw.generate.ports.Ports`) has the numbers, and packs frames and unpacks results for
        test benches. Latency and interval, in cycles, are in `estimate`.

        Parameters
        ----------
        bus
            A bus of `bnnhw.export`: the component then has that bus's signals, its clock and reset among them where the
            bus has its own, and an attribute ``bus`` that describes them.

        Raises
        ------
        InputError
            If there is no such bus.
        """
        if bus is None:
            from bnnhw.generate.accelerator import Accelerator  # Amaranth takes long to import

            return Accelerator(self.plan, self.network)
        from bnnhw.generate.wrappers import wrapper

        return wrapper(bus, self.plan, self.network)

    def save(self, folder: Path) -> list[str]:
        """Writes the files of the design into `folder`; none of them if one cannot be made.

        Reports, comparisons and bitstreams of another design that lie there are removed.

        Returns
        -------
        list of str
            Names of what was removed.

        Raises
        ------
        InputError
            If `folder` cannot be written.
        """
        texts = {ESTIMATE: artifacts.to_json(self.estimate), VERILOG: self.verilog, PLAN: self.plan.to_json()}
        removed = artifacts.of_others(folder, self.plan.digest)
        artifacts.remove(folder, removed)
        store.save(self.graph, folder)
        for name, text in texts.items():
            files.write_text(folder / name, text)
        return removed


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
