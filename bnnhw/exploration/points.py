"""A point: one design that a model, a board and what is asked of the plan make."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bnnhw.builder import build_design
from bnnhw.dataflow.folding_file import Folding
from bnnhw.dataflow.layers import MatrixLayer
from bnnhw.design import Design
from bnnhw.errors import InputError, ModelError, PlanError
from bnnhw.exploration.models import ModelFile, check_same
from bnnhw.exploration.tasks import Answer
from bnnhw.parts import find_part
from bnnhw.progress import silent
from bnnhw.toolchain import find_board
from bnnhw.toolchain.report import package_version

PLANNED, BUILT, REFUSED, FAILED = "planned", "built", "refused", "failed"


@dataclass(frozen=True)
class Target:
    """What designs are for.

    Parameters
    ----------
    board
        Name of a shipped board, or path of a user's file; "" for a part alone.
    part
        Name of the FPGA.
    sha256
        Of the user's file.
    """

    board: str
    part: str
    sha256: str | None = None


@dataclass(frozen=True)
class Chosen:
    """A folding file.

    Parameters
    ----------
    name
        Its path; "" for no file: the plan is free.
    layers
        What it asks of layers.
    """

    name: str = ""
    layers: Folding | None = field(default=None, hash=False)


@dataclass(frozen=True)
class Effort:
    """What is done for each point.

    Parameters
    ----------
    build
        Whether it is synthesised, placed and routed, or planned only.
    seeds
        Of the placer, from 1 on: the fastest route is taken.
    """

    build: bool = False
    seeds: int = 1


@dataclass(frozen=True)
class Point:
    """One design to plan, or to build.

    Parameters
    ----------
    fps, clock_mhz
        As `bnnhw.compile` takes them; the latter limits a build's clock as well.
    version
        Of bnnhw: another one may find another design.
    """

    model: ModelFile
    target: Target
    fps: float | None = None
    clock_mhz: float | None = None
    folding: Chosen = field(default_factory=Chosen)
    effort: Effort = field(default_factory=Effort)
    version: str = field(default_factory=lambda: package_version("bnnhw"))

    @property
    def name(self) -> str:
        words = [self.model.name, self.target.board or self.target.part]
        words += [f"{self.fps:g} fps"] if self.fps is not None else []
        words += [self.folding.name] if self.folding.name else []
        return ", ".join(words)

    @property
    def key(self) -> Mapping[str, Any]:
        return {"kind": "point", **asdict(self)}

    @property
    def asked(self) -> dict[str, Any]:
        """The columns that tell the point from others."""
        return {
            "model": self.model.name,
            "board": self.target.board or None,
            "part": self.target.part,
            "fps": self.fps,
            "folding": self.folding.name or None,
        }

    def answer(self) -> Answer:
        """The figures of the design, or why there can be none, and the seconds that this took.

        Raises
        ------
        InputError
            If the files are not those that the point was made for.
        ToolError
            If a tool is missing or fails.
        """
        here = package_version("bnnhw")
        if here != self.version:
            raise InputError(f"a worker has bnnhw {here} and not {self.version}: install the same everywhere")
        started = time.monotonic()
        try:
            found = self._figures()
        except (ModelError, PlanError) as error:
            found = {"outcome": REFUSED, "reason": in_a_line(error)}
        return found | {"seconds": round(time.monotonic() - started, 3)}

    def design(self) -> Design:
        """The design, planned.

        Raises
        ------
        ModelError, PlanError
            If there can be none.
        InputError
            As `answer`.
        """
        board, part = "", find_part(self.target.part)
        if self.target.board:
            if self.target.sha256 is not None:
                check_same(Path(self.target.board), self.target.sha256)
            board = find_board(self.target.board).name
        return self.model.imported().planned(
            part, board=board, fps=self.fps, clock_mhz=self.clock_mhz, folding=self.folding.layers
        )

    def _figures(self) -> Answer:
        design = self.design()
        return self._built(design) if self.effort.build else figures(PLANNED, design, design.estimate)

    def _built(self, design: Design) -> Answer:
        with tempfile.TemporaryDirectory(prefix="bnnhw-") as folder:
            report = build_design(
                design,
                Path(folder) / "build",
                clock_mhz=self.clock_mhz,
                seeds=self.effort.seeds,
                jobs=1,  # the other processors have points of their own
                progress=silent,
            )
        return figures(BUILT, design, report) | {
            "fmax_mhz": report["fmax_mhz"],
            "link_inferences_per_second": report["link_inferences_per_second"],
            "seed": report["seed"],
            "bitstream_sha256": report["sha256"],
        }


def figures(outcome: str, design: Design, found: Mapping[str, Any]) -> Answer:
    """The columns that an estimate and a report have in common."""
    used = found["utilization"]
    weighted = [layer for layer in design.network.layers if isinstance(layer, MatrixLayer)]
    return {
        "outcome": outcome,
        "lut4": used["lut4"]["used"],
        "lut4_available": used["lut4"]["available"],
        "block_ram": used["block_ram"]["used"],
        "block_ram_available": used["block_ram"]["available"],
        "clock_mhz": float(found["clock_mhz"]),
        "cycles_per_inference": float(found["cycles_per_inference"]),
        "latency_cycles": found["latency_cycles"],
        "inferences_per_second": float(found["inferences_per_second"]),
        "latency_us": found["latency_cycles"] / found["clock_mhz"],
        "macs_per_inference": found["macs_per_inference"],
        "weight_bits": sum(layer.mw * layer.mh * layer.weight.bits for layer in weighted),
        "digest": found["digest"],
    }


def in_a_line(error: Exception) -> str:
    """The message of an error that may have several lines."""
    return " ".join(str(error).split())
