"""The level `board`: a design's answers over the host link, from a board or from a simulated one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw import host, reference
from bnnhw.design import Design
from bnnhw.errors import LinkError, NotLoadedError
from bnnhw.generate.ports import Ports
from bnnhw.ir.graph import Graph
from bnnhw.verify.simulated_board import SimulatedBoard

BOARD_SECONDS = 2.0
"""Of silence, after which an answer of a board is taken for lost."""

SIMULATION_SECONDS = 600.0
"""The same for a simulated board of our own: its line loses nothing, and if it ends, that is noticed at once."""


@dataclass(frozen=True, eq=False)
class BoardAnswers:
    """What a board computed.

    Parameters
    ----------
    results
        (N, C) integers, (N,) labels, (N,) errors, which are all False.
    seconds
        From the first request to the last answer.
    traffic
        What the driver went through.
    cycles
        Of a simulated board's oscillator, all in all; 0 for a real board.
    """

    results: host.Results
    seconds: float
    traffic: host.Traffic
    cycles: int

    def to_dict(self, graph: Graph) -> dict[str, Any]:
        """What `bnnhw.run` gives of it: the outputs of `graph`, the rate with the link, and what was sent again."""
        outputs = reference.finish(graph, self.results.integers)
        return {
            "arrays": {**outputs, "prediction": self.results.labels},
            "seconds": round(self.seconds, 3),
            "inferences_per_second": len(self.results.labels) / self.seconds if self.seconds else None,
            "retries": self.traffic.retries,
            "baud": self.traffic.baud,
        }


def infer_on_board(
    design: Design,
    inputs: NDArray[np.float32],
    *,
    port: str | None = None,
    verilog: str | None = None,
    flash: bytes | None = None,
    timeout: float | None = None,
    max_baud: int | None = None,
    count: Callable[[int, int], None] | None = None,
) -> BoardAnswers:
    """Runs samples on a board.

    Parameters
    ----------
    design
        What the board must run; another design is refused.
    inputs
        (N, ...) as the model takes them.
    port
        Serial port of the board. None: a simulated board is started for it.
    verilog, flash
        What the simulated board is made of, and what its flash holds, see `SimulatedBoard`.
    timeout
        Seconds of silence after which an answer is taken for lost.
    max_baud
        The fastest rate that the line may have; None for the fastest of board and port.
    count
        Called with the samples done and N, after each answer.

    A board that finds no weights in its flash gets them over the link.

    Raises
    ------
    LinkError
        If the port cannot be opened, or the board does not answer, runs another design or finds frames damaged.
    PlanError, ToolError
        If the design cannot be simulated.
    """
    codes = Ports.of(design.plan, design.network).input.codes(reference.encode_inputs(design.graph, inputs))
    simulated = SIMULATION_SECONDS if port is None else BOARD_SECONDS
    with _opened(design, port, verilog, flash) as opened:
        driver = host.Driver(
            opened,
            timeout=simulated if timeout is None else timeout,
            digest=bytes.fromhex(design.plan.digest),
            max_baud=max_baud,
        )
        driver.identify()
        started = time.monotonic()
        try:
            results = driver.infer(codes, count)
        except NotLoadedError:
            if design.image is None:
                raise
            driver.load(design.image)
            started = time.monotonic()
            results = driver.infer(codes, count)
        seconds = time.monotonic() - started
        cycles = opened.close() if isinstance(opened, SimulatedBoard) else 0
    if results.errors.any():
        raise LinkError(f"the board found {int(results.errors.sum())} of {len(codes)} frames damaged: program it again")
    return BoardAnswers(results, seconds, driver.traffic, cycles)


@contextlib.contextmanager
def _opened(design: Design, name: str | None, verilog: str | None, flash: bytes | None) -> Iterator[host.Port]:
    port: host.Port = SimulatedBoard(design, verilog=verilog, flash=flash) if name is None else host.open_port(name)
    try:
        yield port
    finally:
        port.close()
