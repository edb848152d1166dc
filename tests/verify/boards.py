"""A small design of a whole board, and what it must answer; compiled once for all tests that use it."""

from __future__ import annotations

from functools import cache

from bnnhw.compiler import make_design
from bnnhw.design import Design
from bnnhw.verify.simulated_board import SimulatedBoard
from campaigns.faults import BOARD, FPS, MODEL, Samples, samples_of


@cache
def design() -> Design:
    """The one of the fault campaign."""
    return make_design(MODEL, board=BOARD, fps=FPS)


@cache
def samples() -> Samples:
    """Its inputs and answers."""
    return samples_of(design())


def start(*, settled: bool = True) -> SimulatedBoard:
    """A board of its own."""
    return SimulatedBoard(design(), settled=settled)
